"""Commands that learn and compare: train, evaluate, models, demo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from shopkeeper import practice
from shopkeeper.cli.main import Session, app
from shopkeeper.cli.operate import serve
from shopkeeper.errors import NotFoundError
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.comparison import compare
from shopkeeper.recipes.curriculum import DIALOGUE, FIRST, TASKS, TEXTS, Outcome, train
from shopkeeper.recipes.texts.marked_titles import TAGGER
from shopkeeper.store.database import open_store

PARTLY = 3


@app.command(name="train")
def train_(
    context: typer.Context,
    task: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Which recipes, by default {', '.join((*TASKS, *TEXTS))}; {FIRST}, {TAGGER}, {DIALOGUE}, and tasks of the review queue."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Budget of one recipe, default train.minutes.", min=0.01)
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 3 when a recipe was skipped.")] = False,
    update: Annotated[
        bool | None, typer.Option("--update", help="Teach live classifiers of texts only what came since.")
    ] = None,
    remember: Annotated[
        str | None, typer.Option(help="What an update does against forgetting: replay, former, elastic or periods.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="How domain reads texts: mlm, clm, tsdae, simcse or pairs.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the examples at most.")] = None,
    layers: Annotated[int | None, typer.Option(help="Top layers that learn: 0 the head only, -1 all.")] = None,
    adapter: Annotated[str | None, typer.Option(help="lora, dora, adalora, ia3, prefix, prompt or bottleneck.")] = None,
    adversarial: Annotated[str | None, typer.Option(help="fgm, pgd, freelb, awp or none.")] = None,
    average: Annotated[str | None, typer.Option(help="swa, ema or none.")] = None,
    optimiser: Annotated[str | None, typer.Option(help="adamw, sgd, adafactor or lion.")] = None,
    schedule: Annotated[str | None, typer.Option(help="cosine, linear, inverse-sqrt or constant.")] = None,
    rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    layer_decay: Annotated[float | None, typer.Option(help="Rate of a layer against the one above it.")] = None,
    smoothing: Annotated[float | None, typer.Option(help="Label smoothing.")] = None,
    r_drop: Annotated[float | None, typer.Option(help="Weight of R-Drop.")] = None,
    mixup: Annotated[float | None, typer.Option(help="Alpha of mixup.")] = None,
    augment: Annotated[str | None, typer.Option(help="delete, swap, typos, homophones, synonyms, insert.")] = None,
    refit: Annotated[bool | None, typer.Option(help="Learn again with validation's texts in the end.")] = None,
    solve: Annotated[bool | None, typer.Option(help="Solve the head before the layers learn.")] = None,
    gradual: Annotated[bool | None, typer.Option(help="Open one more layer with each epoch.")] = None,
    members: Annotated[int | None, typer.Option(help="Seeds whose mean teaches the model that is kept.")] = None,
    noise: Annotated[float | None, typer.Option(help="Generalised cross-entropy against wrong labels.")] = None,
    clean: Annotated[bool | None, typer.Option(help="Leave out texts whose labels look wrong.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Decoupled weight decay.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Dropout before the head.")] = None,
    contrast: Annotated[int | None, typer.Option(help="Steps that bring texts of one class together first.")] = None,
    marks: Annotated[str | None, typer.Option(help=f"File of marked titles that {TAGGER} learns from.")] = None,
) -> None:
    """Fine-tune everything that the data allows; says what was skipped and why.

    Each option is the setting of the same name in the section train, for this run.
    """
    asked = {
        "update": update,
        "remember": remember,
        "objective": objective,
        "epochs": epochs,
        "layers": layers,
        "adapter": adapter,
        "adversarial": adversarial,
        "average": average,
        "optimiser": optimiser,
        "schedule": schedule,
        "rate": rate,
        "layer_decay": layer_decay,
        "smoothing": smoothing,
        "r_drop": r_drop,
        "mixup": mixup,
        "augment": augment,
        "refit": refit,
        "solve": solve,
        "gradual": gradual,
        "members": members,
        "noise": noise,
        "clean": clean,
        "weight_decay": weight_decay,
        "dropout": dropout,
        "contrast": contrast,
        "marks": marks,
    }
    session: Session = context.obj
    settings = session.settings.override({f"train.{name}": value for name, value in asked.items() if value is not None})
    outcomes = _train(Session(settings, session.output), tuple(task or (*TASKS, *TEXTS)), minutes)
    session.output.result([_document(outcome) for outcome in outcomes])
    if strict and any(outcome.skipped for outcome in outcomes):
        raise typer.Exit(PARTLY)


@app.command()
def evaluate(context: typer.Context) -> None:
    """Before and after, with 95 % intervals, on the last tenth of the events, which no recipe has learnt from."""
    session: Session = context.obj
    registry = Registry(session.settings.bundles)
    live = [bundle for task in registry.tasks() if (bundle := registry.live(task))]
    if not live:
        raise NotFoundError("No model is live.", cure="Run: shopkeeper train")
    store = open_store(session.settings.store_url)
    try:
        with session.output.progress():
            found = compare(store, session.settings, registry)
    finally:
        store.close()
    session.output.table(
        "Held-out events",
        ["task", "system", "metric", "value [95 %]", "gain over the first [95 %]", "asked"],
        [
            (
                row.task,
                row.system,
                row.metric,
                f"{row.value:.4f} [{row.low:.4f}, {row.high:.4f}]",
                f"{row.gain:+.4f} [{row.gain_low:+.4f}, {row.gain_high:+.4f}]" if row.gain else "",
                row.count,
            )
            for row in found
        ],
    )
    if not found:
        session.output.say("Too few events to hold any out; the figures of each recipe's own validation follow.")
    anew = {row.task for row in found} | ({"relevance"} if found else set())
    cards = [bundle for bundle in live if bundle.card.task not in anew]
    _compare(session, [(b.card.task, b.card.version, b.card.before, b.card.after) for b in cards])
    session.output.result(
        {
            "held_out": [row.to_json() for row in found],
            "cards": [
                {"task": b.card.task, "version": b.name, "before": b.card.before, "after": b.card.after} for b in live
            ],
        }
    )


@app.command()
def models(
    context: typer.Context,
    promote: Annotated[str, typer.Option(help="TASK=VERSION to make live.")] = "",
    rollback: Annotated[str, typer.Option(help="TASK whose earlier version shall be live again.")] = "",
) -> None:
    """List trained models; promote one, or roll back."""
    session: Session = context.obj
    registry = Registry(session.settings.bundles)
    if promote:
        task, _, version = promote.partition("=")
        registry.promote(task, version)
    if rollback:
        registry.rollback(rollback)
    rows = [
        (
            task,
            version,
            "live" if version == registry.live_version(task) else "",
            registry.open(task, version).card.created,
        )
        for task in registry.tasks()
        for version in registry.versions(task)
    ]
    session.output.table("Models", ["task", "version", "", "created"], rows)
    session.output.result([{"task": t, "version": v, "live": bool(live), "created": at} for t, v, live, at in rows])


@app.command()
def demo(
    context: typer.Context,
    minutes: Annotated[float, typer.Option(help="Training budget of one recipe.", min=0.01)] = 1.0,
    serving: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the storefront at the end.")] = True,
) -> None:
    """Open the practice shop, train on it, compare before and after, and serve it."""
    session: Session = context.obj
    settings, output = session.settings, session.output
    settings.home.mkdir(parents=True, exist_ok=True)
    store = open_store(settings.store_url)
    try:
        if store.catalogue.count() == 0:
            output.say("Opening the practice shop ...")
            with output.progress():
                made = practice.build(settings.compute.seed)
                practice.write(made, store, settings.media)
            made.truth.save(settings.home / "truth")
    finally:
        store.close()
    registry = Registry(settings.bundles)
    missing = tuple(task for task in TASKS if registry.live_version(task) is None)
    if missing:
        _train(session, missing, minutes)
    evaluate(context)
    if serving:
        open_to_all = settings.serve.model_copy(update={"demo": True})  # visitors may step into any customer's shoes
        context.obj = Session(
            settings.model_copy(update={"serve": open_to_all, "name": "Practice shop 练习店铺"}), output
        )
        serve(context)


def _train(session: Session, tasks: tuple[str, ...], minutes: float | None) -> list[Outcome]:
    settings, output = session.settings, session.output
    store = open_store(settings.store_url)
    outcomes = []
    try:
        with output.progress():
            for outcome in train(store, settings, Registry(settings.bundles), tasks, minutes):
                state = f"skipped: {outcome.skipped}" if outcome.skipped else f"{outcome.version} is live"
                output.say(f"{outcome.task}: {state} ({outcome.seconds:.0f} s)")
                outcomes.append(outcome)
    finally:
        store.close()
    _compare(session, [(o.task, o.version, o.before, o.after) for o in outcomes if o.version])
    return outcomes


def _compare(session: Session, entries: list[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]) -> None:
    if not entries:
        return
    rows = []
    for task, version, before, after in entries:
        for when, tree in (("before", before), ("after", after)):
            rows += [(task, version, when, name, value) for name, value in _figures(tree)]
    session.output.table("Before and after", ["task", "version", "", "figure", "value [95 % interval]"], rows)


def _figures(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    if "value" in tree:
        interval = f" [{tree['low']:.4f}, {tree['high']:.4f}]" if tree.get("low") is not None else ""
        yield prefix, f"{tree['value']:.4f}{interval}"
        return
    for name, value in tree.items():
        label = f"{prefix} {name}".strip()
        if isinstance(value, Mapping):
            yield from _figures(value, label)
        elif isinstance(value, float | int):
            yield label, f"{value:.4f}"


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "task": outcome.task,
        "version": outcome.version,
        "skipped": outcome.skipped,
        "seconds": outcome.seconds,
        "before": outcome.before,
        "after": outcome.after,
        "notes": outcome.notes,
    }
