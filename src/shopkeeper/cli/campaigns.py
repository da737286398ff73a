"""Campaigns of advertisers: bring them in, list, pause, take away, and see how they did."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.evaluation.ad_report import AdReport, ad_report
from shopkeeper.records import now
from shopkeeper.serving.ad_schemas import CampaignsIn, report_document
from shopkeeper.serving.problems import fault_of
from shopkeeper.serving.schemas import aware
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.campaigns import campaign_document
from shopkeeper.store.database import SqlStore, open_store

campaigns = typer.Typer(no_args_is_help=True, help="What advertisers pay for: campaigns, their money and reports.")
app.add_typer(campaigns, name="campaigns")

By = Annotated[str, typer.Option(help="Who does it; kept in the audit log.")]
Named = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Id of a campaign.")]

_LISTS = ("items", "surfaces")
_WHEN_LISTS = ("exact", "contains", "categories", "languages")
_WHEN = (*_WHEN_LISTS, "start", "end")


@campaigns.command()
def put(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help='JSON: {"campaigns": [...]}, or CSV with a column for each field.')],
    by: By = "cli",
) -> None:
    """Add or replace the campaigns of a file by id, all or none."""
    wanted = _parsed(file)
    with _store(context) as store:
        changes = store.campaigns.put(wanted, by)
    session: Session = context.obj
    session.output.say(f"{changes.added} added, {changes.updated} changed, {changes.unchanged} as they were.")
    session.output.result({"added": changes.added, "updated": changes.updated, "unchanged": changes.unchanged})


@campaigns.command(name="list")
def list_(context: typer.Context) -> None:
    """All campaigns."""
    with _store(context) as store:
        found = list(store.campaigns.scan())
    session: Session = context.obj
    columns = ["campaign", "name", "advertiser", "items", "bid", "a day", "in all", "from", "until", ""]
    session.output.table(f"{len(found)} campaigns", columns, [_row(campaign) for campaign in found])
    session.output.result({"campaigns": [campaign_document(campaign) for campaign in found]})


@campaigns.command()
def show(context: typer.Context, campaign: Named) -> None:
    """One campaign with all its fields."""
    with _store(context) as store:
        document = campaign_document(_known(store, campaign))
    session: Session = context.obj
    session.output.table(campaign, ["field", "value"], list(document.items()))
    session.output.result(document)


@campaigns.command()
def pause(context: typer.Context, campaign: Named, by: By = "cli") -> None:
    """Show a campaign no more, until it is resumed."""
    _set_paused(context, campaign, by, paused=True)


@campaigns.command()
def resume(context: typer.Context, campaign: Named, by: By = "cli") -> None:
    """Show a paused campaign again."""
    _set_paused(context, campaign, by, paused=False)


@campaigns.command()
def remove(
    context: typer.Context,
    identifiers: Annotated[list[str], typer.Argument(metavar="CAMPAIGN...", help="Ids of campaigns.")],
    by: By = "cli",
) -> None:
    """Take campaigns away; what they spent stays in the log."""
    with _store(context) as store:
        changes = store.campaigns.remove(identifiers, by)
    session: Session = context.obj
    session.output.say(f"{changes.removed} removed, {changes.unchanged} were not there.")
    session.output.result({"removed": changes.removed, "unchanged": changes.unchanged})


@campaigns.command()
def report(
    context: typer.Context,
    campaign: Named,
    days: Annotated[int, typer.Option(help="How far back.", min=1)] = 30,
    until: Annotated[datetime | None, typer.Option(help="UTC; now when left out.")] = None,
) -> None:
    """How a campaign did, by day: showings, clicks, money, sales, and what was missed."""
    end = aware(until) or now()
    with _store(context) as store:
        found = ad_report(store.events, _known(store, campaign), end - timedelta(days=days), end)
    session: Session = context.obj
    session.output.table(f"{campaign}, {found.currency}", ["", "value"], _summary(found))
    rows = [
        (f"{day}", of.showings, of.clicks, of.spend, of.orders, of.sales, *(of.lost[how] for how in found.lost))
        for day, of in found.days.items()
    ]
    columns = ["day (UTC)", "showings", "clicks", "spend", "orders", "sales", *(f"lost to {how}" for how in found.lost)]
    session.output.table("By day", columns, rows)
    session.output.result(report_document(found))


@contextmanager
def _store(context: typer.Context) -> Iterator[SqlStore]:
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        yield store


def _set_paused(context: typer.Context, name: str, by: str, *, paused: bool) -> None:
    with _store(context) as store:
        changes = store.campaigns.put([replace(_known(store, name), paused=paused)], by)
    session: Session = context.obj
    state = "paused" if paused else "running"
    session.output.say(f"{name} is {state}." if changes.updated else f"{name} was {state} already.")
    session.output.result({"campaign": name, "paused": paused, "changed": bool(changes.updated)})


def _known(store: SqlStore, name: str) -> Campaign:
    found = store.campaigns.get([name]).get(name)
    if found is None:
        raise NotFoundError(f"There is no campaign {name!r}.", cure="See them all: shopkeeper campaigns list")
    return found


def _parsed(file: Path) -> list[Campaign]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The file cannot be read: {error}.", where=str(file), cure="Check name and encoding."
        ) from None
    if file.suffix.lower() == ".csv":
        document: Any = [_from_row(row) for row in csv.DictReader(text.splitlines())]
    else:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InputError(
                f"This is not JSON: {error}.", where=str(file), cure='Write {"campaigns": [...]}.'
            ) from None
    try:
        return CampaignsIn.model_validate({"campaigns": document} if isinstance(document, list) else document).records()
    except ValidationError as error:
        fault = fault_of(error.errors(include_url=False)[0])
        where = f"{file}, {fault['where']}" if fault["where"] else str(file)
        raise InputError(str(fault["what"]), where=where, cure=str(fault["cure"])) from None


def _from_row(row: dict[str | Any, str | Any]) -> dict[str, Any]:
    """A line of CSV: several values of a column stand with ``|`` between them, empty cells are left out."""
    document: dict[str, Any] = {}
    when: dict[str, Any] = {}
    for name, cell in row.items():
        if not isinstance(cell, str) or not cell.strip():
            continue
        listed = name in _LISTS or name in _WHEN_LISTS
        value: Any = [part.strip() for part in cell.split("|") if part.strip()] if listed else cell.strip()
        (when if name in _WHEN else document)[name] = value
    return document | ({"when": when} if when else {})


def _row(campaign: Campaign) -> tuple[object, ...]:
    money = [f"{amount:g} {campaign.currency}" if amount else "" for amount in _amounts(campaign)]
    times = [f"{time:%Y-%m-%d %H:%M}" if time else "" for time in (campaign.when.start, campaign.when.end)]
    state = "paused" if campaign.paused else "on"
    return campaign.id, campaign.name, campaign.advertiser, len(campaign.items), *money, *times, state


def _amounts(campaign: Campaign) -> tuple[float | None, ...]:
    return campaign.bid, campaign.daily_budget, campaign.total_budget


def _summary(found: AdReport) -> list[tuple[str, object]]:
    rate = ""
    if found.click_rate is not None and found.click_rate_interval is not None:
        low, high = found.click_rate_interval
        rate = f"{found.click_rate:.4f} ({low:.4f} to {high:.4f})"
    return [
        ("showings", found.showings),
        ("mean place", "" if found.place is None else found.place),
        ("clicks", found.clicks),
        ("clicks by showing", rate),
        ("predicted", "" if found.predicted is None else found.predicted),
        ("uncharged clicks", ", ".join(f"{count} {how}" for how, count in found.uncharged.items())),
        ("spend", found.spend),
        ("cost per click", "" if found.cost_per_click is None else found.cost_per_click),
        ("orders within 7 days", found.orders),
        ("sales", found.sales),
        ("cost per order", "" if found.cost_per_order is None else found.cost_per_order),
    ]
