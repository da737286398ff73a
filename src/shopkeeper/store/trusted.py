"""A store without what flagged visitors did, and with the rest as far as it is trusted: for learning that must not follow fraud."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from shopkeeper.errors import InputError
from shopkeeper.records import Event
from shopkeeper.store.protocols import Store
from shopkeeper.store.views import LogView, View, WordsView

TRUST: Final = "trust"
"""Column of a frame: how far the customer of each event counts, float64 in (0, 1]; missing where all count fully."""
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
        trust: How far customers count, in [0, 1]; all others fully. Who counts for nothing is not there. Whoever counts for
            less than others is there, and frames say how much in the column `TRUST`.

    Raises:
        InputError: The share is not in [0, 1), or a trust not in [0, 1].
    """

    def __init__(
        self,
        store: Store,
        flagged: Collection[str] = (),
        *,
        keep: float = 0.0,
        trust: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        if not 0 <= keep < 1:
            raise InputError(f"{keep} is no share of events to keep.", where="keep", cure="Take one from 0 to below 1.")
        for name, weight in trust.items():
            if not 0 <= weight <= 1:
                raise InputError(f"{weight} is no trust.", where=name, cure="Give numbers between 0 and 1.")
        names = frozenset(flagged)
        sessions = frozenset(name.removeprefix(_UNNAMED) for name in names if name.startswith(_UNNAMED))
        gone = frozenset(name for name, weight in trust.items() if weight == 0)
        lower = {name: weight for name, weight in trust.items() if 0 < weight < 1}
        sieve = _Sieve(names - {_UNNAMED + session for session in sessions}, sessions, keep, gone, lower)
        silent = sieve.customers | gone
        super().__init__(
            store,
            LogView(store.events, sieve.passes, sieve.sift),
            WordsView(store.words, lambda passage: passage.customer not in silent),
        )


@dataclass(frozen=True, slots=True)
class _Sieve:
    customers: frozenset[str]
    sessions: frozenset[str]
    keep: float
    gone: frozenset[str]
    trust: Mapping[str, float]

    def passes(self, event: Event) -> bool:
        if event.customer in self.gone:
            return False
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
        if self.gone:
            frame = frame.filter(~pl.col("customer").is_in(list(self.gone)))
        if self.trust:
            trust = pl.col("customer").replace_strict(dict(self.trust), default=1.0, return_dtype=pl.Float64)
            frame = frame.with_columns(trust.alias(TRUST))
        if not self.keep:
            return frame.filter(~suspect)
        marks = frame.select(suspect.alias("suspect"))["suspect"].to_list()
        passed = [not mark or self.spared(event) for mark, event in zip(marks, frame["id"].to_list(), strict=True)]
        return frame.filter(pl.Series(passed, dtype=pl.Boolean))
