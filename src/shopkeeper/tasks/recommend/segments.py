"""Telling strangers apart by what the shop allows: which customers' favourites they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from shopkeeper.records import Customer, Request
from shopkeeper.retrieval.histories import Histories
from shopkeeper.retrieval.segments import SegmentPopularity, segment_popularity
from shopkeeper.store.protocols import Customers


class Segments:
    """The segments of customers, by the attributes that the settings name and by no other.

    Args:
        allowed: Names with commas: ``language`` and attributes of customers.
        customers: Their records.
    """

    def __init__(self, allowed: str, customers: Customers) -> None:
        self._allowed = tuple(name.strip() for name in allowed.split(",") if name.strip())
        self._customers = customers

    def customer(self, name: str) -> Customer | None:
        """One customer's record."""
        return self._customers.get([name]).get(name)

    def of(self, request: Request) -> list[str]:
        """Labels of whoever asks, e.g. ``language=zh``; what the request says of the language goes before the record."""
        known = self.customer(request.customer) if request.customer else None
        return self._labels(known, request.language)

    def popularity(
        self, histories: Histories, names: Sequence[str], width: int, half_life: float, until: float
    ) -> SegmentPopularity:
        """What is popular in each segment.

        Args:
            histories: Of all users.
            names: The customer id of each; visitors' sessions belong to no segment.
            width: Number of rows of the shelf.
            half_life: Days after which an event counts half.
            until: Now, in seconds since 1970.
        """
        known = self._customers.get([name for name in names if not name.startswith("session:")])
        labels = [tuple(self._labels(known.get(name), "")) for name in names]
        return segment_popularity(histories, labels, width, half_life=half_life, until=until)

    def _labels(self, customer: Customer | None, language: str) -> list[str]:
        told = dict(customer.attributes) if customer else {}
        told["language"] = language or (customer.language if customer else "")
        return [f"{name}={told[name]}" for name in self._allowed if told.get(name)]
