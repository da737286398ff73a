"""Guards payments: judged as they come, with reasons; alerts wait for humans, whose decisions teach the next model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.registry import Registry
from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.columns import (
    DAY,
    FRAUD,
    GENUINE,
    TASK,
    Payment,
    Payments,
    currency_of,
    payment_id,
    payment_of,
    read_payments,
)
from shopkeeper.ranking.payments.features import payment_features
from shopkeeper.ranking.payments.model import Action, FraudModel
from shopkeeper.ranking.payments.reasons import reason_of
from shopkeeper.ranking.payments.runs import HOUR, MEMORY
from shopkeeper.ranking.payments.table import Feature
from shopkeeper.ranking.payments.windows import AHEAD, PaymentWindows
from shopkeeper.records import Decision, Event, EventKind, Reason, now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.protocols import Store

_REASONS: Final = 3
_ENOUGH: Final = 0.1
"""Least share of the strongest reason that another one must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the guard says of a payment.

    Attributes:
        payment: Its id; also the subject of its alert in the review queue.
        score: In [0, 1], the higher the more suspicious.
        probability: Of fraud, calibrated; None where nobody has labelled any yet.
        action: ``allow``, ``review`` or ``refuse``.
        reasons: What speaks against it most, the strongest first.
        model: Name and version of what judged.
    """

    payment: str
    score: float
    probability: float | None
    action: Action
    reasons: tuple[Reason, ...]
    model: str


class GuardTask:
    """Judges payments. Any number of threads; they take turns.

    Args:
        store: Past payments are read from it, alerts go to its review queue.
        bundle: What `train_fraud` saved.
        vectors: float32 (rows, d), the items' vectors that it was trained with, or None.
        row: The row of an item's vector, None where it has none.
    """

    def __init__(
        self,
        store: Store,
        bundle: Bundle,
        vectors: Floats | None = None,
        row: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self.bundle = bundle
        self.model = FraudModel.load(bundle.arrays(), bundle.parameters)
        self._store, self._row, self._lock = store, row, threading.Lock()
        self._vectors = vectors if self.model.words else None
        memory = timedelta(seconds=self.model.delay + MEMORY * HOUR + DAY)
        self._windows = PaymentWindows.of(
            self._read(now() - memory, None), self.model.kinds, self.model.medians, self._vectors, self.model.delay
        )

    def judge(self, lines: Sequence[Event], moment: datetime | None = None) -> Verdict:
        """Judge a payment before it is accepted, and count it among those that the next ones are compared with.

        Whatever is not allowed waits in the review queue. Judging the same payment again changes no counts.

        Args:
            lines: Purchase events of one payment.
            moment: The time now, for tests and replays.

        Raises:
            InputError: They are not one payment, or lie in the future.
        """
        payment = payment_of(lines)
        if payment.time > (now() if moment is None else moment).timestamp() + AHEAD:
            raise InputError(
                "This payment lies in the future.", where=f"payment {payment.id!r}", cure="Set the sender's clock."
            )
        with self._lock:
            features, values = self._windows.admit(payment, self._words(payment))
        table = self._table(features, values)
        score = float(self.model.scores(table)[0])
        verdict = Verdict(
            payment=payment.id,
            score=score,
            probability=score if self.model.trees else None,
            action=self.model.action(score, payment.amount, payment.currency),
            reasons=self._reasons(table),
            model=self.bundle.name,
        )
        if verdict.action is not Action.ALLOW:
            self._store.labels.propose([self._alert(payment, verdict)])
        return verdict

    def note(self, events: Iterable[Event]) -> int:
        """Count payments that were accepted without being judged; how many were new. Other events are passed over."""
        groups: dict[tuple[str, str, str], list[Event]] = {}
        for event in events:
            if event.kind is EventKind.PURCHASE and event.value is not None and event.value >= 0:
                groups.setdefault((payment_id(event), event.customer, currency_of(event)), []).append(event)
        with self._lock:
            return sum(self._note(payment_of(lines)) for lines in groups.values())

    def alerts(self, limit: int = 50) -> list[Decision]:
        """Payments that wait for a human, those that may cost most first."""
        return self._store.labels.pending(TASK, limit)

    def decide(self, payment: str, label: str, rater: str = "") -> Decision:
        """Note what a human found out about an alert; the next training learns from it, and the windows at once.

        Raises:
            InputError: The label is neither ``fraud`` nor ``genuine``.
            NotFoundError: There is neither an alert nor a payment of this id.
        """
        decision = decide(self._store, payment, label, rater)
        assert decision.time is not None
        with self._lock:
            self._windows.learn(payment, label == FRAUD, int(decision.time.timestamp()))
        return decision

    def recent(self, days: float, until: datetime | None = None) -> tuple[list[str], Floats]:
        """Features of the last days' payments: names, and float32 (n, f)."""
        until = now() if until is None else until
        memory = timedelta(seconds=self.model.delay + MEMORY * HOUR + DAY)
        payments = self._read(until - timedelta(days=days) - memory, until)
        names = [str(feature) for feature in self.model.features]
        first = (until - timedelta(days=days)).timestamp()
        rows = np.flatnonzero(payments.time >= first)
        if not len(rows):
            return names, np.zeros((0, len(names)), dtype=np.float32)
        features, table = payment_features(
            payments, rows, medians=self.model.medians, vectors=self._vectors, delay=self.model.delay
        )
        return names, aligned(table, features, self.model.features)

    def _read(self, start: datetime, end: datetime | None) -> Payments:
        events = (event for _, event in self._store.events.scan(kinds=[EventKind.PURCHASE], start=start, end=end))
        return read_payments(events, self._store.labels.decided(TASK), self._place)

    def _note(self, payment: Payment) -> bool:
        return self._windows.add(payment, self._words(payment))

    def _place(self, item: str) -> int | None:
        row = self._row(item) if self._vectors is not None else None
        return None if row is None or self._vectors is None or row >= len(self._vectors) else row

    def _words(self, payment: Payment) -> int:
        row = self._place(payment.item)
        return -1 if row is None else row

    def _table(self, features: Sequence[Feature], values: Floats) -> Floats:
        return aligned(values[None, :], features, self.model.features)

    def _reasons(self, table: Floats) -> tuple[Reason, ...]:
        parts = self.model.contributions(table)[0]
        order = np.argsort(-parts)[:_REASONS]
        enough = max(_ENOUGH * float(parts[order[0]]), 1e-9)
        strong = [place for place in order if parts[place] >= enough]
        return tuple(reason_of(self.model.features[place], float(table[0, place])) for place in strong)

    def _alert(self, payment: Payment, verdict: Verdict) -> Decision:
        why = "; ".join(reason.text["en"] for reason in verdict.reasons)
        places = ", ".join(f"{kind} {value}" for kind, value in payment.counterparts.items())
        said = f"{payment.amount:,.2f} {payment.currency}".strip() + (f" at {places}" if places else "")
        worth = self.model.worth(payment.amount, payment.currency) if verdict.probability is not None else 1.0
        return Decision(
            task=TASK,
            subject=payment.id,
            text=f"{said}; {verdict.action.value}, score {verdict.score:.3f}. {why}",
            proposal=FRAUD,
            score=verdict.score * worth,
            customer=payment.customer,
        )


def open_guard(store: Store, registry: Registry, shelf: Shelf, encode: Callable[[list[str]], Floats]) -> GuardTask:
    """The guard that the live bundle makes.

    Args:
        store: See `GuardTask`.
        registry: Where the bundle is.
        shelf: The items as they are served.
        encode: Vectors float32 (n, d) of items' passages; asked only where the bundle reads words.

    Raises:
        InputError: Nothing was learnt of payments.
    """
    bundle = registry.live(TASK)
    if bundle is None:
        raise InputError(
            "This shop has not learnt to judge payments.", where="guard", cure="Train on them: shopkeeper train fraud"
        )
    if not bundle.parameters["words"]:
        return GuardTask(store, bundle)
    vectors = encode([item.passage if item else "" for item in shelf.items])
    return GuardTask(store, bundle, vectors, shelf.row)


def decide(store: Store, payment: str, label: str, rater: str = "") -> Decision:
    """Note what became known of a payment: a human's answer to an alert, or a chargeback of one that was let through.

    Raises:
        InputError: The label is neither ``fraud`` nor ``genuine``.
        NotFoundError: There is neither an alert nor a payment of this id.
    """
    if label not in (FRAUD, GENUINE):
        raise InputError(
            f"{label!r} is no verdict on a payment.", where="label", cure=f"Answer {FRAUD!r} or {GENUINE!r}."
        )
    try:
        return store.labels.decide(TASK, payment, label, rater)
    except NotFoundError:
        events = (event for _, event in store.events.scan(kinds=[EventKind.PURCHASE]))
        found = next((event for event in events if payment_id(event) == payment), None)
        if found is None:
            raise NotFoundError(
                f"There is no payment {payment!r}.", where="payment", cure="Use the id that its events carry."
            ) from None
        text = f"{found.value or 0:,.2f} {currency_of(found)}, let through"
        store.labels.propose([Decision(task=TASK, subject=payment, text=text, customer=found.customer)])
        return store.labels.decide(TASK, payment, label, rater)


def aligned(table: Floats, given: Sequence[Feature], wanted: Sequence[Feature]) -> Floats:
    """Columns in the order that a model knows, NaN for those that are not given: float32 (n, f)."""
    places = {feature: place for place, feature in enumerate(given)}
    found = np.full((len(table), len(wanted)), np.nan, dtype=np.float32)
    for place, feature in enumerate(wanted):
        if feature in places:
            found[:, place] = table[:, places[feature]]
    return found
