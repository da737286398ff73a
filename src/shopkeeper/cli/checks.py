"""Checks of the whole shop: items, visitors and reviewers that somebody should look at."""

from __future__ import annotations

from typing import Annotated

import typer

from shopkeeper.cli.guard import guard
from shopkeeper.cli.main import Session
from shopkeeper.models.registry import Registry
from shopkeeper.serving.check_schemas import doubts_document, reviews_document, visitors_document
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard import review_check, visitor_check
from shopkeeper.tasks.guard.catalogue_check import KINDS, of_each_kind, propose
from shopkeeper.tasks.shop import open_shop

Lines = Annotated[int, typer.Option(help="Lines of each kind at most.", min=1)]


@guard.command()
def catalogue(context: typer.Context, limit: Lines = 20) -> None:
    """Find wrong categories, stuffed titles, slipped prices and doubled listings, and ask about them in the review queue."""
    session: Session = context.obj
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            doubts = shop.doubtful_items()
            propose(shop.store.labels, list(shop.store.catalogue.scan()), doubts)
        finally:
            shop.close()
    shown = of_each_kind(doubts, limit)
    session.output.table(
        "Items to look at",
        ["item", "what", "why", "better", "sure"],
        [(one.item, KINDS[one.kind][0], one.text["en"], one.proposal, f"{one.score:.2f}") for one in shown],
    )
    session.output.say("Answer with: shopkeeper review decide catalogue ITEM=fine ...")
    session.output.result(doubts_document(shown))


@guard.command()
def visitors(
    context: typer.Context,
    days: Annotated[float, typer.Option(help="How far back.", min=0.01)] = 30,
    limit: Annotated[int, typer.Option(help="Lines at most.", min=1)] = 20,
) -> None:
    """Find bots, scrapers and click fraud, ask about them in the review queue, and list the ad clicks to refund."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        with session.output.progress():
            found = visitor_check.check_visitors(store, days, session.settings.compute.seed)
            visitor_check.propose(store.labels, found.findings)
    finally:
        store.close()
    session.output.table(
        "Visitors to look at",
        ["visitor", "score", "plain", "why"],
        [
            (one.visitor, f"{one.score:.2f}", ", ".join(one.rules), one.text["en"])
            for one in found.findings.suspects[:limit]
        ],
    )
    session.output.table(
        "Ad clicks to refund",
        ["campaign", "click", "amount", "time"],
        [(one.campaign, one.click, f"{one.amount:.2f}", f"{one.time:%Y-%m-%d %H:%M}") for one in found.refunds[:limit]],
    )
    session.output.result({**visitors_document(found, limit), "flagged": sorted(found.flagged)})


@guard.command()
def reviews(
    context: typer.Context,
    limit: Lines = 20,
    ask: Annotated[bool, typer.Option("--ask", help="Put what is found into the review queue.")] = False,
) -> None:
    """Find customers who seem to rate dishonestly, and products whose stars they moved."""
    session: Session = context.obj
    settings = session.settings
    bundle = review_check.live_raters(Registry(settings.bundles))
    store = open_store(settings.store_url)
    try:
        with session.output.progress():
            found = review_check.check_reviews(store, bundle, settings.compute.seed)
            asked = review_check.ask(store, found) if ask else 0
    finally:
        store.close()
    session.output.table(
        "Customers whose ratings to look at",
        ["customer", "suspicion", "ratings", "why"],
        [
            (one.customer, f"{one.suspicion:.2f}", str(one.ratings), "; ".join(r.text["en"] for r in one.reasons))
            for one in found.suspects[:limit]
        ],
    )
    session.output.table(
        "Products under attack",
        ["item", "stars", "honest", "why"],
        [(one.item, f"{one.stars:.2f}", f"{one.honest:.2f}", one.reason.text["en"]) for one in found.attacks[:limit]],
    )
    if asked:
        session.output.say(f"{asked} questions wait: shopkeeper review show {review_check.TASK}")
    session.output.result({**reviews_document(found, limit), "asked": asked})
