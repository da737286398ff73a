"""The chat panel of the storefront, and the same conversation as a page for browsers without scripts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from shopkeeper.errors import InputError
from shopkeeper.records import Answer, Hit, Passage, now
from shopkeeper.records import Request as Asked
from shopkeeper.serving.assist import STREAM, UNBUFFERED, check_reply, event
from shopkeeper.serving.assist_schemas import line, said
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.problems import problem_of, request_id_of
from shopkeeper.serving.replies import Json
from shopkeeper.serving.talk import LONGEST, Talk, talk_of
from shopkeeper.tasks.assist.memory import ASSISTANT, Memory, Transcript, kept
from shopkeeper.tasks.assist.turns import Citation, Proposal, Reply, Turn
from shopkeeper.web.actions import Form, posted
from shopkeeper.web.i18n import translator
from shopkeeper.web.route import PageRoute, desk_of, page
from shopkeeper.web.view import Card, cards, hue, initial, items_of, pictures, price, render, srcset
from shopkeeper.web.visits import Visit, arrive, keep, trail

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LETTER = re.compile(r"[^\W\d_]")
_SURFACE = "assist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One passage of the conversation as it is shown.

    Attributes:
        author: ``customer``, ``assistant`` or ``staff``.
        cards: What is recommended with it; of the last reply only.
        proposal: What waits for a yes; of the last reply only.
    """

    id: str
    author: str
    text: str
    language: str
    citations: tuple[Citation, ...] = ()
    cards: tuple[Card, ...] = ()
    proposal: Proposal | None = None


@router.get("/chat")
async def chat(request: Request) -> Response:
    """The conversation of this visit."""
    talk, item = talk_of(request), request.query_params.get("item", "")[:200]
    return await page(request, lambda desk, visit: _page(desk, talk, visit, item))


@router.post("/chat")
async def say(request: Request) -> Response:
    """A turn: streamed where the browser's script asks for it, else the page with the reply."""
    form = await posted(request)
    talk, desk = talk_of(request), desk_of(request)
    visit = await desk.run(arrive, request, desk)
    turn = _turn(desk, visit, form)
    await desk.run(talk.admit, turn)
    if STREAM in request.headers.get("accept", ""):
        events = _events(request_id_of(request), desk, talk, visit, turn)
        response: Response = StreamingResponse(events, headers=UNBUFFERED, media_type=STREAM)
    else:
        reply = await talk.answer(turn)
        response = await desk.run(_page, desk, talk, visit, turn.item, reply)
    keep(response, visit, secure=request.url.scheme == "https")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@router.get("/chat/lines")
async def lines(request: Request) -> Response:
    """The conversation so far, for the panel; asked again while a human has it."""
    talk = talk_of(request)
    return await page(request, lambda desk, visit: Json(_document(desk, talk, visit)))


@router.post("/chat/rating")
async def rate(request: Request) -> Response:
    """Thumbs up or down for a reply."""
    form, talk = await posted(request), talk_of(request)

    def noted(desk: Desk, visit: Visit) -> Response:
        check_reply(talk.own(conversation_of(visit), visit.customer), form.get("reply", ""))
        desk.shop.conversations.rate(form["reply"], form.get("up") == "1", visit.customer or "visitor")
        if form["as"] == "json":
            return Json({"said": translator(visit.language, desk.shop.domain.wording)("chat_rated")})
        return RedirectResponse("/chat", 303)

    return await page(request, noted)


@router.post("/chat/forget")
async def forget(request: Request) -> Response:
    """Erase the conversation of this visit."""
    await posted(request)
    talk = talk_of(request)

    def gone(desk: Desk, visit: Visit) -> Response:
        conversation = conversation_of(visit)
        if talk.own(conversation, visit.customer).passages:
            desk.shop.conversations.forget(conversation)
        return RedirectResponse("/chat", 303)

    return await page(request, gone)


def conversation_of(visit: Visit) -> str:
    """The conversation of a visit: known to whoever holds its session, and telling nobody what that is."""
    return hashlib.blake2b(visit.session.encode(), digest_size=16, person=b"conversation").hexdigest()


def _turn(desk: Desk, visit: Visit, form: Form) -> Turn:
    text, confirm = form.get("message", ""), form.get("confirm", "")[:200]
    if len(text) > LONGEST:
        raise HTTPException(413, "The message is too long.")
    text = said(text.encode(errors="replace").decode())
    if not text and not confirm:
        raise InputError("Nothing was said.", where="message", cure="Write something.")
    return Turn(
        text=text or translator(visit.language, desk.shop.domain.wording)("chat_yes"),
        conversation=conversation_of(visit),
        customer=visit.customer,
        session=visit.session,
        item=form.get("item", "")[:200],
        language="" if _LETTER.search(text) else visit.language,
        confirm=confirm,
    )


async def _events(request_id: str, desk: Desk, talk: Talk, visit: Visit, turn: Turn) -> AsyncIterator[bytes]:
    try:
        async for piece in talk.stream(turn):
            if isinstance(piece, Reply):
                yield event("reply", await desk.run(_reply, desk, visit, piece))
            else:
                yield event("text", {"text": piece}) if piece else b": at it\n\n"
    except Exception as error:  # noqa: BLE001  (the status is sent; what follows can only be told in the stream)
        yield event("error", orjson.loads(bytes(problem_of(error).response(request_id).body)))


def _page(desk: Desk, talk: Talk, visit: Visit, item: str, reply: Reply | None = None) -> Response:
    found = talk.own(conversation_of(visit), visit.customer)
    return render(
        "chat.html",
        desk,
        visit,
        trail(desk, visit),
        here="/chat",
        lines=_lines(desk, visit, found, reply),
        focus=items_of(desk, [item]).get(item),
        with_human=bool(found.memory.desk),
    )


def _lines(desk: Desk, visit: Visit, found: Transcript, reply: Reply | None = None) -> list[Line]:
    """What was said, the last reply with what it recommends and proposes."""
    shown = [_line(passage) for passage in found.passages]
    if shown and shown[-1].author == ASSISTANT:
        memory, known = found.memory, kept(found.passages[-1])
        shown_before = known.reply.get("hits", ()) if known else ()
        hits = reply.hits if reply else tuple(Hit(item=name, score=0.0) for name in shown_before)
        shown[-1] = Line(
            id=shown[-1].id,
            author=shown[-1].author,
            text=shown[-1].text,
            language=shown[-1].language,
            citations=shown[-1].citations,
            cards=_cards(desk, visit, shown[-1].id, hits),
            proposal=_proposal(memory, reply),
        )
    return shown


def _proposal(memory: Memory, reply: Reply | None) -> Proposal | None:
    if reply is not None:
        return reply.proposal if reply.kind == "confirm" else None
    waits = memory.pending
    return waits.proposal if waits and not waits.expired(now()) else None


def _line(passage: Passage) -> Line:
    document = line(passage)
    citations = tuple(Citation(**one) for one in document.get("citations", ()))
    return Line(id=passage.id, author=passage.author, text=passage.text, language=passage.language, citations=citations)


def _cards(desk: Desk, visit: Visit, request: str, hits: tuple[Hit, ...]) -> tuple[Card, ...]:
    answer = Answer(request=Asked(id=request, surface=_SURFACE), hits=hits, total=len(hits))
    return cards(desk, answer, visit.language)


def _document(desk: Desk, talk: Talk, visit: Visit) -> dict[str, Any]:
    found = talk.own(conversation_of(visit), visit.customer)
    return {
        "human": bool(found.memory.desk),
        "lines": [_plain(one) for one in _lines(desk, visit, found)],
    }


def _reply(desk: Desk, visit: Visit, reply: Reply) -> dict[str, Any]:
    """A reply for the panel; all of it is set as text there."""
    shown = Line(
        id=reply.id,
        author=ASSISTANT,
        text=reply.text,
        language=reply.language,
        citations=reply.citations,
        cards=_cards(desk, visit, reply.id, reply.hits),
        proposal=_proposal(Memory(), reply),
    )
    return {**_plain(shown), "turn": reply.turn.id, "human": reply.kind in ("handover", "waiting")}


def _plain(one: Line) -> dict[str, Any]:
    return {
        "id": one.id,
        "author": one.author,
        "text": one.text,
        "language": one.language,
        "citations": [{"title": each.title, "text": each.text} for each in one.citations],
        "cards": [_card(each) for each in one.cards],
        "proposal": one.proposal.id if one.proposal else "",
    }


def _card(one: Card) -> dict[str, Any]:
    shown = pictures(one.item)
    return {
        "href": one.href,
        "title": one.item.title,
        "price": price(one.item),
        "image": shown[0] if shown else "",
        "srcset": srcset(shown[0]) if shown else "",
        "hue": hue(one.item),
        "initial": initial(one.item),
        "reason": one.reasons[0] if one.reasons else "",
    }
