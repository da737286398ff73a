"""What a move of the assistant knows (`Situation`), what it may use (`Counter`) and what it makes (`Draft`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

from shopkeeper.records import Answer, Hit, Item, Passage, Request
from shopkeeper.retrieval.answers import AnswerIndex, Found
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.nouns import Understood as Wish
from shopkeeper.store.orders import Order, OrderStatus
from shopkeeper.tasks.assist.memory import Memory
from shopkeeper.tasks.assist.reading import Understood
from shopkeeper.tasks.assist.sentences import Speech
from shopkeeper.tasks.assist.terms import Terms
from shopkeeper.tasks.assist.turns import Citation, Mention, Proposal, Turn
from shopkeeper.tasks.latest import Latest
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.trust.safety import Danger

HOLDS: Final = 0.4
"""Chance from which on an intent is meant."""
_KEPT: Final = 256
_FOUND: Final = 12


class Orders(Protocol):
    """The orders of the shop, see `store.orders.SqlOrders`."""

    def of_customer(self, customer: str, limit: int = 50) -> list[Order]:
        """The last orders of a customer, newest first."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Order]:
        """The known ones of `ids`."""
        ...

    def move(self, order: str, status: OrderStatus, actor: str = "", *, address: str = "", key: str = "") -> Order:
        """Let an order go on to another status, or send it elsewhere."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What stands behind the counter: all that the assistant may look up or use.

    Attributes:
        search: Finds items for words.
        recommend: Finds items for a customer.
        wish: How the search understands words.
        reviews: The newest passages about an item.
        stars: Mean stars of reviews as far as they are trusted; None where none counts.
        titled: Ids of the items whose titles stand in a text almost whole.
        language: The shop's own, for what humans read.
    """

    shelf: Shelf
    index: AnswerIndex
    orders: Orders
    terms: Terms
    search: Callable[[Request], SearchAnswer]
    recommend: Callable[[Request], Answer]
    wish: Callable[[str], Wish]
    reviews: Callable[[str], list[Passage]]
    stars: Callable[[Iterable[Passage]], float | None]
    titled: Callable[[str], list[str]]
    language: str
    found: Latest[list[Found]] = field(default_factory=lambda: Latest(_KEPT))

    def find(self, question: str, language: str) -> list[Found]:
        """What the shop's words say about a question, likeliest first; the same question is looked up once."""
        key = f"{language} {question}"
        known = self.found.get(key)
        if known is None:
            known = self.index.find(question, language=language, k=_FOUND)
            self.found.put(key, known)
        return known

    def item(self, name: str) -> Item | None:
        """An item by its id, hidden and sold-out ones as well; None where there is none."""
        row = self.shelf.row(name)
        return None if row is None else self.shelf.items[row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One turn, and all that is known when it is answered.

    Attributes:
        text: What was said, cleaned.
        language: Of the reply.
        read: How it was understood.
        dangers: What is unsafe in it.
        consent: Its answer to the open proposal: yes, no or neither.
        orders: The customer's own, newest first; empty for strangers.
        said: The customer's last turns before this one, oldest first.
        tried: What the assistant said last.
    """

    turn: Turn
    text: str
    language: str
    read: Understood
    dangers: tuple[Danger, ...] = ()
    memory: Memory = field(default_factory=Memory)
    consent: bool | None = None
    orders: tuple[Order, ...] = ()
    said: tuple[str, ...] = ()
    tried: str = ""

    @property
    def moment(self) -> datetime:
        """When it is said."""
        return self.turn.time

    def chance(self, *intents: str) -> float:
        """The greatest chance that one of these is wanted."""
        return max((chance for name, chance in self.read.intents if name in intents), default=0.0)

    @property
    def wanted(self) -> str:
        """What is wanted most; empty where nothing is."""
        return self.read.intents[0][0] if self.read.intents else ""

    def in_danger(self, *kinds: str) -> bool:
        """Is there a danger of one of these kinds?"""
        return any(danger.kind in kinds for danger in self.dangers)

    def mentioned(self, kind: str) -> tuple[Mention, ...]:
        """What was named, of one kind, in order."""
        return tuple(mention for mention in self.read.mentions if mention.kind == kind)

    @property
    def named_orders(self) -> tuple[str, ...]:
        """Numbers of orders that were named: the customer's own, else whatever looks like one."""
        own = tuple(order.id for order in self.orders if number_of(order.id).search(self.text))
        return own or tuple(mention.value for mention in self.mentioned("order"))

    def speech(self) -> Speech:
        """A reply to begin."""
        return Speech(self.language)


@lru_cache(maxsize=4_096)
def number_of(order: str) -> re.Pattern[str]:
    """Finds the number of an order, and not as a part of another number."""
    return re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(order)}(?![A-Za-z0-9_]|-[A-Za-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A reply before it has been checked.

    Attributes:
        speech: What is said.
        facts: What it rests on beside the citations, in words.
        memory: What the conversation stands at after it.
        summary, case: For humans, when it is handed over: what it is about, and why.
        phrasable: May a generator put it into other words?
    """

    kind: str
    speech: Speech
    memory: Memory
    facts: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    proposal: Proposal | None = None
    summary: str = ""
    case: str = ""
    phrasable: bool = False

    @property
    def evidence(self) -> tuple[str, ...]:
        """Facts and words quoted: all that may be said."""
        return (*self.facts, *(f"{citation.title}. {citation.text}" for citation in self.citations))


def draft(
    situation: Situation,
    kind: str,
    speech: Speech,
    *,
    facts: Sequence[str] = (),
    citations: Sequence[Citation] = (),
    hits: Sequence[Hit] = (),
    proposal: Proposal | None = None,
    phrasable: bool = False,
    **remembered: object,
) -> Draft:
    """A reply after which nothing is awaited and no proposal is open, except what `remembered` says of the memory."""
    settled: Mapping[str, object] = {"pending": None, "awaits": "", "tool": "", "asked": 0, "unsure": 0}
    memory: Memory = replace(situation.memory, **{**settled, **remembered})  # type: ignore[arg-type]
    return Draft(
        kind=kind,
        speech=speech,
        memory=memory,
        facts=tuple(facts),
        citations=tuple(citations),
        hits=tuple(hits),
        proposal=proposal,
        phrasable=phrasable,
    )


Move = Callable[[Situation, Counter], Draft | None]
"""Makes a reply; None where it finds that it cannot, so that the next row of the policy is tried."""


def asked(situation: Situation, speech: Speech, awaits: str = "", tool: str = "", order: str = "") -> Draft:
    """A reply that asks back, counted."""
    memory = situation.memory
    return draft(
        situation,
        "ask",
        speech,
        awaits=awaits,
        tool=tool,
        asked=memory.asked + 1,
        unsure=memory.unsure,
        order=order or memory.order,
    )
