"""What customers did, as columns: the one shape in which learning and serving read a log to foresee what comes.

A customer's deeds end at a moment. The last 500 count, and the last 500 purchases and returns, whatever there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from shopkeeper.models.text import Floats
from shopkeeper.records import Event, EventKind, Item, Passage
from shopkeeper.retrieval.aspects import feeling
from shopkeeper.retrieval.shelf import Shelf

Ints = NDArray[np.int64]
Values = NDArray[np.float64]

DAY: Final = 86_400.0
LOOK_BACK: Final = 500
"""Deeds that count, and purchases and returns."""
KINDS: Final = tuple(
    kind for kind in EventKind if kind not in (EventKind.IMPRESSION, EventKind.AD_IMPRESSION, EventKind.DISMISS)
)
"""Kinds that count; a kind's place is its code. What a customer mutes is no behaviour to learn from."""
CODE: Final[Mapping[EventKind, int]] = {kind: code for code, kind in enumerate(KINDS)}
ORDERS: Final = (CODE[EventKind.PURCHASE], CODE[EventKind.RETURN])
_BY_NAME: Final = {kind.value: code for kind, code in CODE.items()}


@dataclass(frozen=True, slots=True)
class Deeds:
    """Deeds of many customers, oldest first: customer c owns ``indptr[c]:indptr[c + 1]``.

    Attributes:
        indptr: int64 (customers + 1,).
        times: float64 (m,), seconds since 1970, not falling within a customer.
        kinds: int8 (m,), places in `KINDS`.
        values: float32 (m,), money in typical purchases of its currency, stars for reviews, NaN where unknown.
        sessions: int64 (m,), equal within a session, -1 without one.
        items: int64 (m,), shelf rows, -1 without a known one.
        categories: int64 (m,), places in `Taxonomy.names`, -1 without one.
        words: int64 (m,), places among the queries, -1 without one.
        feelings: float32 (m,), how the words of a review feel, from -1 to 1; NaN without any.
    """

    indptr: Ints
    times: Values
    kinds: NDArray[np.int8]
    values: Floats
    sessions: Ints
    items: Ints
    categories: Ints
    words: Ints
    feelings: Floats

    def __len__(self) -> int:
        """Number of customers."""
        return len(self.indptr) - 1

    @property
    def owners(self) -> Ints:
        """int64 (m,), the customer of every deed."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.indptr))

    def of(self, *kinds: EventKind) -> NDArray[np.bool_]:
        """Which deeds are of these kinds, bool (m,)."""
        return np.isin(self.kinds, [CODE[kind] for kind in kinds])

    def before(self, who: ArrayLike, at: ArrayLike) -> Deeds:
        """What customers had done strictly before a moment each: as many of the last as count.

        Args:
            who: int (n,), customers; one may stand there several times.
            at: float (n,), seconds since 1970.

        Returns:
            Deeds of n customers.
        """
        chosen, moments = np.asarray(who, dtype=np.int64), np.asarray(at, dtype=np.float64)
        start, end = self.indptr[chosen], self.indptr[chosen + 1]
        stop = first_not_before(self.times, start, end, moments)
        orders = np.concatenate([[0], np.cumsum(np.isin(self.kinds, ORDERS))])
        length = stop - start
        fresh = np.concatenate([[0], np.cumsum(length)])
        entries = np.repeat(start - fresh[:-1], length) + np.arange(fresh[-1])
        behind = np.repeat(stop, length) - entries
        later = np.repeat(orders[stop], length) - orders[entries]
        kept = (behind <= LOOK_BACK) | (np.isin(self.kinds[entries], ORDERS) & (later <= LOOK_BACK))
        counts = np.bincount(np.repeat(np.arange(len(chosen)), length)[kept], minlength=len(chosen))
        taken = entries[kept]
        names = ("times", "kinds", "values", "sessions", "items", "categories", "words", "feelings")
        columns = (getattr(self, name)[taken] for name in names)
        return Deeds(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), *columns)


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The categories that are told apart, and what money is worth in each currency.

    Attributes:
        names: Paths, cut at `depth`.
        depth: Levels of a path that count.
        scales: Currency to what a purchase typically costs in it; money is counted in these.
    """

    names: tuple[tuple[str, ...], ...]
    depth: int
    scales: Mapping[str, float]

    @property
    def places(self) -> dict[tuple[str, ...], int]:
        """Path to place."""
        return {path: place for place, path in enumerate(self.names)}

    def scale(self, item: Item | None) -> float:
        """What the unit of money is in an item's currency."""
        return self.scales.get(item.currency if item is not None else "", self.scales.get("", 1.0))


def read_deeds(
    frame: pl.DataFrame, shelf: Shelf, taxonomy: Taxonomy, names: Sequence[str] | None = None
) -> tuple[Deeds, list[str], list[str]]:
    """Read a frame of events (see `EventLog.frame`) as deeds.

    Args:
        frame: Columns time, kind, customer, session, item, query, value, by time; `feeling` where the words of reviews
            are known, see `with_feelings`.
        shelf: The items.
        taxonomy: Their categories and currencies.
        names: Customers wanted, in this order; None for all in the frame.

    Returns:
        The deeds, the name of each customer, and the queries that `Deeds.words` counts.
    """
    told = frame.filter((pl.col("customer") != "") & pl.col("kind").is_in(list(_BY_NAME)))
    if "feeling" not in told.columns:
        told = told.with_columns(pl.lit(None, dtype=pl.Float64).alias("feeling"))
    people = list(names) if names is not None else told["customer"].unique(maintain_order=True).to_list()
    told = told.join(_codes("customer", "owner", people), on="customer", how="left", maintain_order="left").filter(
        pl.col("owner").is_not_null()
    )
    items = told["item"].unique().to_list()
    rows = [shelf.row(item) for item in items]
    goods = [shelf.items[row] if row is not None else None for row in rows]
    places = taxonomy.places
    known = pl.DataFrame(
        {
            "item": items,
            "row": [-1 if row is None else row for row in rows],
            "category": [
                places.get(item.category[: taxonomy.depth], -1) if item is not None and item.category else -1
                for item in goods
            ],
            "unit": [taxonomy.scale(item) for item in goods],
        },
        schema={"item": pl.String, "row": pl.Int64, "category": pl.Int64, "unit": pl.Float64},
    )
    typed = told.filter(pl.col("kind") == EventKind.SEARCH.value)["query"].unique(maintain_order=True)
    queries = [query for query in typed.to_list() if query]
    sessions = told["session"].unique(maintain_order=True).to_list()
    whole = (
        told.join(known, on="item", how="left", maintain_order="left")
        .join(_codes("query", "words", queries), on="query", how="left", maintain_order="left")
        .join(_codes("session", "visit", sessions), on="session", how="left", maintain_order="left")
        .with_columns(pl.col("kind").replace_strict(_BY_NAME, return_dtype=pl.Int8).alias("code"))
        .sort("owner", maintain_order=True)
    )
    money = pl.col("code").is_in(ORDERS)
    whole = whole.with_columns(pl.when(money).then(pl.col("value") / pl.col("unit")).otherwise(pl.col("value")))
    searched = (pl.col("code") == CODE[EventKind.SEARCH]) & pl.col("words").is_not_null()
    counts = np.bincount(whole["owner"].to_numpy(), minlength=len(people)) if len(people) else np.zeros(0)
    deeds = Deeds(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        whole["time"].dt.epoch("us").to_numpy() / 1e6,
        whole["code"].to_numpy(),
        whole["value"].fill_null(float("nan")).cast(pl.Float32).to_numpy(),
        whole.select(pl.when(pl.col("session") != "").then("visit").otherwise(-1).alias("at"))["at"].to_numpy(),
        whole["row"].to_numpy(),
        whole["category"].to_numpy(),
        whole.select(pl.when(searched).then("words").otherwise(-1).alias("at"))["at"].to_numpy(),
        whole["feeling"].fill_null(float("nan")).cast(pl.Float32).to_numpy(),
    )
    return deeds, people, queries


def deeds_of(
    events: Sequence[Event], reviews: Iterable[Passage], shelf: Shelf, taxonomy: Taxonomy
) -> tuple[Deeds, list[str]]:
    """The deeds of one customer and their queries: what `read_deeds` and `with_feelings` give, without a table.

    Args:
        events: Theirs, oldest first.
        reviews: Theirs.
        shelf: The items.
        taxonomy: Their categories and currencies.
    """
    told = [event for event in events if event.kind in CODE]
    felt = {one.item: feeling(f"{one.title}. {one.text}") for one in reviews if one.item and one.text}
    rows = {event.item: shelf.row(event.item) for event in told if event.item}
    goods = {name: shelf.items[row] for name, row in rows.items() if row is not None}
    places, queries, sessions = taxonomy.places, dict[str, int](), dict[str, int]()
    columns = []
    for event in told:
        item, value = goods.get(event.item), float("nan") if event.value is None else event.value
        typed = event.query if event.kind is EventKind.SEARCH else ""
        row = rows.get(event.item)
        columns.append(
            (
                event.time.timestamp(),
                CODE[event.kind],
                value / taxonomy.scale(item) if CODE[event.kind] in ORDERS else value,
                sessions.setdefault(event.session, len(sessions)) if event.session else -1,
                -1 if row is None else row,
                places.get(item.category[: taxonomy.depth], -1) if item is not None and item.category else -1,
                queries.setdefault(typed, len(queries)) if typed else -1,
                felt.get(event.item, float("nan")) if event.kind is EventKind.REVIEW else float("nan"),
            )
        )
    types = (np.float64, np.int8, np.float32, np.int64, np.int64, np.int64, np.int64, np.float32)
    table = zip(*columns, strict=True) if columns else ((),) * len(types)
    arrays = (np.array(column, dtype=kind) for column, kind in zip(table, types, strict=True))
    return Deeds(np.array([0, len(told)], dtype=np.int64), *arrays), list(queries)


def with_feelings(frame: pl.DataFrame, reviews: Iterable[Passage]) -> pl.DataFrame:
    """The same frame, each review event with how the words of that customer about that item feel, where there are any."""
    felt = {
        (review.customer, review.item): feeling(f"{review.title}. {review.text}")
        for review in reviews
        if review.customer and review.item and review.text
    }
    known = pl.DataFrame(
        [(customer, item, EventKind.REVIEW.value, value) for (customer, item), value in felt.items()],
        schema={"customer": pl.String, "item": pl.String, "kind": pl.String, "feeling": pl.Float64},
        orient="row",
    )
    return frame.join(known, on=["customer", "item", "kind"], how="left", maintain_order="left")


def frame_of(events: Sequence[Event]) -> pl.DataFrame:
    """Events as `EventLog.frame` gives them, for `read_deeds`; by time."""
    columns = ("kind", "customer", "session", "item", "query", "value")
    rows = [(event.time, *(getattr(event, name) for name in columns)) for event in events]
    schema: dict[str, pl.DataType] = {"time": pl.Datetime("us", "UTC")}
    schema |= {name: pl.Float64() if name == "value" else pl.String() for name in columns}
    return pl.DataFrame(
        [(time, kind.value, *rest) for time, kind, *rest in rows],
        schema=schema,
        orient="row",
    ).sort("time", maintain_order=True)


def taxonomy_of(shelf: Shelf, purchases: pl.DataFrame, least: int = 40) -> Taxonomy:
    """Categories at the shallowest level with at least so many of them, and what purchases typically cost.

    Args:
        shelf: The items.
        purchases: Columns item and value; the median by the item's currency is its scale.
        least: Categories wanted; the deepest level where no level has so many.
    """
    items = [item for item in shelf.items if item is not None and item.category]
    deepest = max((len(item.category) for item in items), default=1)
    depth = next(
        (level for level in range(1, deepest) if len({item.category[:level] for item in items}) >= least), deepest
    )
    rows = {item: shelf.row(item) for item in purchases["item"].unique().to_list()}
    currency = {item: shelf.item(row).currency for item, row in rows.items() if row is not None}
    paid = purchases.filter(pl.col("value") > 0).with_columns(
        pl.col("item").replace_strict(currency, default="", return_dtype=pl.String).alias("currency")
    )
    scales = dict(paid.group_by("currency").agg(pl.col("value").median()).iter_rows())
    scales.setdefault("", float(paid["value"].median() or 1.0))  # type: ignore[arg-type]
    names = sorted({item.category[:depth] for item in items})
    return Taxonomy(tuple(names), depth, {key: float(value) for key, value in scales.items() if value > 0})


def _codes(column: str, code: str, values: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {column: list(values), code: np.arange(len(values), dtype=np.int64)},
        schema={column: pl.String(), code: pl.Int64()},
    )


def first_not_before(times: Values, start: Ints, end: Ints, moments: Values) -> Ints:
    """For each slice [start, end) of times the first place at or after its moment: bisection of all at once."""
    low, high = start.copy(), end.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        below = np.zeros(len(low), dtype=np.bool_)
        below[open_] = times[middle[open_]] < moments[open_]
        low = np.where(open_ & below, middle + 1, low)
        high = np.where(open_ & ~below, middle, high)
    return low
