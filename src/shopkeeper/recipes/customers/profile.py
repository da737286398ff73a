"""What a profile foresees: propensities, next category, worth and segments, learnt from the log into one bundle.

Everything is measured on the last period, which neither the models nor their calibration have seen. What is served is then
learnt once more, with validation's customers among those of training, and calibrated on the last period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.classification import auc, auc_interval, calibration_error, log_loss
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.plots import drawable, reliability_diagram
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.text import Encoder, Floats
from shopkeeper.ranking.customers.deeds import (
    DAY,
    KINDS,
    Deeds,
    Taxonomy,
    Values,
    read_deeds,
    taxonomy_of,
    with_feelings,
)
from shopkeeper.ranking.customers.features import principal, propensity_features, repeat_buying, text_features
from shopkeeper.ranking.customers.foresight import VALUE_DAYS, Foresight, Meaning
from shopkeeper.ranking.customers.next_category import last_vectors
from shopkeeper.ranking.customers.segments import CustomerSegments
from shopkeeper.ranking.customers.worth import Worth
from shopkeeper.recipes.customers.next_category import Baskets, centroids, hits, learn_next, recounted
from shopkeeper.recipes.customers.propensity import TARGETS, Told, labels_of, learn_propensity
from shopkeeper.recipes.customers.segments import learn_segments
from shopkeeper.recipes.customers.snapshots import Snapshot, joined, money_ahead, next_baskets, snapshots
from shopkeeper.recipes.customers.worth import learn_worth
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.records import EventKind, PassageKind
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store

HORIZON = 30.0
"""Days that propensities and the next category look ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileOptions:
    """What may be varied.

    Attributes:
        words: Whether words have a say: vectors of items and queries, the feeling of reviews.
        width: Numbers that a vector is reduced to.
        moments: Moments of training at most, a week apart, the latest ones.
    """

    words: bool = True
    width: int = 16
    moments: int = 12


@dataclass(frozen=True, slots=True)
class Log:
    """A log as it is learnt from.

    Attributes:
        deeds: Of all customers.
        taxonomy: Categories and currencies.
        items: float32 (rows, d), vectors of the shelf's rows.
        categories: int64 (rows,), place of each row's category, -1 for none.
        queries: float32 (q, d), vectors of the queries of the deeds.
        encoder: Name of what made the vectors.
    """

    deeds: Deeds
    taxonomy: Taxonomy
    items: Floats
    categories: np.ndarray[tuple[int], np.dtype[np.int64]]
    queries: Floats
    encoder: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out on the last period, for cards and benches.

    Attributes:
        chances: Target to (labels, chances), int64 and float64 (n,).
        next: Hits of the next category at 1 and 5, and of popularity, float64 (n,) each.
        worth: (paid, expected), float64 (n,) each, within `horizon` days.
        horizon: Days of the worth.
    """

    chances: Mapping[str, tuple[Any, Values]]
    next: Mapping[str, Values]
    worth: tuple[Values, Values]
    horizon: float


def train_profile(
    store: Store,
    encoder: Encoder,
    shelf: Shelf,
    vectors: Floats,
    settings: Settings,
    folder: Path,
    *,
    before: Bundle | None = None,
    options: ProfileOptions | None = None,
) -> Bundle:
    """Learn everything that a profile foresees, and save it as a bundle with a card.

    Args:
        store: Events of customers, and their reviews.
        encoder: Of queries.
        shelf: The items.
        vectors: float32 (len(shelf), d), of the items, by the same encoder.
        settings: Its seed.
        folder: Where the bundle goes; must not exist.
        before: The live bundle, whose segments keep their ids.
        options: What may be varied.

    Raises:
        TrainingError: The log is too short, or too few customers did anything.
    """
    options = options or ProfileOptions()
    seed = settings.compute.seed
    frame = with_feelings(store.events.frame(kinds=KINDS), store.words.scan(kinds=[PassageKind.REVIEW]))
    log = read_log(frame, shelf, vectors, lambda texts: encoder.encode(texts, "query"), encoder.name)
    known = Foresight.load(before).segments if before is not None and before.parameters else None
    foresight, measured = learn_foresight(log, options, seed=seed)
    groups = None
    if options.words:
        try:
            groups, _ = grouped(log, shelf, before=known, seed=seed)
        except TrainingError:
            groups = None
    foresight = replace(foresight, segments=groups)
    arrays, parameters = foresight.save()
    card = Card(
        task="profile",
        name="What will this customer do?",
        data=fingerprint(store) | {"customers": len(log.deeds), "deeds": len(log.deeds.times)},
        settings={"words": options.words, "width": options.width, "moments": options.moments},
        seed=seed,
        before={"test": {name: {"log_loss": base_loss(labels)} for name, (labels, _) in measured.chances.items()}},
        after={"test": marks(measured)},
        notes="Measured before the last period was learnt from; served after. Before: the share of all customers.",
    )
    plots = {}
    if drawable():
        named = {name.replace("_", "-"): pair for name, pair in measured.chances.items()}
        plots = {f"calibration-{name}": reliability_diagram(*pair) for name, pair in named.items()}
    return save_bundle(folder, card, arrays=arrays, parameters=parameters, plots=plots)


def read_log(
    frame: pl.DataFrame, shelf: Shelf, vectors: Floats, encode: Callable[[Sequence[str]], Floats], name: str
) -> Log:
    """Read a frame of events, with feelings where there are reviews, for learning.

    Args:
        frame: See `read_deeds`.
        shelf: The items.
        vectors: float32 (rows, d).
        encode: Queries to vectors, float32 (n, d).
        name: Of the encoder.
    """
    taxonomy = taxonomy_of(shelf, frame.filter(pl.col("kind") == EventKind.PURCHASE.value))
    deeds, _, queries = read_deeds(frame, shelf, taxonomy)
    places = taxonomy.places
    categories = [
        places.get(item.category[: taxonomy.depth], -1) if item is not None and item.category else -1
        for item in shelf.items
    ]
    typed = encode(queries) if queries else np.zeros((0, vectors.shape[1]), dtype=np.float32)
    return Log(deeds, taxonomy, vectors, np.array(categories, dtype=np.int64), typed, name)


def learn_foresight(log: Log, options: ProfileOptions, *, seed: int = 7) -> tuple[Foresight, Measured]:
    """Learn all but segments, measure it on the last period, and learn it once more for serving.

    Raises:
        TrainingError: The log is too short.
    """
    parts = snapshots(log.deeds, HORIZON, most=options.moments)
    meaning = _meaning(log, parts.train, options)
    width = len(log.taxonomy.names)
    history = log.deeds.before(np.arange(len(log.deeds)), np.full(len(log.deeds), parts.train.at.min()))
    middle = centroids(log.items, log.categories, width)
    train, valid, test = (Look.at(log, part, meaning) for part in (parts.train, parts.valid, parts.test))
    how: Any = {"words": options.words, "seed": seed}
    chances: dict[str, tuple[Any, Values]] = {}
    served = {}
    both = Look.at(log, joined(parts.train, parts.valid, log.deeds), meaning)
    for target in TARGETS:
        model = learn_propensity(train.told, valid.told, target, seed=seed)
        if model is not None:
            chances[target] = test.told.labels[target], model.chances(test.told.table)
            final = learn_propensity(both.told, test.told, target, seed=seed)
            served[target] = final if final is not None else model
    ahead = learn_next(history, train.baskets, valid.baskets, middle, **how)
    found: dict[str, Values] = {}
    if ahead is not None and len(test.baskets):
        asked = test.baskets
        given = ahead.chances(asked.past, asked.at, asked.means, asked.last)
        plain = np.tile(ahead.popular, (len(asked), 1))
        found = {f"accuracy@{k}": values for k, values in hits(given, asked.shares).items()}
        found |= {f"popularity@{k}": values for k, values in hits(plain, asked.shares).items()}
        ahead = recounted(ahead, log.deeds)
    worth, paid, expected = _worth(log, meaning, options.moments, seed)
    return Foresight(log.taxonomy, meaning, served, ahead, worth, None), Measured(
        chances, found, (paid, expected), worth.horizon
    )


def grouped(
    log: Log, shelf: Shelf, *, before: CustomerSegments | None = None, seed: int = 7
) -> tuple[CustomerSegments, Any]:
    """The segments of all customers as they stand at the end of the log; see `segments.learn_segments`."""
    end = np.full(len(log.deeds), log.deeds.times.max() + 1.0)
    past = log.deeds.before(np.arange(len(log.deeds)), end)
    vectors = text_features(past, end, log.items, log.queries)
    return learn_segments(vectors, past, shelf, before=before, seed=seed)


def marks(measured: Measured) -> dict[str, Any]:
    """Figures with 95 % intervals, for the card: AUC, log-loss and calibration of each chance; hits of the next category."""
    found: dict[str, Any] = {name: propensity_marks(*pair) for name, pair in measured.chances.items()}
    for name, values in measured.next.items():
        low, high = bootstrap_interval(values)
        found[f"next category {name}"] = {"value": float(values.mean()), "low": low, "high": high}
    paid, expected = measured.worth
    if len(paid):
        error = np.abs(paid - expected)
        low, high = bootstrap_interval(error)
        found["value, mean absolute error"] = {"value": float(error.mean()), "low": low, "high": high}
    return found


def propensity_marks(labels: Any, given: Values) -> dict[str, Any]:
    """AUC and log-loss with intervals, and the expected calibration error."""
    low, high = auc_interval(labels, given)
    losses = log_loss(labels, given)
    least, most = bootstrap_interval(losses)
    return {
        "auc": {"value": auc(labels, given), "low": low, "high": high},
        "log_loss": {"value": float(losses.mean()), "low": least, "high": most},
        "ece": {"value": calibration_error(labels, given)},
    }


def base_loss(labels: Any) -> dict[str, float]:
    """Log-loss of the labels' own share."""
    return {"value": float(log_loss(labels, np.full(len(labels), float(np.mean(labels)))).mean())}


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that is learnt from one period.

    Attributes:
        told: Features and labels.
        baskets: Next baskets of those who bought.
    """

    told: Told
    baskets: Baskets

    @classmethod
    def at(cls, log: Log, asked: Snapshot, meaning: Meaning) -> Look:
        """The customers of a snapshot."""
        means = text_features(asked.past, asked.at, log.items, log.queries)
        table = np.hstack([propensity_features(asked.past, asked.at)[0], meaning.table(asked.past, means)])
        shares = next_baskets(log.deeds, asked, HORIZON, len(log.taxonomy.names))
        last = last_vectors(asked.past, log.items, log.queries)
        return cls(Told(table, labels_of(log.deeds, asked)), Baskets(asked.past, asked.at, shares, means, last))


def _meaning(log: Log, train: Snapshot, options: ProfileOptions) -> Meaning:
    means = text_features(train.past, train.at, log.items, log.queries)
    centre, directions = principal(means, options.width if options.words else 0)
    return Meaning(log.encoder, centre, directions)


def _worth(log: Log, meaning: Meaning, most: int, seed: int) -> tuple[Worth, Values, Values]:
    """The worth that is served, and what the one before it said of the last period."""
    span = float(log.deeds.times.max() - log.deeds.times.min()) / DAY
    horizon = min(float(VALUE_DAYS), max(HORIZON, float(span // 4)))
    if span < 3 * horizon + 7:
        horizon = HORIZON
    parts = snapshots(log.deeds, horizon, most=most)

    def told(asked: Snapshot) -> tuple[Floats, Any, Values]:
        means = text_features(asked.past, asked.at, log.items, log.queries)
        table = np.hstack([propensity_features(asked.past, asked.at)[0], meaning.table(asked.past, means)])
        return table, repeat_buying(asked.past, asked.at), money_ahead(log.deeds, asked, horizon)

    test = told(parts.test)
    first = learn_worth(told(parts.train), told(parts.valid), horizon, seed=seed)
    final = learn_worth(told(joined(parts.train, parts.valid, log.deeds)), test, horizon, seed=seed)
    return final, test[2], first.expected(horizon, test[0], test[1])
