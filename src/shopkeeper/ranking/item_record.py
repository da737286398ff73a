"""What the log and the catalogue say of every item whoever asks: looks, clicks, sales, stars, popularity, price level.

Counts are kept event by event, and read as of now: a model that learns from a replayed log sees what serving would have
seen at that moment. An item of which little is known has the rates of its category, and a category those of the shop:

    rate = (clicks + s x rate above) / (looks + s)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.shelf import Rows, Shelf

Floats = NDArray[np.float64]

SHOWN: Final = (EventKind.IMPRESSION, EventKind.AD_IMPRESSION)
"""Kinds of events that show items."""
REACTED: Final = (EventKind.CLICK, EventKind.AD_CLICK, EventKind.VIEW, EventKind.CART, EventKind.PURCHASE)
"""Kinds that imply a click where they name the answer they react to."""
WINDOW: Final = 7 * 86_400.0
"""Seconds after a click within which a purchase of the item counts as its sale."""
CLICK_PRIOR, SALE_PRIOR = 0.08, 0.06
"""Rates of a shop of which nothing is known."""

_LOOKS, _CLICKS, _SALES = range(3)
_ITEM, _CATEGORY, _SHOP = 30.0, 60.0, 200.0
"""Looks that the rate above weighs against an item's, a category's and the shop's own."""
_BUYERS = 0.2
"""What a click weighs against a look where sales of clicks are smoothed: fewer are there, and they vary more."""
_HALF_LIFE = 30 * 86_400.0
_STARS = 5.0
"""Reviews that the shop's mean weighs against an item's own."""
_ARRAYS: Final = ("counts", "stars", "popular", "touched")


class Known(NamedTuple):
    """What is known of n items; float64 (n,) each.

    Attributes:
        clicks: Clicks for each look at place one, smoothed, in (0, 1).
        click_evidence: looks / (looks + 30).
        sales: Sales for each click, smoothed, in (0, 1).
        sale_evidence: As `click_evidence`, of clicks.
        popularity: log(1 + what was done with it lately, fading by half in 30 days).
        stars: Mean of its reviews, drawn to the shop's mean.
        reviews: log(1 + reviews).
        price: Logarithm of the price over the median of its category; 0 where unknown.
    """

    clicks: Floats
    click_evidence: Floats
    sales: Floats
    sale_evidence: Floats
    popularity: Floats
    stars: Floats
    reviews: Floats
    price: Floats


def everybody(_: str) -> float:
    """Trust in a customer where all count fully: 1."""
    return 1.0


class ItemRecord:
    """Counts by row of a shelf, kept up to date event by event by one writer.

    Args:
        shelf: The items; rows that come later begin with nothing.
        examined: By `place_key`, how often each place is looked at, float (places,), in (0, 1]; lower places count as the
            last; under ``""`` for all others. What is not there falls like 1 / log2(1 + place).
        pages: How many pages, and clicks, are remembered for what may still come of them.
        trust: How far the stars of a customer count, and what else speaks for an item's popularity, in [0, 1].
    """

    def __init__(
        self,
        shelf: Shelf,
        examined: Mapping[str, Floats] | None = None,
        *,
        pages: int = 50_000,
        trust: Callable[[str], float] = everybody,
    ) -> None:
        self.examined = dict(examined or {})
        self.latest = 0.0
        """Seconds since 1970 of the newest event."""
        self._shelf, self._trust = shelf, trust
        self._most = pages
        self._pages: OrderedDict[tuple[bool, str], set[str]] = OrderedDict()  # what was not clicked yet
        self._clicked: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._words: dict[int, tuple[object, frozenset[str]]] = {}
        self._counts = np.zeros((0, 3))
        self._stars = np.zeros((0, 2))
        self._popular, self._touched = np.zeros(0), np.zeros(0)
        self._above = np.zeros((0, 3))
        self._total, self._rated = np.zeros(3), np.zeros(2)
        self._grow()
        self._medians = _medians(shelf)

    def looked(self, key: str, places: Sequence[int]) -> Floats:
        """How often places, 1-based, are looked at on the pages of a `place_key`: float64 (n,)."""
        place = np.asarray(places, dtype=np.int64)
        curve = self.examined.get(key, self.examined.get(""))
        if curve is None or not len(curve):
            return np.asarray(1 / np.log2(1 + np.maximum(place, 1)))
        return np.asarray(curve[np.clip(place, 1, len(curve)) - 1], dtype=np.float64)

    def fold(self, events: Iterable[Event]) -> None:
        """Take in events, in order of time. A click that names a page never shown counts for nothing, nor does a second."""
        self._grow()
        for event in events:
            self.latest = max(self.latest, event.time.timestamp())
            if event.kind in SHOWN:
                self._show(event)
                continue
            row = self._shelf.row(event.item)
            if row is None or row >= len(self._counts):
                continue
            if event.kind is EventKind.REVIEW and event.value is not None:
                weight = self._trust(event.customer)
                self._stars[row] += (weight * event.value, weight)
                self._rated += (weight * event.value, weight)
            elif event.kind in REACTED:
                self._react(event, row)
            if (strength := STRENGTH.get(event.kind, 0.0)) > 0:
                at = event.time.timestamp()
                faded = 0.5 ** (max(at - self._touched[row], 0.0) / _HALF_LIFE)
                self._popular[row] = self._popular[row] * faded + strength * self._trust(event.customer)
                self._touched[row] = max(at, self._touched[row])

    def at(self, rows: Rows, time: float = 0.0) -> Known:
        """What is known of rows, int64 (n,), at a time in seconds since 1970; 0 means after the newest event."""
        self._grow()
        shelf = self._shelf
        own, category = self._counts[rows], shelf.category_codes[rows]
        above = self._above[np.minimum(category, len(self._above) - 1)]
        clicks, evidence = _drawn(own, above, self._total, _CLICKS, _LOOKS, CLICK_PRIOR, 1.0)
        sales, sold = _drawn(own, above, self._total, _SALES, _CLICKS, SALE_PRIOR, _BUYERS)
        age = np.maximum((time or self.latest) - self._touched[rows], 0.0)
        mean = (self._rated[0] + 4 * _STARS) / (self._rated[1] + _STARS)
        stars, reviews = self._stars[rows, 0], self._stars[rows, 1]
        return Known(
            clicks,
            evidence,
            sales,
            sold,
            np.log1p(self._popular[rows] * 0.5 ** (age / _HALF_LIFE)),
            (stars + _STARS * mean) / (reviews + _STARS),
            np.log1p(reviews),
            self._price(rows, category),
        )

    def words(self, row: int) -> frozenset[str]:
        """Terms of an item's title, brand, category and attributes; empty for a removed one."""
        item = self._shelf.items[row]
        if item is None:
            return frozenset()
        found = self._words.get(row)
        if found is None or found[0] is not item:
            text = " ".join((item.title, item.brand, *item.category, *item.attributes.values()))
            found = self._words[row] = (item, frozenset(terms(text)))
        return found[1]

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON values that `load` reads back; what people clicked lately is not kept."""
        told = np.flatnonzero(self._counts.any(axis=1) | self._stars.any(axis=1) | (self._popular > 0))
        ids = self._shelf.ids
        arrays: dict[str, NDArray[Any]] = {f"record.{name}": getattr(self, f"_{name}")[told] for name in _ARRAYS}
        arrays |= {f"examined.{key}": curve for key, curve in self.examined.items()}
        return arrays, {"items": [ids[row] for row in told.tolist()], "latest": self.latest}

    @classmethod
    def load(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        values: Mapping[str, Any],
        shelf: Shelf,
        trust: Callable[[str], float] = everybody,
    ) -> ItemRecord:
        """Read what `save` wrote; items that are no longer on the shelf are left out.

        Raises:
            ModelError: Something is missing.
        """
        examined = {
            key.removeprefix("examined."): curve for key, curve in arrays.items() if key.startswith("examined.")
        }
        record = cls(shelf, examined, trust=trust)
        try:
            found = [(place, row) for place, item in enumerate(values["items"]) if (row := shelf.row(item)) is not None]
            places, rows = (np.array([pair[end] for pair in found], dtype=np.int64) for end in (0, 1))
            for name in _ARRAYS:
                getattr(record, f"_{name}")[rows] = arrays[f"record.{name}"][places]
            record.latest = float(values["latest"])
        except (KeyError, IndexError) as error:
            raise ModelError(f"The record of the items lacks {error}.", cure="Train the task `ads` again.") from error
        record._sum_up()
        return record

    def _show(self, event: Event) -> None:
        shown, name = event.impression, (event.kind is EventKind.AD_IMPRESSION, event.request or event.id)
        if shown is None or name in self._pages:
            return
        self._pages[name] = set(shown.items)
        if len(self._pages) > self._most:
            self._pages.popitem(last=False)
        looks = self.looked(place_key(event), shown.positions)
        for item, look in zip(shown.items, looks.tolist(), strict=True):
            if (row := self._shelf.row(item)) is not None and row < len(self._counts):
                self._count(row, _LOOKS, look)

    def _react(self, event: Event, row: int) -> None:
        who = (event.customer or event.session, event.item)
        pages = [page for paid in (True, False) if (page := self._pages.get((paid, event.request))) is not None]
        waiting = next((page for page in pages if event.item in page), None)
        if waiting is not None:
            waiting.discard(event.item)
            self._count(row, _CLICKS, 1.0)
            self._clicked[who] = event.time.timestamp()
            self._clicked.move_to_end(who)
            if len(self._clicked) > self._most:
                self._clicked.popitem(last=False)
        if event.kind is EventKind.PURCHASE and event.time.timestamp() - self._clicked.pop(who, -np.inf) <= WINDOW:
            self._count(row, _SALES, 1.0)

    def _count(self, row: int, what: int, value: float) -> None:
        self._counts[row, what] += value
        self._above[self._shelf.category_codes[row], what] += value
        self._total[what] += value

    def _grow(self) -> None:
        rows, categories = len(self._shelf), len(self._shelf.categories.values)
        if rows > len(self._counts):
            more = max(rows, int(1.3 * len(self._counts))) - len(self._counts)
            self._counts = np.pad(self._counts, ((0, more), (0, 0)))
            self._stars = np.pad(self._stars, ((0, more), (0, 0)))
            self._popular, self._touched = np.pad(self._popular, (0, more)), np.pad(self._touched, (0, more))
        if categories > len(self._above):
            self._above = np.pad(self._above, ((0, categories - len(self._above)), (0, 0)))

    def _sum_up(self) -> None:
        codes = self._shelf.category_codes
        self._above[:] = 0.0
        np.add.at(self._above, codes, self._counts[: len(codes)])
        self._total, self._rated = self._counts.sum(axis=0), self._stars.sum(axis=0)

    def _price(self, rows: Rows, category: NDArray[np.int32]) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.log(self._shelf.prices[rows].astype(np.float64))
        usual = self._medians[np.minimum(category, len(self._medians) - 1)]
        return np.asarray(np.clip(np.nan_to_num(own - usual, nan=0.0, posinf=0.0, neginf=0.0), -3.0, 3.0))


def place_key(event: Event) -> str:
    """What the places of a page share how they are looked at with: its surface, ads apart from what was not paid for."""
    surface = event.impression.surface if event.impression is not None else ""
    return f"ad {surface}" if event.kind is EventKind.AD_IMPRESSION else surface


def _drawn(
    own: Floats, above: Floats, total: Floats, what: int, of: int, prior: float, scale: float
) -> tuple[Floats, Floats]:
    """Smoothed rate of `what` for each `of`, and the evidence for the item's own: float64 (n,) each."""
    shop = (total[what] + scale * _SHOP * prior) / (total[of] + scale * _SHOP)
    kind = (above[:, what] + scale * _CATEGORY * shop) / (above[:, of] + scale * _CATEGORY)
    rate = (own[:, what] + scale * _ITEM * kind) / (own[:, of] + scale * _ITEM)
    return np.clip(rate, 1e-5, 1 - 1e-5), own[:, of] / (own[:, of] + scale * _ITEM)


def _medians(shelf: Shelf) -> Floats:
    """Logarithm of the median price of each category, float64 (categories,); NaN where no price is known."""
    prices, codes = shelf.prices.astype(np.float64), shelf.category_codes
    known = np.isfinite(prices) & (prices > 0)
    found = np.full(len(shelf.categories.values), np.nan)
    order = np.argsort(codes[known], kind="stable")
    values, own = np.log(prices[known])[order], codes[known][order]
    for part in np.split(np.arange(len(own)), np.flatnonzero(np.diff(own)) + 1):
        if len(part):
            found[own[part[0]]] = np.median(values[part])
    return found
