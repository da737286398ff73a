"""The human desk in the browser: who waits, the conversation with its evidence, take over, answer, correct, close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import InputError
from shopkeeper.models.intent_seeds import intent_names
from shopkeeper.records import now
from shopkeeper.serving.assist import check_reply
from shopkeeper.serving.assist_schemas import line, said
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.helpdesk import Case, cases, check_turn, known
from shopkeeper.serving.talk import LONGEST, Talk, talk_of
from shopkeeper.tasks.assist.conversations import INTENT, RATING
from shopkeeper.tasks.assist.memory import CUSTOMER, Transcript
from shopkeeper.web.actions import Form, posted
from shopkeeper.web.i18n import translator
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.staff import Door, Staff, check_token, open_door, shut_door
from shopkeeper.web.view import render
from shopkeeper.web.visits import Trail, Visit

router = APIRouter(prefix="/desk", route_class=PageRoute, include_in_schema=False)

_MOST = 100
_URGENT = 0.6
_HAPPY, _UNHAPPY = 0.3, -0.3
_NOTHING = Trail({}, (), "")
Deed = Callable[[Desk, Transcript, Staff, Form], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line of the queue.

    Attributes:
        mood: ``happy``, ``neutral`` or ``unhappy``.
        minutes: Since the customer last said something.
    """

    case: Case
    mood: str
    urgent: bool
    minutes: int


@router.get("")
async def queue(request: Request) -> Response:
    """Who waits for a person; the door for those who have not come in."""
    staff = door_of(request).known(request)
    if staff is None:
        return await page(request, _door)
    return await page(request, lambda desk, visit: _queue(desk, visit, staff))


@router.post("/enter")
async def enter(request: Request) -> Response:
    """Come in with an admin key."""
    form = await posted(request)
    cookie = door_of(request).enter(form.get("key", ""))

    def done(desk: Desk, visit: Visit) -> Response:
        if cookie is None:
            return _door(desk, visit, wrong=True)
        response = RedirectResponse("/desk", 303)
        open_door(response, cookie, secure=request.url.scheme == "https")
        return response

    return await page(request, done)


@router.post("/leave")
async def leave(request: Request) -> Response:
    """Go out again."""
    await posted(request)

    def done(_desk: Desk, _visit: Visit) -> Response:
        response = RedirectResponse("/desk", 303)
        shut_door(response, secure=request.url.scheme == "https")
        return response

    return await page(request, done)


@router.get("/talk/{conversation}")
async def case(request: Request, conversation: str) -> Response:
    """One conversation, with what each turn was taken for and what each reply rested on."""
    staff, talk = door_of(request).known(request), talk_of(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    return await page(request, lambda desk, visit: _case(desk, talk, visit, staff, conversation))


@router.post("/talk/{conversation}/take")
async def take(request: Request, conversation: str) -> Response:
    """Take over."""
    return await _do(
        request, conversation, lambda desk, _, staff, __: desk.shop.conversations.take(conversation, staff.name)
    )


@router.post("/talk/{conversation}/say")
async def say(request: Request, conversation: str) -> Response:
    """Answer as a human."""

    def answer(desk: Desk, _: Transcript, staff: Staff, form: Form) -> None:
        desk.shop.conversations.say(conversation, staff.name, _text(form))

    return await _do(request, conversation, answer)


@router.post("/talk/{conversation}/close")
async def close(request: Request, conversation: str) -> Response:
    """Give the conversation back to the assistant."""
    return await _do(
        request, conversation, lambda desk, _, staff, __: desk.shop.conversations.close(conversation, staff.name)
    )


@router.post("/talk/{conversation}/rate")
async def rate(request: Request, conversation: str) -> Response:
    """Thumbs for a reply of the assistant."""

    def noted(desk: Desk, found: Transcript, staff: Staff, form: Form) -> None:
        check_reply(found, form.get("reply", ""))
        desk.shop.conversations.rate(form["reply"], form.get("up") == "1", staff.name)

    return await _do(request, conversation, noted)


@router.post("/talk/{conversation}/intent")
async def correct(request: Request, conversation: str) -> Response:
    """What a turn of the customer really wanted."""

    def noted(desk: Desk, found: Transcript, staff: Staff, form: Form) -> None:
        check_turn(found, form.get("turn", ""))
        if form.get("intent", "") not in intent_names():
            raise InputError("There is no such intent.", where="intent", cure="Choose one of the list.")
        desk.shop.conversations.correct(form["turn"], form["intent"], staff.name)

    return await _do(request, conversation, noted)


def door_of(request: Request) -> Door:
    """The door of the application that serves this request."""
    door: Door = request.app.state.door
    return door


async def _do(request: Request, conversation: str, deed: Deed) -> Response:
    """Carry out what a form asks for, if it comes from somebody's own page, and show the conversation again."""
    form = await posted(request)
    staff, talk = door_of(request).known(request), talk_of(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    check_token(staff, form.get("token", ""))

    def work(desk: Desk, _: Visit) -> Response:
        deed(desk, known(talk, conversation), staff, form)
        return RedirectResponse(f"/desk/talk/{conversation}#last", 303)

    return await page(request, work)


def _door(desk: Desk, visit: Visit, *, wrong: bool = False) -> Response:
    return render("desk_door.html", desk, visit, _NOTHING, here="/desk", wrong=wrong, status=403 if wrong else 200)


def _queue(desk: Desk, visit: Visit, staff: Staff) -> Response:
    waiting = [_waiting(one) for one in cases(desk.shop.conversations, _MOST)]
    return render("desk.html", desk, visit, _NOTHING, here="/desk", waiting=waiting, staff=staff)


def _case(desk: Desk, talk: Talk, visit: Visit, staff: Staff, conversation: str) -> Response:
    found = known(talk, conversation)
    summary = next(
        (one.summary for one in cases(desk.shop.conversations, _MOST) if one.conversation == conversation), ""
    )
    decided = {one.subject: one.label for task in (INTENT, RATING) for one in desk.shop.store.labels.decided(task)}
    t = translator(visit.language)
    return render(
        "desk_case.html",
        desk,
        visit,
        _NOTHING,
        here=f"/desk/talk/{conversation}",
        conversation=conversation,
        lines=_lines(found, decided),
        summary=summary,
        state=found.memory.desk,
        owner=found.memory.customer,
        staff=staff,
        names={name: t(f"intent_{name}") for name in intent_names()},
    )


def _lines(found: Transcript, decided: Mapping[str, str]) -> list[dict[str, Any]]:
    """What was said, and what people decided about it; a customer's turn carries what the reply to it was read as."""
    shown = [{"intents": [], "citations": [], **line(passage)} for passage in found.passages]
    for turn, reply in pairwise([*shown, {}]):
        label = decided.get(turn["id"], "")
        if turn["author"] == CUSTOMER:
            turn.update(really=label, intents=reply.get("intents", []))
        else:
            turn.update(rated=label)
    return shown


def _waiting(case: Case) -> Waiting:
    mood = "happy" if case.sentiment >= _HAPPY else "unhappy" if case.sentiment <= _UNHAPPY else "neutral"
    minutes = max(0, int((now() - case.since).total_seconds() // 60)) if case.since else 0
    return Waiting(case, mood, case.urgency >= _URGENT, minutes)


def _text(form: Form) -> str:
    text = said(form.get("text", ""))
    if not text or len(text) > LONGEST:
        raise InputError(f"An answer has 1 to {LONGEST} characters.", where="text")
    return text
