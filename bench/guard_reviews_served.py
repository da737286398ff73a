"""What a rating attack does to a shop that serves, before and after trust counts: the reach of `guard_reviews`, in a store.

Every rating is a review and an event. Mean stars, histories and sources are computed by what serves: `Trust`, `ratings_from`
and `fit`. Reviews say nothing of stars to recommendation there: who rates something has touched it.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.models.bundle import Bundle
from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values
from shopkeeper.recipes.guard.raters import train_raters
from shopkeeper.records import Decision, Event, EventKind, Item, Passage, PassageKind
from shopkeeper.retrieval.histories import STRENGTH, read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.guard.review_check import FAKE, GENUINE, TASK
from shopkeeper.tasks.guard.trusting import Trust
from shopkeeper.tasks.known import ratings_from
from shopkeeper.tasks.recommend.behaviour import Parameters, fit

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_TOP = 10


def served(name: str, ratings: Ratings, fake: NDArray[np.bool_], pushed: Ints, decided: Ints, seed: int) -> list[Row]:
    """Rows of the shop without the attack, under it, and under it once trust counts, without and with decisions.

    Args:
        name: Of the data.
        ratings: All of the shop, in an order that says nothing.
        fake: bool (raters,), the attackers.
        pushed: Items that they push, for measuring only.
        decided: Raters whom humans decided about.
        seed: Of folds and the bootstrap.
    """
    rows: list[Row] = []
    clean: Values = np.zeros(len(pushed))
    with tempfile.TemporaryDirectory(prefix="shopkeeper-bench-") as folder:
        home = Path(folder)
        for arm, attacked in (("without the attack", False), ("attacked", True)):
            with _shop(home / arm, ratings if attacked else ratings.take(~fake[ratings.rater])) as store:
                rows.append(_row(f"served on {name}: {arm}", store, None, ratings, fake, pushed, clean, seed))
                if not attacked:
                    clean = _stars(store, Shelf(store.catalogue.scan()), ratings, pushed)
                    continue
                settings = Settings(home=home)
                bundle = train_raters(store, settings, home / "unlabelled")
                arm = f"served on {name}: attacked, trust without decisions"
                rows.append(_row(arm, store, bundle, ratings, fake, pushed, clean, seed))
                store.labels.propose(
                    Decision(task=TASK, subject=ratings.raters[rater], text=ratings.raters[rater])
                    for rater in decided.tolist()
                )
                for rater in decided.tolist():
                    store.labels.decide(TASK, ratings.raters[rater], FAKE if fake[rater] else GENUINE)
                bundle = train_raters(store, settings, home / "labelled")
                arm = f"served on {name}: attacked, trust after {len(decided)} decisions"
                rows.append(_row(arm, store, bundle, ratings, fake, pushed, clean, seed))
    return rows


def _shop(home: Path, ratings: Ratings) -> SqlStore:
    """A store of the ratings, whose times nobody knows: reviews have none, events one a minute."""
    home.mkdir()
    store = open_store(f"sqlite:///{home / 'shop.db'}")
    store.catalogue.put(Item(id=item, title=item) for item in ratings.items)
    who, what = ([names[place] for place in places.tolist()] for names, places in ((ratings.raters, ratings.rater), (ratings.items, ratings.item)))  # fmt: skip
    entries = list(enumerate(zip(who, what, ratings.rating.tolist(), strict=True)))
    store.words.put(
        Passage(id=f"r{n}", kind=PassageKind.REVIEW, customer=customer, item=item, rating=stars, text="")
        for n, (customer, item, stars) in entries
    )
    store.events.append(
        [
            Event(
                id=f"e{n}",
                time=_NOON + timedelta(minutes=n),
                kind=EventKind.REVIEW,
                customer=customer,
                item=item,
                value=stars,
            )
            for n, (customer, item, stars) in entries
        ]
    )
    return store


def _row(
    system: str,
    store: SqlStore,
    bundle: Bundle | None,
    ratings: Ratings,
    fake: NDArray[np.bool_],
    pushed: Ints,
    clean: Values,
    seed: int,
) -> Row:
    """How far shown stars of pushed items move, who meets one in ten recommendations, and what honest raters count for."""
    began = time.perf_counter()
    shelf = Shelf(store.catalogue.scan())
    trust = Trust(store, bundle, seed)
    judged = time.perf_counter() - began
    shown = _stars(trust.store, shelf, ratings, pushed)
    frame = trust.store.events.frame(kinds=list(STRENGTH))
    histories, _ = read(frame, shelf)
    source = fit(histories, shelf, None, Parameters(), float(histories.times.max())).sources["together"]
    everybody, names = read(store.events.frame(kinds=list(STRENGTH)), shelf)
    attackers = {rater for rater, is_fake in zip(ratings.raters, fake.tolist(), strict=True) if is_fake}
    honest = np.array([place for place, name in enumerate(names) if name not in attackers], dtype=np.int64)
    mine = everybody.take(honest)
    scores = source.scores(mine.weights(1.0, len(shelf)))
    scores[mine.users, mine.rows] = -np.inf
    best = np.argpartition(-scores, _TOP, axis=1)[:, :_TOP]
    wanted = shelf.rows([ratings.items[place] for place in pushed.tolist()])
    weight = np.array([trust.weight(rater) for rater in ratings.raters])
    metrics = {
        "shift_of_means": Metric.mean(shown - clean if clean.any() else np.zeros(len(pushed)), seed),
        "users_met_together": Metric.mean(np.isin(best, wanted).any(axis=1), seed),
        "trust_in_honest": Metric.mean(weight[~fake], seed),
        "trust_in_attackers": Metric.mean(weight[fake], seed),
        "seconds_to_judge": Metric(judged),
    }
    return Row(system, metrics, time.perf_counter() - began)


def _stars(store: Store, shelf: Shelf, ratings: Ratings, pushed: Ints) -> Values:
    found = ratings_from(store, shelf)[shelf.rows([ratings.items[place] for place in pushed.tolist()])]
    return np.asarray(found, dtype=np.float64)
