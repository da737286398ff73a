"""Alerts about what people write: list them, read their posts, say what they were worth, deliver what waits."""

from __future__ import annotations

from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.serving.alerting import alert_with_posts, alerts_of
from shopkeeper.store.database import open_store
from shopkeeper.tasks.listen.alerts import answer
from shopkeeper.tasks.listen.notice import channels_of
from shopkeeper.tasks.listen.outbox import Outbox, retry

alerts = typer.Typer(no_args_is_help=True, help="Alerts about what people write, and what they were worth.")
app.add_typer(alerts, name="alerts")

Name = Annotated[str, typer.Argument(help="Id of the alert.")]


@alerts.command("list")
def list_(
    context: typer.Context,
    days: Annotated[float, typer.Option(help="How far back.", min=0.01)] = 30,
    lasting: Annotated[bool, typer.Option("--lasting", help="Only what still rises.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
) -> None:
    """Alerts of the last days, the latest first."""
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        found = alerts_of(store, days=days, lasting=lasting, limit=limit)
    rows = [
        (
            alert["id"],
            alert["raised"][:16],
            alert["level"],
            alert["headline"]["en"],
            "" if alert["ended"] else "lasts",
            alert["label"],
        )
        for alert in found
    ]
    session.output.table("Alerts", ["alert", "raised", "level", "what", "", "said"], rows)
    session.output.result(found)


@alerts.command()
def show(context: typer.Context, alert: Name) -> None:
    """One alert with the posts that caused it."""
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        document, passages = alert_with_posts(store, alert)
    output = session.output
    for language, line in document["headline"].items():
        output.say(line)
        output.say(document["summary"].get(language, ""))
    output.say(
        f"{document['posts']} posts, {document['weighed']:g} without copies, {document['expected']:g} expected; "
        f"chance {document['chance']}; {document['authors']} authors; severity {document['severity']:g}"
    )
    told = [
        (
            step["time"][:16],
            step["level"],
            ", ".join(f"{name} {state['state']}" for name, state in step["delivered"].items()),
        )
        for step in document["steps"]
    ]
    output.table("Told", ["time", "level", "by"], told)
    output.table("Posts", ["post", "source", "text"], [(one.id, one.source, one.text[:200]) for one in passages])
    output.result({**document, "posts_shown": [{"id": one.id, "text": one.text} for one in passages]})


@alerts.command()
def say(
    context: typer.Context,
    alert: Name,
    label: Annotated[str, typer.Argument(help="right, false or mute.")],
    series: Annotated[str, typer.Option(help="For mute: one series, such as topic:delivery.")] = "",
    days: Annotated[float, typer.Option(help="For mute: for how long.")] = 7,
    rater: Annotated[str, typer.Option(help="Who says so.")] = "",
) -> None:
    """Say what an alert was worth: it moves the thresholds of its series, or silences them."""
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        decision = answer(store, alert, label, series=series, days=days, rater=rater)
    session.output.say(f"Noted: {decision.label}.")
    session.output.result({"alert": alert, "label": decision.label})


@alerts.command()
def deliver(
    context: typer.Context,
    again: Annotated[str, typer.Option("--retry", help="An alert whose deliveries were given up.")] = "",
) -> None:
    """Send what waits by the webhook and the e-mail of the settings."""
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        if again:
            retry(store, again)
        arrived = Outbox(store, channels_of(session.settings.listen)).deliver()
        waiting = sum(1 for _ in store.alerts.open())
    session.output.say(f"{arrived} delivered, {waiting} alerts still wait for somebody to be told.")
    session.output.result({"delivered": arrived, "waiting": waiting})
