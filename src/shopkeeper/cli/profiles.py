"""What the shop thinks of its customers and keeps about them: profiles, groups, all data of one, and erasing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.serving.profile_schemas import profile_document, segment_document
from shopkeeper.store.database import open_store
from shopkeeper.tasks.profile.task import Profile
from shopkeeper.tasks.shop import open_shop

customer_app = typer.Typer(no_args_is_help=True, help="All that is kept about one customer: export it, erase it.")
app.add_typer(customer_app, name="customer")


@app.command()
def profile(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    language: Annotated[str, typer.Option(help="Of tags and names: en or zh.")] = "en",
) -> None:
    """Say what the shop thinks of a customer, and on what evidence."""
    session: Session = context.obj
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            found = shop.profile(customer)
        finally:
            shop.close()
    _show(session, found, language)
    session.output.result(profile_document(found))


@app.command()
def segments(
    context: typer.Context, language: Annotated[str, typer.Option(help="Of the names: en or zh.")] = "en"
) -> None:
    """List the groups of customers who are alike, as training found them."""
    session: Session = context.obj
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            found = shop.segments
        finally:
            shop.close()
    if not found:
        session.output.say("No segments were learnt yet: shopkeeper train profile")
    rows = [(one.id, one.name.get(language, ""), f"{one.share:.0%}") for one in found]
    session.output.table("Segments", ("id", "name", "share"), rows)
    session.output.result([segment_document(one) for one in found])


@customer_app.command()
def export(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    file: Annotated[Path, typer.Argument(help="JSON file to write; it must not exist yet.")],
) -> None:
    """Write everything kept about a customer to a file: record, events, texts, decisions, orders, waits."""
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        kept = store.export_customer(customer)
    try:
        with file.open("xb") as written:
            written.write(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise InputError(
            f"The file cannot be written: {error.strerror}.", where=str(file), cure="Name a new file."
        ) from error
    counts = {name: len(rows) for name, rows in kept.items() if isinstance(rows, list)}
    session.output.say(f"Wrote {file}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}.")
    session.output.result({"customer": customer, "file": str(file), **counts})


@customer_app.command()
def erase(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; it cannot be taken back.")] = False,
) -> None:
    """Delete everything kept about a customer. A server that runs forgets at once over DELETE /v1/customers/ID instead."""
    session: Session = context.obj
    if not yes:
        typer.confirm(f"Erase everything about {customer}? It cannot be taken back.", abort=True, err=True)
    with open_store(session.settings.store_url) as store:
        count = store.erase(customer, actor="cli")
    session.output.say(
        f"Erased {count:,} rows of {customer}. A running server still has them in memory: start it anew."
    )
    session.output.result({"customer": customer, "erased": count})


def _show(session: Session, found: Profile, language: str) -> None:
    say = session.output.say
    if not found.deeds:
        say(f"Nothing is known of {found.customer}; what follows holds for all customers.")
    if found.tags:
        say(", ".join(tag.text.get(language, tag.text["en"]) for tag in found.tags))
    interests = [
        (one.kind, one.name, f"{one.recent:.0%}", f"{one.lasting:.0%}", len(one.evidence)) for one in found.interests
    ]
    session.output.table("Interests", ("kind", "name", "recent", "lasting", "events"), interests)
    if found.opinions:
        opinions = [(one.text.get(language, one.aspect), one.positive, one.negative) for one in found.opinions]
        session.output.table("Opinions", ("aspect", "praise", "complaint"), opinions)
    chances = [(name.replace("_", " "), f"{chance:.0%}") for name, chance in found.chances.items()]
    chances += [(f"buys next from {category}", f"{chance:.0%}") for category, chance in found.next]
    if chances:
        session.output.table("Expected", ("what", "chance"), chances)
    if found.value is not None:
        say(f"{found.value.amount:,.2f} {found.value.currency} within {found.value.days} days.")
    if found.segment is not None:
        say(f"Segment {found.segment.id}: {found.segment.name.get(language, '')}")
    if found.muted:
        say(f"Not interested in: {', '.join(found.muted)}")
