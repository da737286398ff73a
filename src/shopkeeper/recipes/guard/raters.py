"""How the guard learns whose ratings to trust: from simulated attacks at once, from human decisions as they come.

The log-odds of three parts are stacked: trees taught by simulated attacks, trees taught by decisions, and a linear
model of what was rated. Stacking weights and the border are chosen on predictions for raters that the parts had not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lightgbm
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve

from shopkeeper.errors import TrainingError
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.progress import track
from shopkeeper.ranking.raters.graph import spread
from shopkeeper.ranking.raters.model import DRILLED, FOLDS, Blend, RaterModel, drawn_folds, log_odds
from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values
from shopkeeper.ranking.raters.signs import rater_table
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.guard.rating_attacks import attacked
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.guard.review_check import TASK, decisions, shop_ratings

LEAST: Final = 20
"""Decisions of each kind below which they teach nothing."""
_RATERS = 20
"""Raters below which nothing can be simulated."""
_ROUNDS = 200
_TREES = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "lambda_l2": 5.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbose": -1,
    "deterministic": True,
    "num_threads": 1,
}
_DULL = {**_TREES, "num_leaves": 4, "learning_rate": 0.1, "min_data_in_leaf": 10, "feature_fraction": 0.3}
"""For simulated attacks: what tells them apart should be plain, for the true ones will differ."""
_DRILLS = 100
_ATTACKS = 4
"""Attacks that are simulated, each on the shop as it is."""

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt, and how well it tells raters that it had not seen.

    Attributes:
        model: To score with.
        drilled: Average precision of the simulated attackers, cross-validated.
        decided: Average precision of the fakes among decided raters, cross-validated; NaN where too few were decided.
        alone: The same for the trees of simulated attacks.
    """

    model: RaterModel
    drilled: float
    decided: float = float("nan")
    alone: float = float("nan")


def train_raters(store: Store, settings: Settings, folder: Path) -> Bundle:
    """Learn from a shop's ratings and decisions, and save it.

    Args:
        store: Reviews, events, and decisions of the task ``reviewer``.
        settings: The seed is used.
        folder: Must not exist yet.

    Raises:
        TrainingError: Fewer than twenty customers rated anything.
    """
    ratings = shop_ratings(store)
    seed = settings.compute.seed
    learnt = learn_raters(ratings, decisions(store, ratings.raters), seed)
    arrays, parameters = learnt.model.save()
    card = Card(
        task=TASK,
        name="whose ratings count",
        data=fingerprint(store),
        seed=seed,
        before={"decided": {"average_precision": learnt.alone}},
        after={
            "simulated": {"average_precision": learnt.drilled},
            "decided": {"average_precision": learnt.decided},
        },
    )
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def learn_raters(ratings: Ratings, labels: ArrayLike, seed: int = 0, drilled: Learnt | None = None) -> Learnt:
    """Learn a model of raters.

    Args:
        ratings: All of the shop.
        labels: float (raters,), 1 fake, 0 genuine, NaN where nobody decided. With fewer than `LEAST` of either kind
            only simulated attacks teach.
        seed: Of attacks, folds and trees.
        drilled: What simulated attacks taught earlier in the same shop, to save the time.

    Raises:
        TrainingError: Fewer than twenty customers rated anything.
    """
    active = len(np.unique(ratings.rater))
    if active < _RATERS:
        raise TrainingError(
            f"Only {active} customers rated anything.", where="ratings", cure=f"At least {_RATERS} are needed."
        )
    decided = np.asarray(labels, dtype=np.float64)
    learnt = drilled or _drill(ratings, seed)
    if min((decided == 0).sum(), (decided == 1).sum()) < LEAST:
        return learnt
    return _taught(ratings, decided, learnt, seed)


def _drill(ratings: Ratings, seed: int) -> Learnt:
    """Trees taught by simulated attacks.

    The shop's own raters stand for honest ones though some are not: whoever looks like an attacker at first is left out
    of a second pass (learning from positive and unlabelled examples in two steps, Liu et al. 2003). The classes weigh
    alike.
    """
    own = drawn_folds(len(ratings.raters), seed)
    rated = np.isin(np.arange(len(own)), ratings.rater)
    tables, fakes, folds, known = [], [], [], []
    for number in track(range(_ATTACKS), "simulate attacks", _ATTACKS, "attacks"):
        mixed = attacked(ratings, np.random.default_rng([seed, number]))
        tables.append(rater_table(mixed.ratings, seed)[:, DRILLED])
        fakes.append(mixed.crew >= 0)
        of_crew = drawn_folds(int(mixed.crew.max()) + 1, seed + number)  # a crew is seen whole or not at all
        folds.append(np.concatenate([own, of_crew[mixed.crew[len(own) :]]]))
        known.append(np.concatenate([rated, np.ones(len(mixed.crew) - len(own), dtype=np.bool_)]))
    table, fake, fold, usable = (np.concatenate(parts) for parts in (tables, fakes, folds, known))
    guess = _unseen(table, fake, usable, fold, seed)
    honest = usable & (fake | (guess < 0))
    guess = _unseen(table, fake, honest, fold, seed)
    ours = average_precision_score(fake[usable], guess[usable])
    return Learnt(RaterModel(_drilled(table[honest], fake[honest], seed)), float(ours))


def _unseen(table: Floats, fake: Mask, taught: Mask, fold: Ints, seed: int) -> Values:
    """Log-odds of every row by trees that did not see its fold: float64 (n,)."""
    guess = np.zeros(len(table))
    for number in range(FOLDS):
        inside, outside = taught & (fold != number), fold == number
        guess[outside] = log_odds(_drilled(table[inside], fake[inside], seed), table[outside])
    return guess


def _drilled(table: Floats, fake: Mask, seed: int) -> lightgbm.Booster:
    share = fake.mean()
    weight = np.where(fake, 0.5 / share, 0.5 / (1 - share))
    return lightgbm.train(
        _DULL | {"seed": seed}, lightgbm.Dataset(table, fake.astype(np.float64), weight=weight), _DRILLS
    )


def _taught(ratings: Ratings, labels: Values, learnt: Learnt, seed: int) -> Learnt:
    fold = drawn_folds(len(labels), seed)
    table = rater_table(ratings, seed)
    both = np.concatenate([table, spread(ratings, labels, fold)], axis=1)
    known = ~np.isnan(labels)
    trees = np.zeros(len(labels))
    for number in track(range(FOLDS), "learn from decisions", FOLDS, "folds"):
        inside, outside = known & (fold != number), known & (fold == number)
        if outside.any():
            trees[outside] = log_odds(grow_trees(both[inside], labels[inside], seed), both[outside])
    drill = log_odds(learnt.model.drill, table[:, DRILLED])
    parts = np.stack([trees, both[:, -1], drill], axis=1)[known]
    stack = LogisticRegression(C=1.0, max_iter=500).fit(parts, labels[known])
    blend = Blend(float(stack.intercept_[0]), *(float(weight) for weight in stack.coef_[0]))
    guess = blend.mix(*parts.T)
    model = RaterModel(
        learnt.model.drill, best_border(labels[known], guess), grow_trees(both[known], labels[known], seed), blend
    )
    own, alone = (float(average_precision_score(labels[known], scores)) for scores in (guess, parts[:, 2]))
    return Learnt(model, learnt.drilled, own, alone)


def grow_trees(table: Floats, labels: Values, seed: int) -> lightgbm.Booster:
    """Trees over float32 (n, columns) that tell 1 from 0 in `labels`, float64 (n,)."""
    return lightgbm.train(_TREES | {"seed": seed}, lightgbm.Dataset(table, labels), _ROUNDS)


def best_border(labels: ArrayLike, scores: ArrayLike) -> float:
    """The score from which to say "fake" for the best F1 of the fakes.

    >>> best_border([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    0.8
    """
    precision, recall, borders = precision_recall_curve(labels, scores)
    f1 = 2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], 1e-12)
    return float(borders[int(np.argmax(f1))])
