"""The desk where copy is approved, and the approved copy that product pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Decision, Item, Scalar
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.writing import decide
from shopkeeper.tasks.write.briefs import KINDS, read_subject
from shopkeeper.tasks.write.desk import stamp
from shopkeeper.web.actions import Form, posted
from shopkeeper.web.helpdesk import door_of
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.staff import Staff, check_token
from shopkeeper.web.view import items_of, product_path, render
from shopkeeper.web.visits import Trail, Visit

router = APIRouter(prefix="/desk/copy", route_class=PageRoute, include_in_schema=False)

_MOST = 50
_LONGEST = 5_000
_NOTHING = Trail({}, (), "")
_DECISIONS: Final = ("approve", "edit", "refuse", "unapprove")


@dataclass(frozen=True, slots=True)
class Line:
    """A copy as the desk shows it.

    Attributes:
        kind: Its name in the visitor's language.
        title: Of the item; its key where it is gone.
        href: Of the product page, empty where the item is gone.
        rows: Height of the field in which it is edited.
    """

    subject: str
    kind: str
    segment: str
    language: str
    title: str
    href: str
    text: str
    rows: int
    because: str


@dataclass(frozen=True, slots=True)
class ProductCopy:
    """What a product page says of an item.

    Attributes:
        description: The approved one, else the item's own.
        bullets: Approved ones, empty without.
        properties: For the event of showing them.
    """

    description: str
    bullets: tuple[str, ...]
    properties: Mapping[str, Scalar]


@router.get("")
async def queue(request: Request) -> Response:
    """Copies that wait, those that were withdrawn, and those that are published."""
    staff = door_of(request).known(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    return await page(request, lambda desk, visit: _queue(desk, visit, staff))


@router.post("")
async def decided(request: Request) -> Response:
    """Publish, publish other words, refuse or take back."""
    form = await posted(request)
    staff = door_of(request).known(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    check_token(staff, form.get("token", ""))
    return await page(request, lambda desk, visit: _decided(desk, visit, staff, form))


def product_copy(desk: Desk, visit: Visit, item: Item) -> ProductCopy:
    """The approved words for an item in a visitor's language, or the item's own."""
    copies = desk.shop.pen.desk
    who = visit.customer or visit.session
    found = [copies.shown(item.id, kind, visit.language, who) for kind in ("description", "bullets")]
    description, bullets = found
    return ProductCopy(
        description.text if description else item.description,
        tuple(bullets.text.split("\n")) if bullets else (),
        stamp([one for one in found if one]),
    )


def _decided(desk: Desk, visit: Visit, staff: Staff, form: Form) -> Response:
    decision = form.get("decision", "")
    if decision not in _DECISIONS:
        raise InputError("There is no such decision.", where="decision", cure=f"Use one of {', '.join(_DECISIONS)}.")
    try:
        decide(desk.shop.pen.desk, form.get("subject", ""), decision, form.get("text", "")[:_LONGEST], staff.name)
    except NotFoundError:
        raise
    except InputError as error:
        return _queue(desk, visit, staff, wrong=error.what, status=422)
    return RedirectResponse("/desk/copy", 303)


def _queue(desk: Desk, visit: Visit, staff: Staff, *, wrong: str = "", status: int = 200) -> Response:
    copies, side = desk.shop.pen.desk, 1 if visit.language == "zh" else 0
    back = copies.withdrawn()[:_MOST]
    shown = [one for one in copies.decided() if one.label == "publish"][:_MOST]
    return render(
        "desk_copy.html",
        desk,
        visit,
        _NOTHING,
        here="/desk/copy",
        status=status,
        staff=staff,
        wrong=wrong,
        waiting=_lines(desk, copies.queue(_MOST), side),
        withdrawn=_lines(desk, back, side),
        published=_lines(desk, shown, side),
    )


def _lines(desk: Desk, decisions: list[Decision], side: int) -> list[Line]:
    read = [(one, *read_subject(one.subject)) for one in decisions]
    items: dict[str, Any] = items_of(desk, {key for _, key, *_ in read})
    return [
        Line(
            subject=one.subject,
            kind=KINDS[kind].name[side] if kind in KINDS else kind,
            segment=segment,
            language=language,
            title=items[key].title if key in items else key,
            href=product_path(key) if key in items else "",
            text=one.text,
            rows=max(2, one.text.count("\n") + 1 + len(one.text) // 70),
            because=one.rater.removeprefix("shop: "),
        )
        for one, key, kind, segment, language, _ in read
    ]
