"""Next item on Amazon 2014 Beauty or Toys (`--set`): leave one out, full ranking, tuned on validation, test touched once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.next_items import Scorer, Split, measures, ranks
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.recipes.behaviour import splits, train_behaviour
from shopkeeper.records import Event, EventKind, Item
from shopkeeper.retrieval.histories import Floats, Source
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.tasks.behaviour import Parameters, fit

_START = datetime(2014, 1, 1, tzinfo=UTC)
_BATCH = 20_000


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "beauty") -> list[Row]:  # noqa: A002
    """Popularity, tuned item-kNN, words, MiniLM and our blend.

    All sources are fitted on the training part only (everything but the last two items of each user); the input at test
    time is everything before the last item. The last row is fitted on the validation items as well, as many papers do.

    Args:
        data: Folder of the public data sets.
        quick: 3,000 users and no encoder.
        seed: Which validation users are looked at; the bootstrap.
        set: ``beauty`` or ``toys``.
    """
    folder = data / "amazon-2014-seqrec" / set
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        store = open_store(f"sqlite:///{home / 'shop.db'}")
        try:
            fill(store, folder, users=3_000 if quick else None)
            return _compare(store, Settings.model_validate({"home": home, "compute": {"seed": seed}}), quick, seed)
        finally:
            store.close()


def fill(store: SqlStore, folder: Path, users: int | None = None) -> None:
    """Put the items and the purchases into a store. The files have no times: a user's purchases stand seconds apart."""
    items = pl.read_parquet(folder / "items.parquet")
    store.catalogue.put(_item(row) for row in items.iter_rows(named=True))
    ids = dict(zip(items["item"], items["asin"], strict=True))
    events: list[Event] = []
    for user, sequence in pl.read_parquet(folder / "sequences.parquet").head(users or 10**9).iter_rows():
        for place, item in enumerate(sequence):
            moment = _START + timedelta(seconds=place)
            name = f"{user}-{place}"
            events.append(Event(id=name, time=moment, kind=EventKind.PURCHASE, customer=f"u{user}", item=ids[item]))
        if len(events) >= _BATCH:
            store.events.append(events)
            events = []
    store.events.append(events)


def encode(items: list[Item], settings: Settings) -> Floats:
    """MiniLM vectors of the items' texts, float32 (items, 384), kept in the user's cache."""
    encoder = TorchEncoder(load_backbone("minilm", settings))
    cached = CachedEncoder(encoder, settings.cache / "vectors" / f"{encoder.name}-bench.vec")
    return cached.encode([item.passage for item in items])


def _item(row: dict[str, object]) -> Item:
    brand = row.get("brand") or (f"b{row['brand_id']}" if row.get("brand_id") else "")
    categories = row["categories"]
    assert isinstance(categories, list)
    return Item(
        id=str(row["asin"]),
        title=str(row["title"]),
        brand="" if brand == "Unknown" else str(brand),
        category=tuple(categories[0]) if categories else (),
        language="en",
    )


def _compare(store: SqlStore, settings: Settings, quick: bool, seed: int) -> list[Row]:
    shelf = Shelf(store.catalogue.scan())
    width = len(shelf)
    began = time.perf_counter()
    vectors = None if quick else encode([item for item in shelf.items if item], settings)
    encoding = time.perf_counter() - began
    began = time.perf_counter()
    bundle = train_behaviour(store, vectors, shelf, settings, settings.home / "behaviour", protocol="last")
    tuning = time.perf_counter() - began
    parameters = Parameters.from_json(bundle.parameters)
    _, test = splits(store.events.frame(), shelf, "last")
    behaviour = fit(test.learn, shelf, vectors, parameters, test.until)
    refitted = fit(test.past, shelf, vectors, parameters, test.until)
    notes = f"parameters {bundle.parameters}; encoding {encoding:.0f} s (0 when cached)"
    systems: list[tuple[str, Scorer, float, str]] = [
        ("popularity", _alone(behaviour.sources["popular"], width), 0.0, ""),
        ("item-kNN, tuned", _alone(behaviour.sources["together"], width), 0.0, str(dict(parameters.together))),
        ("directed co-occurrence, tuned", _alone(behaviour.sources["after"], width), 0.0, str(dict(parameters.after))),
        ("TF-IDF of text", _alone(behaviour.sources["words"], width), 0.0, ""),
    ]
    if vectors is not None:
        systems.append(("MiniLM of text, zero-shot", _alone(behaviour.sources["meaning"], width), encoding, ""))
    systems.append(("shopkeeper blend", lambda past: behaviour.blended(past, width), tuning, notes))
    systems.append(
        (
            "shopkeeper blend, refitted",
            lambda past: refitted.blended(past, width),
            tuning,
            "validation items learnt from as well",
        )
    )
    above = _above(shelf, test)
    return [_row(name, scorer, test, width, above, seconds, note, seed) for name, scorer, seconds, note in systems]


def _alone(source: Source, width: int) -> Callable[..., Floats]:
    return lambda past: source.scores(past.weights(source.decay, width))


def _above(shelf: Shelf, test: Split) -> NDArray[np.bool_]:
    """Which users' target has a higher ASIN than their last item: same-day purchases stand in that order in the files."""
    ids = np.array(shelf.ids)
    last = test.past.rows[test.past.indptr[1:] - 1]
    return np.asarray(ids[test.targets] > ids[last])


def _row(
    name: str, scorer: Scorer, test: Split, width: int, above: NDArray[np.bool_], seconds: float, note: str, seed: int
) -> Row:
    began = time.perf_counter()
    values = measures(ranks(scorer, test, width), test)
    values["recall@10_below"] = values["recall@10"][~above]
    values["recall@10_above"] = values["recall@10"][above]
    metrics = {key: Metric.mean(per_user, seed) for key, per_user in values.items()}
    return Row(name, metrics, seconds + time.perf_counter() - began, note)
