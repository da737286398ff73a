"""Everything that customers rated, as columns: from reviews with stars, and from review events without words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError
from shopkeeper.records import EventKind, Passage, PassageKind

Ints = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Ratings:
    """Who rated what, one row a rating; r in all.

    Attributes:
        raters: Customer ids, those without a rating included.
        items: Item ids.
        rater: int64 (r,), place in `raters`.
        item: int64 (r,), place in `items`.
        rating: float64 (r,), stars.
        time: float64 (r,), seconds since 1970, NaN where unknown.
        bought: float64 (r,), 1 where the rater had bought the item before, 0 where not, NaN where that is not known.
        praise: float64 (r,), probability that the words are positive, NaN where there are none or nobody read them.
        texts: The words, empty where there are none; an empty list where nobody wrote.
    """

    raters: Sequence[str]
    items: Sequence[str]
    rater: Ints
    item: Ints
    rating: Values
    time: Values
    bought: Values
    praise: Values
    texts: Sequence[str] = field(default=())

    @classmethod
    def of(
        cls,
        customers: Sequence[str],
        items: Sequence[str],
        rating: ArrayLike,
        *,
        time: ArrayLike | None = None,
        bought: ArrayLike | None = None,
        praise: ArrayLike | None = None,
        texts: Sequence[str] = (),
        also: Iterable[str] = (),
    ) -> Self:
        """Columns of equal length as ratings; several ratings of an item by one customer stay, as in the shop.

        Args:
            customers: Who rated, r names.
            items: What, r names.
            rating: float (r,), stars.
            time: float (r,), seconds since 1970.
            bought: float (r,), see above.
            praise: float (r,), in [0, 1].
            texts: r texts, or none.
            also: Customers who may have rated nothing.

        Raises:
            InputError: The columns differ in length, or a rating is not a finite number.
        """
        stars = np.asarray(rating, dtype=np.float64)
        columns = [np.full(len(stars), np.nan) if c is None else np.asarray(c, float) for c in (time, bought, praise)]
        lengths = {len(customers), len(items), len(stars), *map(len, columns), len(texts) or len(stars)}
        if len(lengths) > 1:
            raise InputError(f"The columns have {sorted(lengths)} rows.", where="ratings", cure="Give equal lengths.")
        if not np.isfinite(stars).all():
            row = int(np.flatnonzero(~np.isfinite(stars))[0])
            raise InputError(f"The rating is {stars[row]}.", where=f"row {row}", cure="Leave out what was not rated.")
        names = {name: place for place, name in enumerate(dict.fromkeys([*customers, *also]))}
        wares = {name: place for place, name in enumerate(dict.fromkeys(items))}
        who = np.array([names[name] for name in customers], dtype=np.int64)
        what = np.array([wares[name] for name in items], dtype=np.int64)
        moments, orders, praised = columns
        return cls(list(names), list(wares), who, what, stars, moments, orders, praised, texts)

    def __len__(self) -> int:
        """Number of ratings."""
        return len(self.rating)

    @cached_property
    def raised(self) -> Ints:
        """int64 (items,), ratings of each item."""
        return np.bincount(self.item, minlength=len(self.items))

    @cached_property
    def scale(self) -> tuple[float, float]:
        """The least and the most that anybody gave."""
        return (float(self.rating.min()), float(self.rating.max())) if len(self) else (0.0, 0.0)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Ratings:
        """Some of the ratings; raters and items stay, also those left without any."""
        places = np.arange(len(self))[rows]
        names = ("rater", "item", "rating", "time", "bought", "praise")
        columns = {name: getattr(self, name)[places] for name in names}
        texts = [self.texts[place] for place in places.tolist()] if len(self.texts) else ()
        return replace(self, **columns, texts=texts)


def read_ratings(passages: Iterable[Passage], frame: pl.DataFrame) -> Ratings:
    """What customers rated, from the store.

    A review counts once: as the passage, or, where there is none of the same customer on the same item, as the event.
    Whether the rater had bought the item is known where the log holds purchases at all.

    Args:
        passages: Reviews; those without customer, item or stars are left out.
        frame: Events as `EventLog.frame` gives them; reviews and purchases are read.
    """
    reviews = [
        (p.customer, p.item, float(p.rating), p.time.timestamp() if p.time else np.nan, p.text or p.title)
        for p in passages
        if p.kind is PassageKind.REVIEW and p.customer and p.item and p.rating is not None
    ]
    known = {review[:2] for review in reviews}
    told = frame.filter((pl.col("customer") != "") & (pl.col("item") != ""))
    told = told.with_columns(seconds=pl.col("time").dt.epoch("us") / 1e6)
    starred = told.filter((pl.col("kind") == EventKind.REVIEW.value) & pl.col("value").is_not_null())
    for customer, item, stars, seconds in starred.select("customer", "item", "value", "seconds").iter_rows():
        if (customer, item) not in known:
            reviews.append((customer, item, stars, seconds, ""))
    orders = told.filter(pl.col("kind") == EventKind.PURCHASE.value).group_by("customer", "item")
    first = {row[:2]: row[2] for row in orders.agg(pl.col("seconds").min()).iter_rows()}
    never = np.inf if first else np.nan
    bought = [
        1.0 if at <= (time if time == time else np.inf) and at < np.inf else (0.0 if at == at else np.nan)
        for at, time in ((first.get(review[:2], never), review[3]) for review in reviews)
    ]
    columns = list(zip(*reviews, strict=True)) if reviews else [()] * 5
    words = columns[4] if any(columns[4]) else ()
    return Ratings.of(columns[0], columns[1], columns[2], time=columns[3], bought=bought, texts=words)


def share_by(values: ArrayLike, groups: Ints, count: int) -> Values:
    """Mean of the values of each group that are not NaN: float64 (count,), NaN for a group without any."""
    array = np.asarray(values, dtype=np.float64)
    told = ~np.isnan(array)
    total = np.bincount(groups[told], weights=array[told], minlength=count)
    number = np.bincount(groups[told], minlength=count)
    return np.asarray(np.divide(total, number, out=np.full(count, np.nan), where=number > 0))
