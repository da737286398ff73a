"""Raters and items to look at: who seems to rate dishonestly, whose stars they moved, and whom to trust how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from shopkeeper.errors import InputError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.registry import Registry
from shopkeeper.ranking.raters.model import SIGNS, Floats, RaterModel, Scored, trust
from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values, read_ratings
from shopkeeper.records import Decision, EventKind, PassageKind, Reason
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.guard.rater_reasons import said

TASK: Final = "reviewer"
"""Bundles and decisions about raters, labelled `FAKE` or `GENUINE`."""
ITEM_TASK: Final = "reviewed-item"
"""Decisions about items under attack, labelled ``attacked`` or ``sound``."""
FAKE, GENUINE, ATTACKED = "fake", "genuine", "attacked"
_MOST = 200
_REASONS = 3
_FEWEST = 3
"""Suspects that an attack on an item takes."""
_MOVED = 0.1
"""Stars by which suspects must have moved an item."""
_CHANCE = 0.01
"""Probability, over all items, that so many suspects met there by chance."""
_DOUBT = 2.0
"""Ratings that the shop's mean weighs against an item's own, so that an item without honest ratings has a mean."""
_WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """A customer whose ratings seem dishonest.

    Attributes:
        customer: Their id.
        suspicion: Probability of a fake, in [0, 1].
        ratings: How many they gave.
        reasons: What speaks for it most, strongest first.
    """

    customer: str
    suspicion: float
    ratings: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Attack:
    """An item whose stars suspects moved.

    Attributes:
        item: Its id.
        stars: Mean as shown.
        honest: Mean with every rating weighed by trust, drawn towards the shop's mean as two ratings would.
        suspects: Their ids.
        ratings: How many ratings the item has.
        chance: Probability that so many suspects met on it by chance, corrected for the number of items.
        week: Most ratings by suspects within seven days; 0 where times are unknown.
    """

    item: str
    stars: float
    honest: float
    suspects: tuple[str, ...]
    ratings: int
    chance: float
    week: int

    @property
    def reason(self) -> Reason:
        """What is the matter, by language, naming the suspects."""
        burst = (f", {self.week} within a week", f"，其中 {self.week} 人在一周内") if self.week > 1 else ("", "")
        text = {
            "en": f"{len(self.suspects)} of {self.ratings} ratings are by suspects{burst[0]}: "
            f"{self.stars:.1f} stars with them, {self.honest:.1f} without.",
            "zh": f"{self.ratings} 条评分中有 {len(self.suspects)} 条来自可疑用户{burst[1]}："
            f"计入时 {self.stars:.1f} 星，剔除后 {self.honest:.1f} 星。",
        }
        return Reason(kind="rating_attack", evidence=self.suspects, text=text)


@dataclass(frozen=True, slots=True)
class ReviewCheck:
    """What was found.

    Attributes:
        suspects: Most suspicious first, at most 200.
        attacks: Items, most moved first, at most 200.
        weights: How far each customer who rated or was decided about counts, in [0, 1].
    """

    suspects: tuple[Suspect, ...]
    attacks: tuple[Attack, ...]
    weights: Mapping[str, float]

    def trust(self, customers: Sequence[str]) -> Values:
        """How far the ratings and behaviour of `customers` count: float64 (n,), in [0, 1], 1 for whoever never rated.

        Multiply strengths of histories, or ratings, with it.
        """
        return np.array([self.weights.get(customer, 1.0) for customer in customers], dtype=np.float64)


def live_raters(registry: Registry) -> Bundle:
    """What was learnt of raters.

    Raises:
        InputError: Nothing was.
    """
    bundle = registry.live(TASK)
    if bundle is None:
        raise InputError(
            "This shop has not learnt whose ratings count.", where=TASK, cure="Train on them: shopkeeper train reviewer"
        )
    return bundle


def check_reviews(store: Store, bundle: Bundle, seed: int = 0) -> ReviewCheck:
    """Look at everything that was rated in a shop.

    Args:
        store: Reviews, events and decisions.
        bundle: Of `recipes.guard.raters.train_raters`.
        seed: Of folds and hashes.
    """
    ratings = shop_ratings(store)
    labels = decisions(store, ratings.raters)
    model = RaterModel.load(bundle.arrays(), bundle.parameters)
    return review_check(ratings, model, labels, seed)


def review_check(ratings: Ratings, model: RaterModel, labels: Values, seed: int = 0) -> ReviewCheck:
    """Look at everything that was rated.

    Args:
        ratings: All of the shop.
        model: Scores raters.
        labels: float64 (raters,), 1 fake, 0 genuine, NaN undecided. A decision is final: a fake counts for nothing, a
            genuine rater fully, and neither is asked about again.
        seed: Of folds and hashes.
    """
    if not len(ratings):
        return ReviewCheck((), (), {})
    scored = model.score(ratings, labels, seed)
    given = np.bincount(ratings.rater, minlength=len(ratings.raters))
    open_to = np.isnan(labels) & (given > 0)
    asked = np.flatnonzero(open_to & (scored.suspicion >= model.border))
    shuffled = np.random.default_rng(seed).permutation(asked)
    asked = shuffled[np.argsort(-scored.suspicion[shuffled], kind="stable")]
    weight = np.where(np.isnan(labels), trust(scored.suspicion, model.border), 1.0 - labels)
    weight[(given == 0) & np.isnan(labels)] = 1.0
    suspect = np.zeros(len(weight), dtype=np.bool_)
    suspect[asked] = True
    suspect |= labels == 1
    known = scored.table[given > 0]
    return ReviewCheck(
        tuple(
            Suspect(ratings.raters[row], float(scored.suspicion[row]), int(given[row]), _why(scored, row, known))
            for row in asked[:_MOST].tolist()
        ),
        _attacks(ratings, suspect, weight),
        dict(zip(ratings.raters, weight.tolist(), strict=True)),
    )


def ask(store: Store, check: ReviewCheck) -> int:
    """Put what was found into the review queue, in place of what waited there; how many questions."""
    store.labels.withdraw(TASK)
    store.labels.withdraw(ITEM_TASK)
    raters = [
        Decision(
            task=TASK,
            subject=suspect.customer,
            text="\n".join(reason.text[tag] for tag in ("en", "zh") for reason in suspect.reasons),
            proposal=FAKE,
            score=suspect.suspicion,
            customer=suspect.customer,
        )
        for suspect in check.suspects
    ]
    items = [
        Decision(
            task=ITEM_TASK,
            subject=attack.item,
            text="\n".join(attack.reason.text.values()),
            proposal=ATTACKED,
            score=abs(attack.stars - attack.honest),
        )
        for attack in check.attacks
    ]
    store.labels.propose([*raters, *items])
    return len(raters) + len(items)


def shop_ratings(store: Store) -> Ratings:
    """Everything that customers of the shop rated."""
    reviews = store.words.scan([PassageKind.REVIEW])
    return read_ratings(reviews, store.events.frame([EventKind.REVIEW, EventKind.PURCHASE]))


def decisions(store: Store, raters: Sequence[str]) -> Values:
    """What humans decided about raters: float64 (n,), 1 fake, 0 genuine, NaN where nobody did, or answered otherwise."""
    known = {FAKE: 1.0, GENUINE: 0.0}
    found = {decision.subject: known.get(decision.label, np.nan) for decision in store.labels.decided(TASK)}
    return np.array([found.get(rater, np.nan) for rater in raters], dtype=np.float64)


def item_means(ratings: Ratings, weight: Values) -> Values:
    """Mean rating of each item with every rater weighed, drawn towards the mean of all: float64 (items,).

    Args:
        ratings: All of the shop.
        weight: float64 (raters,), in [0, 1].
    """
    weights = weight[ratings.rater]
    overall = float(np.average(ratings.rating, weights=weights)) if weights.sum() > 0 else float("nan")
    mass = np.bincount(ratings.item, weights, len(ratings.items))
    total = np.bincount(ratings.item, weights * ratings.rating, len(ratings.items))
    return np.asarray((total + _DOUBT * overall) / (mass + _DOUBT))


def _attacks(ratings: Ratings, suspect: NDArray[np.bool_], weight: Values) -> tuple[Attack, ...]:
    if not suspect.any():
        return ()
    by_suspect = suspect[ratings.rater]
    met = np.bincount(ratings.item, by_suspect, len(ratings.items)).astype(np.int64)
    raised = ratings.raised
    mean = np.bincount(ratings.item, ratings.rating, len(ratings.items)) / np.maximum(raised, 1)
    honest = item_means(ratings, weight)
    chance = np.minimum(binom.sf(met - 1, raised, by_suspect.mean()) * len(ratings.items), 1.0)
    moved = np.abs(mean - honest)
    found = np.flatnonzero((met >= _FEWEST) & (moved >= _MOVED) & (chance <= _CHANCE))
    attacks = []
    for item in found[np.argsort(-moved[found], kind="stable")][:_MOST].tolist():
        rows = np.flatnonzero((ratings.item == item) & by_suspect)
        who = tuple(dict.fromkeys(ratings.raters[row] for row in ratings.rater[rows].tolist()))
        stars = float(mean[item]), float(honest[item])
        week = _busiest(ratings, rows)
        attacks.append(Attack(ratings.items[item], *stars, who, int(raised[item]), float(chance[item]), week))
    return tuple(attacks)


def _busiest(ratings: Ratings, rows: Ints) -> int:
    moments = np.sort(ratings.time[rows][~np.isnan(ratings.time[rows])])
    within = np.searchsorted(moments, moments + _WEEK, "right") - np.arange(len(moments))
    return int(within.max(initial=0))


def _why(scored: Scored, row: int, known: Floats) -> tuple[Reason, ...]:
    """The signs that add most to the suspicion of a rater, beside the median of all raters, `known`."""

    def usual(column: int) -> float:
        told = known[:, column][~np.isnan(known[:, column])]
        return float(np.median(told)) if len(told) else float("nan")

    adds = scored.parts[row]
    best = [column for column in np.argsort(-adds, kind="stable").tolist() if adds[column] > 0]
    reasons = (said(SIGNS[column], float(scored.table[row, column]), usual(column)) for column in best)
    return tuple(reason for reason, _ in zip((r for r in reasons if r is not None), range(_REASONS), strict=False))
