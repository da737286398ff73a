"""Copy: write it, decide about it, and see which variant does better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from typer.core import TyperGroup

from shopkeeper.cli.main import Session, app
from shopkeeper.evaluation.copy_report import copy_reports
from shopkeeper.models.registry import Registry
from shopkeeper.records import Decision, now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.serving.writing_schemas import decision_document, report_document, written_document
from shopkeeper.store.database import open_store
from shopkeeper.tasks.write.briefs import KINDS, TONES, Brief
from shopkeeper.tasks.write.desk import CopyDesk
from shopkeeper.tasks.write.shop import open_writing
from shopkeeper.tasks.write.task import WriteTask


class _Kinds(TyperGroup):
    """`write KIND ITEM...` is `write copy KIND ITEM...`."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[str | None, object, list[str]]:  # type: ignore[override]
        """A kind of copy in the place of a command is its first argument."""
        return super().resolve_command(ctx, ["copy", *args] if args and args[0] in KINDS else args)


write = typer.Typer(
    no_args_is_help=True,
    cls=_Kinds,
    help=f"Write copy: shopkeeper write KIND ITEM... with KIND one of {', '.join(KINDS)}.",
)
app.add_typer(write, name="write")


@write.command("copy")
def write_copy(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    items: Annotated[list[str], typer.Argument(help="Ids of items.")],
    language: Annotated[str, typer.Option(help="en or zh; the item's own when left out.")] = "",
    tone: Annotated[str, typer.Option(help=f"One of {', '.join(TONES)}.")] = "plain",
    limit: Annotated[int, typer.Option(help="Most characters; 0 for what is usual.")] = 0,
    candidates: Annotated[int, typer.Option(help="How many at most.")] = 4,
    segment: Annotated[str, typer.Option(help="Customer segment of a push message.")] = "",
    propose: Annotated[bool, typer.Option(help="Put what may be published into the queue.")] = True,
) -> None:
    """Candidates for items, checked and ranked; those that may be published go into the queue."""
    session: Session = context.obj
    brief = Brief(kind=kind, language=language, tone=tone, limit=limit, candidates=candidates, segment=segment)  # type: ignore[arg-type]
    with _task(session) as task:
        written = task.write(brief, items)
        new = task.desk.propose(copy for one in written for copy in one.copies) if propose else 0
    for one in written:
        rows = [(copy.text, copy.lead, copy.score, copy.variant) for copy in one.copies]
        session.output.table(f"{one.item}, {one.language}", ["text", "leads with", "score", "variant"], rows)
        for copy in one.refused:
            session.output.say(f"refused: {copy.text!r}: {' '.join(why.why['en'] for why in copy.objections)}")
        if one.note:
            session.output.say(one.note["en"])
    session.output.say(f"{new} new in the queue. Decide with: shopkeeper write approve SUBJECT")
    session.output.result({"written": [written_document(one) for one in written], "proposed": new})


@write.command()
def queue(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Published copies that no longer hold.")] = False,
) -> None:
    """Copies that wait for a human, the best first."""
    session: Session = context.obj
    with _task(session) as task:
        found = task.desk.withdrawn()[:limit] if withdrawn else task.desk.queue(limit)
    rows = [(one.subject, one.text, one.rater if withdrawn else f"{one.score:.2f}") for one in found]
    session.output.table("Copy", ["subject", "text", "because" if withdrawn else "score"], rows)
    session.output.result([decision_document(one) for one in found])


@write.command()
def approve(
    context: typer.Context,
    subjects: Annotated[list[str], typer.Argument(help="Subjects, as the queue names them.")],
    text: Annotated[str | None, typer.Option(help="Other words to publish in place of the one copy.")] = None,
    rater: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Publish copies; with --text, other words."""
    if text is not None and len(subjects) > 1:
        raise typer.BadParameter("--text is for one subject")

    def decide(desk: CopyDesk, one: str) -> Decision:
        return desk.approve(one, rater) if text is None else desk.edit(one, text, rater)

    _decide(context.obj, subjects, decide)


@write.command()
def refuse(
    context: typer.Context,
    subjects: Annotated[list[str], typer.Argument(help="Subjects, as the queue names them.")],
    rater: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Do not publish copies."""
    _decide(context.obj, subjects, lambda desk, one: desk.refuse(one, rater))


@write.command()
def unapprove(
    context: typer.Context,
    subjects: Annotated[list[str], typer.Argument(help="Subjects of published copies.")],
    rater: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Take published copies back."""
    _decide(context.obj, subjects, lambda desk, one: desk.unapprove(one, rater))


@write.command()
def report(context: typer.Context, days: Annotated[float, typer.Option(help="How far back.", min=0.01)] = 30) -> None:
    """How the variants of each text did: visitors, clicks and orders, with 95 % intervals."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        found = copy_reports(store.events, now() - timedelta(days=days))
    finally:
        store.close()
    rows = [
        (
            f"{one.item}/{one.kind}/{one.language}/{each.variant}",
            each.visitors,
            f"{each.click_rate[0]:.3f} [{each.click_rate[1][0]:.3f}, {each.click_rate[1][1]:.3f}]",
            f"{each.order_rate[0]:.3f} [{each.order_rate[1][0]:.3f}, {each.order_rate[1][1]:.3f}]",
        )
        for one in found
        for each in one.variants
    ]
    session.output.table(f"Copy of the last {days:g} days", ["subject", "visitors", "click rate", "order rate"], rows)
    session.output.result([report_document(one) for one in found])


def _decide(session: Session, subjects: list[str], how: Callable[[CopyDesk, str], Decision]) -> None:
    with _task(session) as task:
        decided = [how(task.desk, subject) for subject in subjects]
    session.output.say(f"{len(decided)} decided.")
    session.output.result([decision_document(one) for one in decided])


@contextmanager
def _task(session: Session) -> Iterator[WriteTask]:
    settings = session.settings
    store = open_store(settings.store_url)
    try:
        with session.output.progress():
            yield open_writing(settings, store, Registry(settings.bundles), Shelf(store.catalogue.scan()))
    finally:
        store.close()
