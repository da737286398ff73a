"""The review queue: what humans are asked, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from shopkeeper.cli.labelling import labelled
from shopkeeper.cli.main import Session, app
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Encoder
from shopkeeper.recipes.texts.questions import ask_about
from shopkeeper.records import PassageKind
from shopkeeper.retrieval.understanding.synonym_mining import propose
from shopkeeper.retrieval.understanding.synonyms import TASK as SYNONYM
from shopkeeper.store.database import open_store
from shopkeeper.store.protocols import Store
from shopkeeper.training.acquisition import (
    Strategy,
    badge,
    cluster_margin,
    core_set,
    entropy,
    least_confidence,
    margin,
    random,
    typical,
)

review = typer.Typer(no_args_is_help=True, help="Ask humans about texts, see what waits, and note what they decide.")
app.add_typer(review, name="review")

_STRATEGIES: Mapping[str, Strategy] = {
    "badge": badge,
    "cluster-margin": cluster_margin,
    "core-set": core_set,
    "entropy": entropy,
    "least-confidence": least_confidence,
    "margin": margin,
    "random": random,
    "typical": typical,
}
Task = Annotated[str, typer.Argument(help="Which question is asked, e.g. sentiment, topic, intent.")]


@review.command()
def ask(
    context: typer.Context,
    task: Task,
    count: Annotated[int, typer.Option(help="How many questions.", min=1)] = 20,
    strategy: Annotated[str, typer.Option(help=f"What is worth asking: {', '.join(_STRATEGIES)}.")] = "cluster-margin",
    kind: Annotated[list[PassageKind] | None, typer.Option(help="Only texts of this kind (repeatable).")] = None,
) -> None:
    """Choose the texts whose labels would teach most, in place of those that waited.

    For the task synonym: pairs of phrases that lead to the same items or mean nearly the same; answer yes or no.
    """
    if strategy not in _STRATEGIES:
        raise typer.BadParameter(f"{strategy!r} is none of {', '.join(_STRATEGIES)}", param_hint="--strategy")
    session: Session = context.obj
    settings = session.settings
    store = open_store(settings.store_url)
    try:
        if task == SYNONYM:
            with session.output.progress():
                propose(store, _encoder(session, store), count)
            show(context, task, count)
            return
        with session.output.progress():
            ask_about(
                store,
                settings,
                Registry(settings.bundles),
                task,
                strategy=_STRATEGIES[strategy],
                count=count,
                kinds=kind or (),
            )
    finally:
        store.close()
    show(context, task, count)


def _encoder(session: Session, store: Store) -> Encoder:
    """The encoder that serves queries now."""
    settings = session.settings
    live = Registry(settings.bundles).live("relevance")
    base = encoder_name(settings.models, (item.language for item in store.catalogue.scan()))
    return encoders(settings, live, base).query


@review.command()
def show(
    context: typer.Context, task: Task, limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20
) -> None:
    """What waits for a decision, the most valuable first."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        waiting = store.labels.pending(task, limit)
    finally:
        store.close()
    rows = [(decision.subject, decision.proposal, decision.text) for decision in waiting]
    session.output.table(f"Questions of {task}", ["subject", "a model says", "text"], rows)
    session.output.say(f"Answer with: shopkeeper review decide {task} SUBJECT=LABEL ...")
    session.output.result([{"subject": subject, "proposal": said, "text": text} for subject, said, text in rows])


@review.command()
def decide(
    context: typer.Context,
    task: Task,
    answers: Annotated[list[str], typer.Argument(help="SUBJECT=LABEL, one or many.")],
    rater: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Note what a human decided; it is never overwritten by a model, and `train TASK` learns from it."""
    pairs = labelled(answers)
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        decided = [store.labels.decide(task, subject, label, rater) for subject, label in pairs]
        left = len(store.labels.pending(task, 1_000))
    finally:
        store.close()
    session.output.say(f"{len(decided)} decided, {left}{'+' if left == 1_000 else ''} waiting.")
    session.output.result({"decided": {d.subject: d.label for d in decided}, "waiting": left})
