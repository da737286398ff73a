"""What the shop thinks of whoever looks at it: interests and tags with why, to be silenced, taken home or erased."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import InputError
from shopkeeper.records import Event, EventKind
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.profile_schemas import profile_document
from shopkeeper.serving.profiles import mute_event
from shopkeeper.tasks.profile.interests import LEVELS, Interest, check_key
from shopkeeper.tasks.profile.task import Profile
from shopkeeper.web.actions import Form, posted
from shopkeeper.web.i18n import translator
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.view import items_of, product_path, render
from shopkeeper.web.visits import Visit, trail

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_WHY = 3
_DID = {
    EventKind.VIEW: "did_view",
    EventKind.CLICK: "did_view",
    EventKind.SEARCH: "did_search",
    EventKind.CART: "did_cart",
    EventKind.PURCHASE: "did_purchase",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that the shop thinks.

    Attributes:
        key: What "not interested" names.
        text: In the visitor's language.
        share: In whole per cent, None where there is none to show.
        why: (what was done, title or words, address or empty) of the strongest evidence.
    """

    key: str
    text: str
    share: int | None
    why: tuple[tuple[str, str, str], ...]


@router.get("/account")
async def account(request: Request) -> Response:
    """What the shop thinks of this visitor."""
    return await page(request, _account)


@router.get("/account/download")
async def download(request: Request) -> Response:
    """Everything that is kept about this visitor, and what is thought of them, as one JSON file."""
    return await page(request, _download)


@router.post("/account/interest")
async def interest(request: Request) -> Response:
    """Not interested in something, or interested again."""
    form = await posted(request)
    return await page(request, lambda desk, visit: _muted(desk, visit, form))


@router.post("/account/erase")
async def erase(request: Request) -> Response:
    """Forget this customer everywhere."""
    await posted(request)
    return await page(request, _erased)


def _account(desk: Desk, visit: Visit) -> Response:
    profile = desk.shop.profile(visit.customer, visit.session)
    lines = _lines(desk, visit, profile)
    t = translator(visit.language, desk.shop.domain.wording)
    return render(
        "account.html",
        desk,
        visit,
        trail(desk, visit),
        here="/account",
        profile=profile,
        tags=lines[: len(profile.tags)],
        groups=[
            (title, [line for line in lines if line.key.startswith(f"{kind}:")])
            for kind, title in (
                ("category", t("account_category")),
                ("brand", t("account_brand")),
                ("attribute", t("account_attribute")),
                ("price", t("account_price")),
            )
        ],
        muted=[(key, key.partition(":")[2]) for key in profile.muted],
        segment=profile.segment.name.get(visit.language, "") if profile.segment else "",
        opinions=[(one.text[visit.language], one.positive, one.negative) for one in profile.opinions],
        following=[(category, round(100 * chance)) for category, chance in profile.next],
    )


def _lines(desk: Desk, visit: Visit, profile: Profile) -> list[Line]:
    events = {event.id: event for event in _past(desk, visit)}
    names = {event.item for event in events.values()}
    titles = {name: item.title for name, item in items_of(desk, names).items()}

    def why(ids: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
        found = [events[id_] for id_ in ids if id_ in events and events[id_].kind in _DID]
        told = [
            (
                _DID[event.kind],
                titles.get(event.item) or event.query,
                product_path(event.item) if event.item in titles else "",
            )
            for event in found
        ]
        return tuple(dict.fromkeys(one for one in told if one[1]))[:_WHY]

    tags = [Line(tag.key, tag.text[visit.language], None, why(tag.evidence)) for tag in profile.tags]
    return tags + [
        Line(one.key, _name(one, visit.language), round(100 * one.lasting), why(one.evidence))
        for one in profile.interests
    ]


def _name(one: Interest, language: str) -> str:
    return LEVELS[one.name][language == "zh"] if one.kind == "price" else one.name


def _past(desk: Desk, visit: Visit) -> list[Event]:
    log = desk.shop.store.events
    return log.of_customer(visit.customer) if visit.customer else log.of_session(visit.session)


def _download(desk: Desk, visit: Visit) -> Response:
    kept = (
        desk.shop.store.export_customer(visit.customer)
        if visit.customer
        else {"events": [_plain(event) for event in _past(desk, visit)]}
    )
    document = {"profile": profile_document(desk.shop.profile(visit.customer, visit.session)), **kept}
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str)
    return Response(body, media_type="application/json", headers=headers)


def _plain(event: Event) -> dict[str, object]:
    names = ("id", "time", "kind", "item", "query", "value", "quantity")
    return {name: getattr(event, name) for name in names} | {"properties": dict(event.properties)}


def _muted(desk: Desk, visit: Visit, form: Form) -> Response:
    key = check_key(form.get("key", ""))
    desk.record([mute_event(visit.customer, visit.session, key, undo=form.get("undo") == "1")])
    return RedirectResponse("/account", 303)


def _erased(desk: Desk, visit: Visit) -> Response:
    if not visit.customer:
        raise InputError("Nobody is known here.", where="customer", cure="Start afresh instead: it ends the session.")
    desk.erase(visit.customer)
    visit.leave()
    return RedirectResponse("/", 303)
