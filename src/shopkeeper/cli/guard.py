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
from shopkeeper.evaluation.drift_watch import DriftAlarm, current
from shopkeeper.evaluation.drift_watch import watch as watch_drift
from shopkeeper.models.registry import Registry
from shopkeeper.ranking.payments.columns import FRAUD, GENUINE, TASK, payment_id
from shopkeeper.records import Event
from shopkeeper.serving.guard_schemas import alert_document, drift_document, verdict_document
from shopkeeper.serving.schemas import EventIn
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard.task import decide as decide_payment
from shopkeeper.tasks.shop import Shop, open_shop

guard = typer.Typer(no_args_is_help=True, help="Judge payments, and decide about those that are suspicious.")
app.add_typer(guard, name="guard")

_MOST = 1_000
"""Waiting payments that are counted."""


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
    with _shop(session) as shop:
        verdicts = [shop.guard.judge(lines) for lines in payments.values()]
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
    with _shop(session) as shop:
        found = drift_of(shop.guard, days)
    shown = [(c.name, f"{c.psi:.3f}", "moved" if c.moved else "", f"{c.before:.3g}", f"{c.after:.3g}") for c in found]
    session.output.table(f"Drift of the last {days:g} days", ["feature", "PSI", "", "in training", "now"], shown[:20])
    moved = [column.name for column in found if column.moved]
    session.output.say(
        f"{len(moved)} of {len(found)} moved." + (" Train again: shopkeeper train fraud" if moved else "")
    )
    session.output.result({"moved": moved, "psi": {column.name: column.psi for column in found}})


@guard.command()
def watch(
    context: typer.Context,
    days: Annotated[
        float, typer.Option(help="How far back, and how long a drift must be gone to be over.", min=0.01)
    ] = 7,
) -> None:
    """See whether payments have drifted from training, and tell it by the webhook and the e-mail of the settings; once a day.

    A drift is told when it begins and when it becomes graver, not each day. What could not be delivered is tried again by the
    shop that serves, by `alerts deliver` and by the next watch.
    """
    session: Session = context.obj
    with _shop(session) as shop:
        watch_drift(shop.store, shop.guard, shop.outbox.names, days)
        arrived = shop.outbox.deliver()
        alarm = current(shop.store)
    session.output.say(_told(alarm) if alarm else "No drift was noticed.")
    session.output.say(f"{arrived} messages delivered.")
    session.output.result({"drift": drift_document(alarm) if alarm else None, "delivered": arrived})


@guard.command()
def status(context: typer.Context) -> None:
    """What judges payments, how many wait for a human, and whether payments have drifted since training."""
    session: Session = context.obj
    version = Registry(session.settings.bundles).live_version(TASK)
    with open_store(session.settings.store_url) as store:
        waiting = len(store.labels.pending(TASK, _MOST))
        alarm = current(store)
    session.output.say(
        f"{TASK}-{version} judges." if version else "Nothing was learnt of payments: shopkeeper train fraud"
    )
    session.output.say(f"{waiting}{'+' if waiting == _MOST else ''} payments wait for a human.")
    session.output.say(_told(alarm) if alarm else "No drift was noticed; shopkeeper guard watch looks.")
    session.output.result({"model": version, "waiting": waiting, "drift": drift_document(alarm) if alarm else None})


def _told(alarm: DriftAlarm) -> str:
    """A drift in both languages, since when it lasts, and whom it reached."""
    reached = {f"{name} {state['state']}" for step in alarm.steps for name, state in step.delivered.items()}
    return "\n".join([
        alarm.headline["en"],
        alarm.headline["zh"],
        f"Since {alarm.raised:%Y-%m-%d %H:%M}, seen last {alarm.seen:%Y-%m-%d %H:%M}; "
        f"told by: {', '.join(sorted(reached)) or 'nobody, set listen.webhook or listen.email'}. "
        "Train again: shopkeeper train fraud",
    ])  # fmt: skip


@contextmanager
def _shop(session: Session) -> Iterator[Shop]:
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            yield shop
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
