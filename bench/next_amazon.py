"""Next item on Amazon 2014 Beauty or Toys (`--set`): leave one out, full ranking, tuned on validation, test touched once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from bench.next_renamed import renamed
from shopkeeper.evaluation.next_items import Scorer, Split, measures, ranks
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.recipes.recommend.behaviour import learn
from shopkeeper.recipes.recommend.moments import Moment, moments
from shopkeeper.records import Event, EventKind, Item
from shopkeeper.retrieval.histories import Floats, Source
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.tasks.recommend.behaviour import Behaviour, fit

_START = datetime(2014, 1, 1, tzinfo=UTC)
_BATCH = 20_000


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "beauty", repeats: int = 1) -> list[Row]:  # noqa: A002
    """Popularity, tuned item-kNN, words, MiniLM; our sequence model, our blend of all of them, and our ranker over them.

    Everything is fitted on the training part only (everything but the last two items of each user) and chosen on the items
    before the last; the input at test time is everything before the last item. The blend's weights are tuned on validation
    and no label is trained on; the ranker is taught with validation labels, cross-fitted. `shopkeeper blend, refitted` has
    counted the validation items as well, as many papers do. `recall@10_below` and `_above` part the users by whether their
    target's ASIN is below or above that of their last item: same-day purchases stand in ASIN order in these files, which
    models of order exploit. `shopkeeper blend, blind to direction` counts co-occurrence both ways alike.

    Args:
        data: Folder of the public data sets.
        quick: 3,000 users and no encoder.
        seed: Of the first repeat and of the bootstrap.
        set: ``beauty`` or ``toys``.
        repeats: Seeds; values of each user are averaged over them.
    """
    folder = data / "amazon-2014-seqrec" / set
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        store = open_store(f"sqlite:///{home / 'shop.db'}")
        try:
            fill(store, folder, users=3_000 if quick else None)
            settings = Settings.model_validate({"home": home, "compute": {"seed": seed}, "train": {"minutes": 30}})
            return _compare(store, settings, quick, seed, repeats)
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


def opened(folder: Path, settings: Settings, *, quick: bool) -> tuple[Shelf, Floats | None, tuple[Moment, Moment]]:
    """A data set as a shelf, vectors of its texts, and validation and test; quick: 3,000 users and no vectors."""
    store = open_store(f"sqlite:///{settings.home / 'shop.db'}")
    try:
        fill(store, folder, users=3_000 if quick else None)
        shelf = Shelf(store.catalogue.scan())
        vectors = None if quick else encode([item for item in shelf.items if item], settings)
        return shelf, vectors, moments(store.events.frame(), shelf, "last")
    finally:
        store.close()


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


def _compare(store: SqlStore, settings: Settings, quick: bool, seed: int, repeats: int) -> list[Row]:
    shelf = Shelf(store.catalogue.scan())
    width = len(shelf)
    began = time.perf_counter()
    vectors = None if quick else encode([item for item in shelf.items if item], settings)
    encoding = time.perf_counter() - began
    validation, test = moments(store.events.frame(), shelf, "last")
    learnt, seconds = [], []
    for repeat in range(repeats):
        own = settings.model_copy(update={"compute": settings.compute.model_copy(update={"seed": seed + repeat})})
        began = time.perf_counter()
        learnt.append(learn(validation, test, shelf, vectors, own))
        seconds.append(time.perf_counter() - began)
    first, split = learnt[0], test.split
    parameters = first.parameters
    behaviour = fit(split.learn, shelf, vectors, parameters, split.until)
    both = replace(parameters, after={**parameters.after, "backward": 1.0})
    systems: list[tuple[str, Scorer, str]] = [
        ("item-kNN, tuned", _alone(behaviour.sources["together"], width), str(dict(parameters.together))),
        ("directed co-occurrence, tuned", _alone(behaviour.sources["after"], width), str(dict(parameters.after))),
        ("TF-IDF of text", _alone(behaviour.sources["words"], width), ""),
    ]
    if vectors is not None:
        systems.append(("MiniLM of text, zero-shot", _alone(behaviour.sources["meaning"], width), ""))
    systems.append(
        ("shopkeeper blend, blind to direction", _blend(fit(split.learn, shelf, vectors, both, split.until), width), "")
    )
    systems.append(
        (
            "shopkeeper blend, refitted",
            _blend(fit(split.past, shelf, vectors, parameters, split.until), width),
            "validation items counted as well; no sequence model",
        )
    )
    above = _above(shelf, split)
    rows = [
        _row(name, measures(ranks(scorer, split, width), split), above, 0.0, note, seed)
        for name, scorer, note in systems
    ]
    spread = (
        f"{repeats} seed(s); learning took {', '.join(f'{took:.0f}' for took in seconds)} s; encoding {encoding:.0f} s"
    )
    moves = renamed(first, test, shelf, vectors, seed)
    notes = {
        "popularity": "",
        "sequence": f"alone; {spread}",
        "blend": f"parameters {parameters.to_json()}; {moves}",
        "ranker": f"{first.notes} {spread}",
    }
    for system, note in notes.items():
        found = [one.measured[system] for one in learnt if system in one.measured]
        if found:
            values = {key: np.mean([each[key] for each in found], axis=0) for key in found[0]}
            name = system if system == "popularity" else f"shopkeeper {system}"
            rows.append(_row(name, values, above, float(np.mean(seconds)), note, seed))
    return rows


def _blend(behaviour: Behaviour, width: int) -> Scorer:
    return lambda past: behaviour.blended(past, width)


def _alone(source: Source, width: int) -> Scorer:
    return lambda past: source.scores(past.weights(source.decay, width))


def _above(shelf: Shelf, test: Split) -> NDArray[np.bool_]:
    """Which users' target has a higher ASIN than their last item: same-day purchases stand in that order in the files."""
    ids = np.array(shelf.ids)
    last = test.past.rows[test.past.indptr[1:] - 1]
    return np.asarray(ids[test.targets] > ids[last])


def _row(
    name: str, values: Mapping[str, NDArray[np.float64]], above: NDArray[np.bool_], seconds: float, note: str, seed: int
) -> Row:
    parted = {
        "recall@10_below": values["recall@10"][~above],
        "recall@10_above": values["recall@10"][above],
    }
    metrics = {key: Metric.mean(per_user, seed) for key, per_user in {**values, **parted}.items()}
    return Row(name, metrics, seconds, note)
