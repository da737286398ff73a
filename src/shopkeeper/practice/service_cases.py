"""One dialogue of the service test, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shopkeeper.store.orders import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn, and what the reply must be like.

    Attributes:
        kinds: Kinds of reply that are right.
        facts: Groups of alternatives: of each one must be in the reply.
        never: What must not be in the reply.
        fits: Ids of items of which all of the first three shown but one must be; empty where it does not matter.
        most: Price that nothing shown may be above.
        item: The product page that is open.
        does: What the turn must do: the status or the address that the case's first order then has; empty for nothing.
    """

    text: str
    kinds: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...] = ()
    never: tuple[str, ...] = ()
    fits: frozenset[str] = frozenset()
    most: float | None = None
    item: str = ""
    does: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One dialogue.

    Attributes:
        matter: What it is about.
        customer: Who says it; empty for a stranger.
        orders: The customer's orders before it begins.
        time: When it takes place.
    """

    id: str
    matter: str
    language: str
    steps: tuple[Step, ...]
    time: datetime
    customer: str = ""
    orders: tuple[Order, ...] = ()

    @property
    def hands_over(self) -> bool:
        """Must a human get it?"""
        return any(step.kinds == ("handover",) for step in self.steps)
