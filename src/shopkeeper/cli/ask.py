"""Ask the assistant from a terminal, and answer as a human when it hands over."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import now
from shopkeeper.serving.assist_schemas import reply_document, said
from shopkeeper.serving.helpdesk import Case, case_document, cases
from shopkeeper.store.database import open_store
from shopkeeper.tasks.assist.conversations import Conversations
from shopkeeper.tasks.assist.turns import Reply, Turn
from shopkeeper.tasks.shop import Shop, open_shop

desk = typer.Typer(
    no_args_is_help=True, help="Customers whom the assistant handed over, and what humans say of its replies."
)
app.add_typer(desk, name="desk")

Conversation = Annotated[str, typer.Argument(help="Id of the conversation, as `desk list` shows it.")]
Staff = Annotated[str, typer.Option(help="Who answers.")]
_LEAVING = frozenset({"exit", "quit", "bye", "退出", "再见"})


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="What a customer says; without it, a conversation.")] = "",
    customer: Annotated[str, typer.Option(help="Customer id, whose orders may be spoken of.")] = "",
    item: Annotated[str, typer.Option(help="The product page that is open.")] = "",
    language: Annotated[
        Literal["", "en", "zh"], typer.Option(help="Language of the reply: en, zh; empty for the question's.")
    ] = "",
    conversation: Annotated[str, typer.Option(help="Go on with this conversation.")] = "",
) -> None:
    """Ask the shop's assistant; without a question, talk with it line by line."""
    session: Session = context.obj
    if session.output.as_json and not question:
        raise InputError("A program asks one question at a time.", where="question", cure="shopkeeper ask '...' --json")
    with session.output.progress():
        shop = open_shop(session.settings)
    thread = conversation or uuid.uuid4().hex
    asked = Turn(text=said(question), conversation=thread, customer=customer, item=item, language=language)
    try:
        if asked.text:
            _show(session, shop, shop.assist(asked))
            return
        session.output.say("Say something; an empty line ends.")
        for text in _lines():
            turn = Turn(text=text, conversation=thread, customer=customer, item=item, language=language)
            _show(session, shop, shop.assist(turn))
    finally:
        shop.close()


@desk.command("list")
def list_cases(
    context: typer.Context, limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20
) -> None:
    """Who waits for a human, the most urgent first."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        waiting = cases(Conversations(store), limit)
    finally:
        store.close()
    rows = [(one.conversation, one.customer, _age(one), one.sentiment, one.summary) for one in waiting]
    session.output.table("Waiting for a human", ["conversation", "customer", "waits", "sentiment", "summary"], rows)
    session.output.result([case_document(one) for one in waiting])


@desk.command()
def show(context: typer.Context, conversation: Conversation) -> None:
    """What was said, with the id of every turn, and what the conversation stands at."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        turns = Conversations(store).turns(conversation)
    finally:
        store.close()
    if not turns:
        raise NotFoundError(
            "There is no such conversation.", where=conversation, cure="`shopkeeper desk list` names those that wait."
        )
    rows = [(turn.id, f"{turn.time:%Y-%m-%d %H:%M}" if turn.time else "", turn.author, turn.text) for turn in turns]
    session.output.table(f"Conversation {conversation}", ["id", "time", "who", "text"], rows)
    session.output.result([dict(zip(("id", "time", "author", "text"), row, strict=True)) for row in rows])


@desk.command()
def rate(
    context: typer.Context,
    reply: Annotated[str, typer.Argument(help="Id of a reply, as `desk show` has it.")],
    verdict: Annotated[Literal["up", "down"], typer.Argument(help="Was it good?")],
    better: Annotated[str, typer.Option(help="What would have been better; it teaches.")] = "",
    staff: Staff = "desk",
) -> None:
    """Say whether a reply was good."""
    _desk(context, reply, lambda found: found.rate(reply, verdict == "up", staff, said(better)), "Noted.")


@desk.command()
def intent(
    context: typer.Context,
    turn: Annotated[str, typer.Argument(help="Id of what a customer said, as `desk show` has it.")],
    wanted: Annotated[str, typer.Argument(help="What they really wanted; it teaches.")],
    staff: Staff = "desk",
) -> None:
    """Correct how a customer was understood."""
    _desk(context, turn, lambda found: found.correct(turn, wanted, staff), "Noted.")


@desk.command()
def take(context: typer.Context, conversation: Conversation, staff: Staff = "desk") -> None:
    """Take a conversation over: the assistant is silent in it from now on."""
    _desk(context, conversation, lambda found: found.take(conversation, staff), "Taken.")


@desk.command()
def say(
    context: typer.Context,
    conversation: Conversation,
    text: Annotated[str, typer.Argument(help="What the customer reads.")],
    staff: Staff = "desk",
) -> None:
    """Answer a customer as a human."""
    words = said(text)
    if not words:
        raise InputError("Nothing was said.", where="text")
    _desk(context, conversation, lambda found: found.say(conversation, staff, words), "Said.")


@desk.command()
def close(context: typer.Context, conversation: Conversation, staff: Staff = "desk") -> None:
    """Give a conversation back to the assistant."""
    _desk(context, conversation, lambda found: found.close(conversation, staff), "Closed.")


def _desk(context: typer.Context, about: str, deed: Callable[[Conversations], object], told: str) -> None:
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        deed(Conversations(store))
    finally:
        store.close()
    session.output.say(told)
    session.output.result({"about": about, "done": told})


def _show(session: Session, shop: Shop, reply: Reply) -> None:
    items = shop.store.catalogue.get([hit.item for hit in reply.hits])
    session.output.say(reply.text)
    for hit in reply.hits:
        item = items.get(hit.item)
        if item is not None:
            price = f"{item.price:,.2f} {item.currency}".strip() if item.price is not None else ""
            session.output.say(f"  {item.id}  {item.title}  {price}".rstrip())
    for citation in reply.citations:
        session.output.say(f"  [{citation.source}] {citation.title or citation.id}")
    session.output.result(reply_document(reply, items, staff=True))


def _lines() -> Iterator[str]:
    """What is typed, line by line, until an empty line, a word of leaving, or the end."""
    while True:
        sys.stdout.write("> ")
        sys.stdout.flush()
        text = said(sys.stdin.readline())
        if not text or text.casefold() in _LEAVING:
            return
        yield text


def _age(case: Case) -> str:
    if case.since is None:
        return ""
    return f"{max(0, int((now() - case.since).total_seconds() // 60))} min"
