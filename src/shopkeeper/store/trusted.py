"""A store without what flagged visitors did: for learning that must not follow robots and fraud."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from shopkeeper.errors import InputError
from shopkeeper.records import Event
from shopkeeper.store.protocols import Store
from shopkeeper.store.views import LogView, View, WordsView

_UNNAMED = "session:"
_PARTS = 2**32


class Trusted(View):
    """`store` without the events and reviews of flagged visitors, or with few of their events. Read-only, see `View`.

    It may stand on another view, such as `store.until.Until`.

    Args:
        store: What everybody did.
        flagged: Customers' ids, and ``session:`` and a session for events without a customer; see
            `tasks.guard.visitor_check.flagged`.
        keep: Share of their events that still counts, chosen by a hash of the event's id, so that every reader sees the
            same ones. Their reviews go whatever it is.

    Raises:
        InputError: The share is not in [0, 1).
    """

    def __init__(self, store: Store, flagged: Collection[str], *, keep: float = 0.0) -> None:
        if not 0 <= keep < 1:
            raise InputError(f"{keep} is no share of events to keep.", where="keep", cure="Take one from 0 to below 1.")
        names = frozenset(flagged)
        sessions = frozenset(name.removeprefix(_UNNAMED) for name in names if name.startswith(_UNNAMED))
        sieve = _Sieve(names - {_UNNAMED + session for session in sessions}, sessions, keep)
        super().__init__(
            store,
            LogView(store.events, sieve.passes, sieve.sift),
            WordsView(store.words, lambda passage: passage.customer not in sieve.customers),
        )


@dataclass(frozen=True, slots=True)
class _Sieve:
    customers: frozenset[str]
    sessions: frozenset[str]
    keep: float

    def passes(self, event: Event) -> bool:
        suspect = event.customer in self.customers if event.customer else event.session in self.sessions
        return not suspect or self.spared(event.id)

    def spared(self, event: str) -> bool:
        number = int.from_bytes(hashlib.blake2s(event.encode(), digest_size=4).digest(), "big")
        return number < self.keep * _PARTS

    def sift(self, frame: pl.DataFrame) -> pl.DataFrame:
        named = pl.col("customer") != ""
        suspect = (named & pl.col("customer").is_in(list(self.customers))) | (
            ~named & pl.col("session").is_in(list(self.sessions))
        )
        if not self.keep:
            return frame.filter(~suspect)
        marks = frame.select(suspect.alias("suspect"))["suspect"].to_list()
        passed = [not mark or self.spared(event) for mark, event in zip(marks, frame["id"].to_list(), strict=True)]
        return frame.filter(pl.Series(passed, dtype=pl.Boolean))
