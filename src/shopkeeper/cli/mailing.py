"""What goes out by e-mail: recommendations for all customers, and who is told that an item is back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.waiting import DAYS, Wait
from shopkeeper.tasks.recommend.mail_files import NOTICE, format_of, must_be_new, settle, write_rows
from shopkeeper.tasks.recommend.mailing import Mailing, compose
from shopkeeper.tasks.shop import open_shop

mail = typer.Typer(no_args_is_help=True, help="What goes out by e-mail; whatever sends it reads JSONL, CSV or Parquet.")
app.add_typer(mail, name="mail")


@mail.command()
def recommendations(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write: .jsonl, .csv or .parquet.")],
    items: Annotated[int, typer.Option(help="Recommendations a customer.", min=1, max=100)] = 8,
    where: Annotated[
        list[str] | None, typer.Option(help="Only customers with ATTRIBUTE=VALUE (repeatable; values of one are or).")
    ] = None,
    consent: Annotated[str, typer.Option(help="Only customers whose attribute of this name says yes.")] = "",
    limit: Annotated[int, typer.Option(help="Most customers; 0 for all.", min=0)] = 0,
    explain: Annotated[bool, typer.Option(help="Say why each item is there.")] = True,
    resume: Annotated[bool, typer.Option(help="Go on where a run was cut.")] = False,
) -> None:
    """Recommend to all customers. A run that was cut goes on with --resume; nobody is left out or written to twice."""
    session: Session = context.obj
    format_of(file)
    mailing = Mailing(
        items=items,
        where=_segments(where or ()),
        consent=consent,
        limit=limit,
        explain=explain,
        impressions=session.settings.serve.log_impressions,
    )
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            posted = compose(shop.store, shop.recommend_all, shop.record, mailing, file, resume=resume)
        finally:
            shop.close()
    session.output.say(f"{posted.customers:,} customers in {posted.path} ({posted.resumed:,} from the run before).")
    if posted.silent:
        session.output.say(f"For {posted.silent:,} there was nothing to recommend.")
    counts = {"customers": posted.customers, "resumed": posted.resumed, "silent": posted.silent}
    session.output.result({"file": str(posted.path), **counts})


@mail.command()
def wait(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="Customer id.")],
    item: Annotated[str, typer.Argument(help="Id of an item that is sold out.")],
    days: Annotated[float, typer.Option(help="For how long.")] = DAYS,
) -> None:
    """Let a customer wait for an item that is sold out."""
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        made = store.waiting.wait(customer, item, days=days)
    session.output.say(f"{customer} waits for {item} until {made.expires:%Y-%m-%d}.")
    session.output.result({"customer": customer, "item": item, "expires": made.expires.isoformat()})


@mail.command(name="back-in-stock")
def back_in_stock(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write: .jsonl, .csv or .parquet.")],
    batch: Annotated[str, typer.Option(help="Write an earlier batch once more, by its name.")] = "",
) -> None:
    """List who is to be told that an item is back, everybody once. A run that was cut is finished by the next one."""
    session: Session = context.obj
    format_of(file)
    note = file.with_name(f"{file.name}.batch")
    if note.exists():
        batch = note.read_text(encoding="utf-8")
    else:
        must_be_new(file)
        batch = batch or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = note.with_name(f"{note.name}.part")
        aside.write_text(batch, encoding="utf-8")
        settle(aside, note)  # before anybody is taken into the batch
    with open_store(session.settings.store_url) as store:
        due = store.waiting.due(batch)
        write_rows(_notices(store, due), NOTICE, file)
    note.unlink()
    session.output.say(f"{len(due):,} to be told, in {file} (batch {batch}).")
    session.output.result({"file": str(file), "batch": batch, "customers": len(due)})


def _notices(store: SqlStore, due: list[Wait]) -> list[dict[str, object]]:
    items = store.catalogue.get([wait.item for wait in due])
    people = store.customers.get([wait.customer for wait in due])
    return [
        {
            "customer": wait.customer,
            "language": people[wait.customer].language if wait.customer in people else "",
            "item": wait.item,
            **{name: getattr(items.get(wait.item), name, None) for name in ("title", "price", "currency", "link")},
            "since": wait.since.isoformat(),
            "batch": wait.batch,
        }
        for wait in due
    ]


def _segments(pairs: list[str] | tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--where takes ATTRIBUTE=VALUE, not {pair!r}.", cure="For example: --where tier=gold")
        found[name] = (*found.get(name, ()), value)
    return found
