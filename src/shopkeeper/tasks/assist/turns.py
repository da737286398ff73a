"""What is said to the assistant and what it says: `Turn` in, `Reply` out, and what a reply is made of."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shopkeeper.records import Hit

KINDS = ("answer", "ask", "recommend", "status", "confirm", "done", "handover", "waiting", "refuse", "smalltalk")
"""What a reply may be; see `Reply.kind`."""


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What somebody said to the assistant.

    Attributes:
        text: The words, as typed.
        conversation: Turns with the same one belong together.
        customer: Who says it, as the shop's own sign-in knows them; empty for a stranger. Never taken from the words.
        session: The visit on the storefront, whose events shape what is recommended.
        item: The product page that is open, or empty.
        language: The wished language of the reply, ``"zh"`` or ``"en"``; empty: guessed from the words.
        confirm: Id of a `Proposal` that the customer confirms by a button; empty otherwise.
        time: When it was said. Replies keep the order of arrival, whatever the clocks say.
    """

    text: str
    conversation: str = field(default_factory=_new_id)
    customer: str = ""
    session: str = ""
    item: str = ""
    language: str = ""
    confirm: str = ""
    id: str = field(default_factory=_new_id)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where something in a reply comes from.

    Attributes:
        source: ``faq``, ``policy``, ``product``, ``review``, ``order`` or ``dialogue``.
        id: Id of the passage, item or order.
        title: What a reader would call it.
        text: The words that are quoted.
    """

    source: str
    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A thing that was named in a turn.

    Attributes:
        kind: ``order``, ``product``, ``size``, ``colour``, ``money``, ``date``, ``address``, ``email``, ``phone`` ...
        text: The words that name it.
        start: Where they begin, in characters of the turn.
        end: Where they end, exclusive.
        value: What they mean: an order's id, an item's id, a number.
    """

    kind: str
    text: str
    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An action that waits for the customer's yes.

    Attributes:
        id: What the yes names; doing it twice under one id does it once.
        tool: ``cancel``, ``return`` or ``address``.
        order: Id of the order that it would change.
        text: What will be done, in the reply's language.
    """

    id: str
    tool: str
    order: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the assistant says to a turn.

    Attributes:
        kind: ``answer``, ``ask`` (back), ``recommend``, ``status`` (of an order), ``confirm`` (a proposal waits for a
            yes), ``done`` (it was carried out), ``handover`` (to a human), ``waiting`` (a human has it), ``refuse`` or
            ``smalltalk``.
        language: Of `text`, ``"zh"`` or ``"en"``.
        intents: What was wanted, each with its chance, likeliest first.
        sentiment: -1 (very unhappy) to 1.
        urgency: 0 to 1.
        citations: What the reply rests on.
        hits: Items that are recommended, best first.
        proposal: What would be done after a yes, for ``confirm``; what was done, for ``done``.
        summary: For the human who takes over, in the shop's language; empty unless handed over.
        phrased: Were the words chosen by a generator? What they say was checked against the evidence.
        model: Name of the generator that phrased, else of what answered.
        seconds: Wall time spent.
    """

    turn: Turn
    text: str
    kind: str
    language: str
    intents: tuple[tuple[str, float], ...] = ()
    sentiment: float = 0.0
    urgency: float = 0.0
    mentions: tuple[Mention, ...] = ()
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    proposal: Proposal | None = None
    summary: str = ""
    phrased: bool = False
    model: str = ""
    seconds: float = 0.0
    id: str = field(default_factory=_new_id)
