"""Payments: judge them, work off the alerts, and see whether the world has moved since training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError

from shopkeeper.cli.labelling import labelled
from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.evaluation.drift import drift as drift_of
from shopkeeper.ranking.payments.columns import FRAUD, GENUINE, TASK, payment_id
from shopkeeper.records import Event
from shopkeeper.serving.guard_schemas import alert_document, verdict_document
from shopkeeper.serving.schemas import EventIn
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard.task import GuardTask
from shopkeeper.tasks.guard.task import decide as decide_payment
from shopkeeper.tasks.shop import open_shop

guard = typer.Typer(no_args_is_help=True, help="Judge payments, and decide about those that are suspicious.")
app.add_typer(guard, name="guard")


@guard.command()
def judge(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Purchase events, one JSON object a line.", exists=True, dir_okay=False)],
) -> None:
    """Allow, review or refuse payments, and say why. Nothing is written to the log; alerts go to the review queue."""
    session: Session = context.obj
    payments: dict[str, list[Event]] = {}
    for event in _events(file):
        payments.setdefault(payment_id(event), []).append(event)
    with _task(session) as task:
        verdicts = [task.judge(lines) for lines in payments.values()]
    rows = [
        (
            verdict.payment,
            verdict.action.value,
            f"{verdict.score:.3f}",
            "; ".join(r.text["en"] for r in verdict.reasons),
        )
        for verdict in verdicts
    ]
    session.output.table("Payments", ["payment", "do", "score", "because"], rows)
    session.output.result([verdict_document(verdict) for verdict in verdicts])


@guard.command()
def alerts(context: typer.Context, limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20) -> None:
    """Payments that wait for a human, those that may cost most first."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        waiting = store.labels.pending(TASK, limit)
    finally:
        store.close()
    session.output.table("Alerts", ["payment", "what"], [(alert.subject, alert.text) for alert in waiting])
    session.output.say(f"Answer with: shopkeeper guard decide PAYMENT={FRAUD} or PAYMENT={GENUINE}")
    session.output.result([alert_document(alert) for alert in waiting])


@guard.command()
def decide(
    context: typer.Context,
    answers: Annotated[list[str], typer.Argument(help=f"PAYMENT={FRAUD} or PAYMENT={GENUINE}, one or many.")],
    rater: Annotated[str, typer.Option(help="Who decides.")] = "",
) -> None:
    """Note what became known of payments, alerts and chargebacks alike; `train fraud` learns from it."""
    pairs = labelled(answers, "PAYMENT")
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        decided = [decide_payment(store, payment, label, rater) for payment, label in pairs]
    finally:
        store.close()
    session.output.say(f"{len(decided)} decided.")
    session.output.result([alert_document(decision) for decision in decided])


@guard.command()
def drift(context: typer.Context, days: Annotated[float, typer.Option(help="How far back.", min=0.01)] = 7) -> None:
    """How far features and score of the last days' payments have moved from those of training."""
    session: Session = context.obj
    with _task(session) as task:
        found = drift_of(task, days)
    shown = [(c.name, f"{c.psi:.3f}", "moved" if c.moved else "", f"{c.before:.3g}", f"{c.after:.3g}") for c in found]
    session.output.table(f"Drift of the last {days:g} days", ["feature", "PSI", "", "in training", "now"], shown[:20])
    moved = [column.name for column in found if column.moved]
    session.output.say(
        f"{len(moved)} of {len(found)} moved." + (" Train again: shopkeeper train fraud" if moved else "")
    )
    session.output.result({"moved": moved, "psi": {column.name: column.psi for column in found}})


@contextmanager
def _task(session: Session) -> Iterator[GuardTask]:
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            yield shop.guard
        finally:
            shop.close()


def _events(file: Path) -> Iterator[Event]:
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                yield EventIn.model_validate(orjson.loads(line)).record()
            except (ValidationError, orjson.JSONDecodeError) as error:
                raise InputError(
                    f"This is no event: {str(error).splitlines()[0]}.",
                    where=f"{file.name}, line {number}",
                    cure="Write one purchase event a line, as POST /v1/events takes it.",
                ) from error
