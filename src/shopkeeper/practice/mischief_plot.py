"""A practice shop while mischief is planted in it: what is added so far, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shopkeeper.practice.goods import Floats, Ints, opaque
from shopkeeper.practice.shop import START, Practice
from shopkeeper.practice.vocabulary import LANGUAGES, Vocabulary, vocabulary
from shopkeeper.records import Customer, Event, EventKind, Impression

Fields = dict[str, Any]
"""Values of an event's fields that several events share."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One thing that is not as it should be.

    Attributes:
        kind: ``scraper``, ``price_error``, ``stolen_card`` ...
        subject: What it is about: a visitor, an item, a passage, a payment.
        detail: What was done to it: the campaign that is clicked, the factor on a price, the right category, the original.
    """

    kind: str
    subject: str
    detail: str = ""


class Plot:
    """What the shop holds by now. Events are in no order; ids of everything added tell nothing.

    Args:
        practice: As built.
        seed: Everything random follows from it.
        share: How much of everything is planted.
    """

    def __init__(self, practice: Practice, seed: int, share: float) -> None:
        self.practice = practice
        self.seed = seed
        self.share = share
        self.words: Vocabulary = vocabulary()
        self.goods = practice.truth.behaviour.goods
        self.days = float(self.day(practice.events[-1].time)) if practice.events else 1.0
        self.items = {item.id: item for item in practice.items}
        self.customers = list(practice.customers)
        self.events = list(practice.events)
        self.passages = list(practice.passages)
        self.planted: list[Planted] = []
        self.forged: set[str] = set()
        self.forged_words: set[str] = set()
        self._made = 0

    def rng(self, part: str) -> np.random.Generator:
        """Random numbers of one part, whatever the others draw."""
        return np.random.default_rng([self.seed, *part.encode()])

    def count(self, of: int, times: float = 1.0) -> int:
        """How many to plant among `of`, at least one."""
        return max(1, round(of * self.share * times))

    def fresh(self, what: str, length: int = 10) -> str:
        """An id that was not there before."""
        self._made += 1
        return opaque(f"mischief-{what}", self.seed, self._made, length)

    def plant(self, kind: str, subject: str, detail: str = "") -> None:
        """Note the truth."""
        self.planted.append(Planted(kind, subject, detail))

    def account(self, day: float, language: int) -> str:
        """A new customer, registered on a day of the log."""
        name = self.fresh("customer")
        self.customers.append(
            Customer(id=name, language=LANGUAGES[language], created=self.time(max(0.0, day)).replace(microsecond=0))
        )
        return name

    def write(self, day: float, kind: EventKind, *, honest: bool = False, **fields: Any) -> None:
        """Write an event down, unless the log is over by then."""
        if not 0 <= day <= self.days:
            return
        event = Event(id=self.fresh("event", 16), time=self.time(day), kind=kind, **fields)
        self.events.append(event)
        if not honest:
            self.forged.add(event.id)

    def time(self, day: float) -> datetime:
        """The moment `day` days after the log's start."""
        return START + timedelta(milliseconds=round(day * 86_400_000))

    def day(self, time: datetime) -> float:
        """Days since the log's start."""
        return (time - START).total_seconds() / 86_400.0

    def on_sale(self, language: int, day: float) -> Ints:
        """Rows of what can be bought in a language on a day, int64 (n,)."""
        rows: Ints = np.flatnonzero((self.goods.language == language) & self.goods.on_sale(day))
        return rows

    def page(self, rows: Ints, surface: str, propensities: Floats | None = None) -> Impression:
        """What showing these rows, best first, is written down as."""
        chances = np.ones(len(rows)) if propensities is None else propensities
        return Impression(
            items=tuple(self.goods.ids[row] for row in rows.tolist()),
            positions=tuple(range(1, len(rows) + 1)),
            propensities=tuple(chances.tolist()),
            model="practice",
            surface=surface,
        )


def evening(rng: np.random.Generator, first: float, last: float) -> float:
    """A moment at which people shop, between two days."""
    day = np.floor(rng.uniform(first, max(first + 1e-6, last)))
    return float(day + np.clip(rng.normal(19.0, 3.4) - 8.0 * (rng.random() < 0.35), 0.0, 23.5) / 24.0)


def pauses(rng: np.random.Generator, count: int, seconds: float, *, regular: bool) -> Floats:
    """Lengths of pauses in days, float64 (count,): a program's, within 3 %, or a human's, which follow a gamma law."""
    drawn = seconds * rng.normal(1.0, 0.03, count) if regular else rng.gamma(1.5, seconds / 1.5, count) + 1.0
    return np.asarray(np.maximum(drawn, 0.05) / 86_400.0)
