"""Commands that run the shop: search, suggest, recommend, similar, tag, index, serve, keys, doctor."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from shopkeeper.cli.doctor import examine
from shopkeeper.cli.main import Session, app
from shopkeeper.compute.cores import threads
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.registry import Registry
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.records import Answer, Filters, Request
from shopkeeper.serving.auth import Keys, Scope
from shopkeeper.serving.search_replies import search_document
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.tasks.shop import Shop, open_shop

Limit = Annotated[int, typer.Option(help="How many hits.", min=1, max=200)]
Explain = Annotated[bool, typer.Option(help="Say why each item is there.")]


@app.command()
def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What the customer types.")] = "",
    image: Annotated[Path | None, typer.Option(help="A picture: find what looks like it.")] = None,
    limit: Limit = 10,
    customer: Annotated[str, typer.Option(help="Customer id.")] = "",
    brand: Annotated[list[str] | None, typer.Option(help="Only these brands (repeatable).")] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Only these category paths, e.g. 'Garden > Tools'.")
    ] = None,
    price_min: Annotated[float | None, typer.Option(help="Lowest price.")] = None,
    price_max: Annotated[float | None, typer.Option(help="Highest price.")] = None,
    sort: Annotated[str, typer.Option(help="relevance, price_asc, price_desc, newest, popular, rating")] = "relevance",
    ignore: Annotated[
        list[str] | None, typer.Option(help="Do not read this out of the query: the key of a chip (repeatable).")
    ] = None,
    explain: Explain = False,
) -> None:
    """Search the shop, and say how the query was read."""
    if not query and image is None:
        raise typer.BadParameter("give words, or a picture with --image", param_hint="query")
    filters = Filters(
        brands=tuple(brand or ()),
        categories=tuple(tuple(part.strip() for part in path.split(">")) for path in category or ()),
        price_min=price_min,
        price_max=price_max,
    )
    request = Request(
        query=query,
        limit=limit,
        customer=customer,
        filters=filters,
        sort=sort,
        ignore=tuple(ignore or ()),
        explain=explain,
        surface="cli",
    )
    if image is None:
        _answer(context.obj, f"Search: {query}", lambda shop: shop.search(request))
        return
    try:
        picture = image.read_bytes()
    except OSError as error:
        raise InputError(
            f"The picture cannot be read: {error.strerror}.", where=str(image), cure="Check the path."
        ) from error
    title = f"Search: {image.name} {query}".strip()
    _answer(context.obj, title, lambda shop: shop.search(replace(request, looks=shop.look(picture))))


@app.command()
def suggest(
    context: typer.Context,
    typed: Annotated[str, typer.Argument(help="What was typed so far.")],
    customer: Annotated[str, typer.Option(help="Customer id; their own queries come first.")] = "",
    limit: Annotated[int, typer.Option(help="Lines of each kind.", min=1, max=50)] = 5,
) -> None:
    """Autocomplete: queries, products, categories and brands that somebody who types may be on the way to."""
    session: Session = context.obj
    with session.output.progress():
        shop = open_shop(session.settings)
    try:
        found = shop.suggest(typed, customer=customer, most=limit)
    finally:
        shop.close()
    kinds = {"query": found.queries, "product": found.products, "category": found.categories, "brand": found.brands}
    rows = [(kind, line.text, line.item) for kind, lines in kinds.items() for line in lines]
    session.output.table(f"On the way to: {typed}", ["kind", "text", "item"], rows)
    session.output.result([{"kind": kind, "text": text, "item": item} for kind, text, item in rows])


@app.command()
def recommend(
    context: typer.Context,
    customer: Annotated[str, typer.Option(help="Customer id; empty for somebody unknown.")] = "",
    item: Annotated[list[str] | None, typer.Option(help="Items in focus, such as the basket (repeatable).")] = None,
    limit: Limit = 10,
    explain: Explain = False,
) -> None:
    """Recommend to a customer, or to somebody who looks at some items."""
    request = Request(customer=customer, items=tuple(item or ()), limit=limit, explain=explain, surface="cli")
    _answer(context.obj, f"For {customer or 'somebody unknown'}", lambda shop: shop.recommend(request))


@app.command()
def similar(
    context: typer.Context,
    item: Annotated[str, typer.Argument(help="Item id.")],
    limit: Limit = 10,
    explain: Explain = False,
) -> None:
    """Items like this one."""
    request = Request(items=(item,), limit=limit, explain=explain, surface="cli")
    _answer(context.obj, f"Like {item}", lambda shop: shop.similar(request))


@app.command()
def tag(
    context: typer.Context,
    title: Annotated[list[str], typer.Argument(help="A title, or several.")],
) -> None:
    """Find the mentions in titles: brands, products, whatever the marked titles have taught."""
    session: Session = context.obj
    bundle = Registry(session.settings.bundles).live("tagger")
    if bundle is None:
        raise NotFoundError("No tagger is live.", cure="Run: shopkeeper train tagger --marks FILE")
    found = read_tagger(bundle, threads=threads(session.settings.compute)).tag(title)
    session.output.table(
        f"Mentions by {bundle.name}",
        ["title", "mention", "kind", "from", "to"],
        [
            (text, text[m.start : m.end], m.kind, m.start, m.end)
            for text, own in zip(title, found, strict=True)
            for m in own
        ],
    )
    session.output.result(
        [
            {"text": text, "mentions": [m._asdict() | {"mention": text[m.start : m.end]} for m in own]}
            for text, own in zip(title, found, strict=True)
        ]
    )


@app.command()
def index(context: typer.Context) -> None:
    """Encode every item that is new or changed, so that serving starts at once."""
    session: Session = context.obj
    began = time.monotonic()
    with session.output.progress():
        shop = open_shop(session.settings)
    count, seconds, version = len(shop.shelf), time.monotonic() - began, shop.version
    shop.close()
    session.output.say(f"Indexed {count:,} items in {seconds:.1f} s with {version}.")
    session.output.result({"items": count, "seconds": seconds, "version": version})


@app.command()
def serve(context: typer.Context) -> None:
    """Serve the API and the storefront on one port, until interrupted."""
    from shopkeeper.web.site import serve_site

    session: Session = context.obj
    settings = session.settings
    session.output.say(f"Opening {settings.home} ...")
    with session.output.progress():
        shop = open_shop(settings)
    address = f"http://{settings.serve.host}:{settings.serve.port}"
    session.output.say(f"Storefront: {address}    API: {address}/v1    Reference: {address}/docs    (Ctrl-C stops)")
    serve_site(shop)


@app.command()
def keys(
    context: typer.Context,
    action: Annotated[str, typer.Argument(help="create, list or revoke")],
    name: Annotated[str, typer.Argument(help="Name of a new key, or id of the key to revoke.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="read, events, admin (repeatable).")] = None,
) -> None:
    """Make, list and revoke API keys; a new key is shown once."""
    session: Session = context.obj
    book = Keys(session.settings.home / "keys.json")
    if action == "create":
        made, secret = book.create(name or "key", [Scope(one) for one in scope or ["read"]])
        session.output.say(f"{made.name}: {secret}")
        session.output.result({"name": made.name, "key": secret})
    elif action == "revoke":
        session.output.say(f"Revoked {book.revoke(name).name}.")
    elif action == "list":
        session.output.table(
            "Keys", ["id", "name", "scopes"], [(k.id, k.name, ", ".join(sorted(k.scopes))) for k in book.list()]
        )
        session.output.result([{"id": k.id, "name": k.name, "scopes": sorted(k.scopes)} for k in book.list()])
    else:
        raise InputError(f"{action!r} is not something to do with keys.", cure="Choose create, list or revoke.")


@app.command()
def doctor(context: typer.Context) -> None:
    """Check memory, disk, versions, data and models, and say what is missing and how to mend it."""
    session: Session = context.obj
    findings = examine(session.settings)
    session.output.table(
        "Doctor",
        ["check", "", "finding", "what to do"],
        [(f.check, "ok" if f.good else "!!", f.found, f.cure) for f in findings],
    )
    session.output.result([{"check": f.check, "good": f.good, "found": f.found, "cure": f.cure} for f in findings])
    if any(finding.fatal for finding in findings):
        raise typer.Exit(1)


def _answer(session: Session, title: str, ask: Callable[[Shop], Answer]) -> None:
    with session.output.progress():
        shop = open_shop(session.settings)
    try:
        answer = ask(shop)
        items = shop.store.catalogue.get([hit.item for hit in answer.hits])
    finally:
        shop.close()
    language = "zh" if any("一" <= char <= "鿿" for char in answer.request.query) else "en"
    rows = []
    for place, hit in enumerate(answer.hits, 1):
        item = items[hit.item]
        why = "; ".join(reason.text.get(language, "") for reason in hit.reasons)
        price = f"{item.price:,.2f} {item.currency}".strip() if item.price is not None else ""
        rows.append((place, item.id, item.title, price, hit.score, *([why] if answer.request.explain else [])))
    columns = ["", "id", "title", "price", "score", *(["why"] if answer.request.explain else [])]
    session.output.table(f"{title}  ({answer.total:,} in all, {answer.seconds * 1000:.1f} ms)", columns, rows)
    if not rows:
        session.output.say("Nothing found.")
    read = _reading(session, answer, language) if isinstance(answer, SearchAnswer) else {}
    session.output.result(
        {
            "request": answer.request.id,
            "total": answer.total,
            "model": answer.model,
            "milliseconds": answer.seconds * 1000,
            "hits": [
                {
                    "item": hit.item,
                    "title": items[hit.item].title,
                    "score": hit.score,
                    "reasons": [{"kind": r.kind, "evidence": r.evidence, "text": dict(r.text)} for r in hit.reasons],
                    "contributions": dict(hit.contributions),
                }
                for hit in answer.hits
            ],
        }
        | read
    )


def _reading(session: Session, answer: SearchAnswer, language: str) -> dict[str, Any]:
    """Say how a query was read and what else to try; the same as JSON values."""
    for chip in answer.read.chips:
        session.output.say(f"  {chip.text[language]}   (--ignore {shlex.quote(chip.key)})")
    if answer.instead:
        session.output.say(f"Did you mean: {answer.instead}")
    if not answer.found and answer.hits:
        session.output.say("Probably none of these is what was asked for.")
    for way in answer.relaxations:
        session.output.say(f"  {way.text[language]}: {way.count:,}")
    document = search_document(answer)
    return {name: document[name] for name in ("understood", "instead", "found", "relaxations", "rules", "redirect")}
