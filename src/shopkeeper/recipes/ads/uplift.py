"""Who should get the coupon: learnt from a trial, cross-fitted, chosen by how well it sorts customers it has not seen.

Every learner of `uplift_learners`, with linear models and with trees, predicts customers of folds it was not taught. The
best by Qini coefficient is compared with the mean of all; a single learner is taken only where it is clearly better, for
on small effects the winner is often the luckiest. What is chosen is brought to the scale of the doubly robust outcomes
(best linear predictor, Chernozhukov et al. 2018), so that a gain may be weighed against what a coupon costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.classification import auc
from shopkeeper.evaluation.uplift import Trial, auuc, effect, interval, qini, qini_area, uplift_at
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.progress import track
from shopkeeper.ranking.ads.hashed_features import HashedFeatures
from shopkeeper.ranking.ads.uplift import TASK, Part, Uplift, combined, dense
from shopkeeper.recipes.ads.uplift_learners import BASES, FOLDS, Sample, estimated, learners, parted, response

Values = NDArray[np.float64]

MEAN: Final = "mean of all"
LEAST: Final = 200
"""Customers with and without treatment below which nothing is learnt."""
_LISTED, _BUCKETS = 32, 64
_SLOPE: Final = (0.1, 2.0)
"""How far predicted differences may be shrunk or stretched; never to nothing, so that the order is kept."""
_DRAWS: Final = 40


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt, and how well each way sorted customers it had not seen.

    Attributes:
        parts, shift: The gain, see `ranking.ads.uplift`.
        kind: Which way was taken.
        gains: float64 (n,) of every way, cross-fitted, `kind` and the response model (``response``) included.
        slope: What predicted differences were multiplied by.
        ways: Every single way, taught with everybody, as what is added up and the shift.
    """

    parts: Sequence[Part]
    shift: float
    kind: str
    gains: Mapping[str, Values]
    slope: float
    ways: Mapping[str, tuple[Sequence[Part], float]]


def train_uplift(
    customers: pl.DataFrame,
    treated: ArrayLike,
    outcome: ArrayLike,
    folder: Path,
    *,
    propensity: ArrayLike | None = None,
    randomised: bool = True,
    name: str = "",
    seed: int = 7,
) -> Bundle:
    """Learn from a trial and save a bundle of the task ``uplift``, for `ranking.ads.uplift.Uplift.load`.

    Args:
        customers: One row each: columns of numbers and of categories, as they were before the treatment.
        treated: bool or 0/1 (n,).
        outcome: float (n,): 1 where the customer bought, else 0; or money.
        folder: Must not exist yet.
        propensity: float (n,) or one number, the chance of being treated, where it is known. None takes the share of the
            treated, or estimates it, see `randomised`.
        randomised: Treatment was drawn by lot with one chance for all. False estimates the chance from the columns, which
            is right only where they hold everything that decided on the treatment.
        name: What people call the campaign.
        seed: Of folds and trees.

    Raises:
        InputError: Columns do not belong together, or are of the wrong kind.
        TrainingError: There are too few customers on a side, or the outcome never differs.
    """
    features = HashedFeatures.fit(customers, listed=_LISTED, buckets=_BUCKETS)
    table = dense(features, customers)
    trial = Trial.of(treated, outcome)
    guessed = estimated(table, trial.treated, seed)
    if propensity is None:
        propensity = float(trial.treated.mean()) if randomised else guessed
    trial = Trial.of(treated, outcome, propensity)
    chance = np.broadcast_to(np.asarray(propensity, dtype=np.float64), trial.treated.shape)
    learnt = learn(Sample(table, trial, chance), seed)
    foreseen = auc(trial.treated, guessed)
    card = Card(
        task=TASK,
        name=name or "Who is persuaded",
        data={
            "customers": len(trial),
            "treated": int(trial.treated.sum()),
            "outcome of the treated": float(trial.outcome[trial.treated].mean()),
            "outcome of the others": float(trial.outcome[~trial.treated].mean()),
            "effect": effect(trial),
            "treatment foreseen (AUC)": foreseen,
        },
        settings={"kind": learnt.kind, "slope": learnt.slope, "columns": list(features.columns)},
        seed=seed,
        before={"cross-fitted": _measured(learnt.gains["response"], trial, seed)},
        after={
            "cross-fitted": _measured(learnt.gains[learnt.kind], trial, seed),
            "qini of each": {way: qini(gain, trial) for way, gain in learnt.gains.items()},
        },
        notes=_notes(learnt, trial, foreseen, randomised, seed),
    )
    arrays, parameters = Uplift(features, learnt.parts, learnt.shift).save()
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def learn(sample: Sample, seed: int = 7) -> Learnt:
    """Cross-fit every way, choose, and teach what was chosen with everybody.

    Args:
        sample: What is learnt from.
        seed: Of folds and trees.

    Raises:
        TrainingError: There are too few customers on a side, or the outcome never differs.
    """
    trial = sample.trial
    sides = int(trial.treated.sum()), int((~trial.treated).sum())
    if min(sides) < LEAST or np.ptp(trial.outcome) == 0:
        raise TrainingError(
            f"{sides[0]} customers were treated and {sides[1]} were not, with outcomes from {trial.outcome.min():g} to"
            f" {trial.outcome.max():g}: that is too little to tell who is persuaded.",
            where=TASK,
            cure=f"Collect at least {LEAST} customers on each side, some of whom bought.",
        )
    gains, pseudo = _cross_fitted(sample, seed)
    ways = [way for way in gains if way != "response"]
    gains[MEAN] = np.mean([gains[way] for way in ways], axis=0)
    kind = _chosen(gains, ways, trial, seed)
    own = gains[kind]
    spread = float(np.cov(own, pseudo)[0, 1] / max(float(own.var(ddof=1)), 1e-18))
    slope = float(np.clip(spread, *_SLOPE))
    taught = _taught(sample, seed)
    parts, shift = _mean([taught[way] for way in (ways if kind == MEAN else [kind])])
    centre = float(combined(parts, sample.table, shift).mean())
    scaled = [Part(slope * part.weight, part.model) for part in parts]
    return Learnt(scaled, float(pseudo.mean()) + slope * (shift - centre), kind, gains, slope, taught)


def _cross_fitted(sample: Sample, seed: int) -> tuple[dict[str, Values], Values]:
    fold = parted(sample.trial.treated, seed)
    gains: dict[str, Values] = {}
    pseudo = np.zeros(len(fold))
    for number in track(range(FOLDS), "learn who is persuaded", FOLDS, "folds"):
        own = fold == number
        taught, asked = sample.take(~own), sample.take(own)
        for base, fit in BASES.items():
            found, both = learners(taught, fit, seed)
            for way, (parts, shift) in found.items():
                gains.setdefault(f"{way}, {base}", np.zeros(len(fold)))[own] = combined(parts, asked.table, shift)
            pseudo[own] += both.pseudo(asked) / len(BASES)
            likely = response(taught, fit, seed).predict(asked.table)
            gains.setdefault("response", np.zeros(len(fold)))[own] += likely / len(BASES)
    return gains, pseudo


def _chosen(gains: Mapping[str, Values], ways: Sequence[str], trial: Trial, seed: int) -> str:
    """The mean of all, or the best single way where it is better by more than a deviation of the difference."""
    best = max(ways, key=lambda way: qini(gains[way], trial))
    rng, differences = np.random.default_rng(seed), []
    for _ in range(_DRAWS):
        rows = rng.integers(0, len(trial), len(trial))
        drawn = trial.take(rows)
        differences.append(qini_area(gains[best][rows], drawn) - qini_area(gains[MEAN][rows], drawn))
    return best if float(np.mean(differences)) > float(np.std(differences)) else MEAN


def _taught(sample: Sample, seed: int) -> dict[str, tuple[tuple[Part, ...], float]]:
    return {
        f"{way}, {base}": taught
        for base, fit in BASES.items()
        for way, taught in learners(sample, fit, seed)[0].items()
    }


def _mean(taught: Sequence[tuple[Sequence[Part], float]]) -> tuple[list[Part], float]:
    share = 1 / len(taught)
    parts = [Part(share * part.weight, part.model) for parts, _ in taught for part in parts]
    return parts, share * sum(shift for _, shift in taught)


def _measured(gain: Values, trial: Trial, seed: int) -> dict[str, float]:
    low, high = interval(qini, gain, trial, resamples=100, seed=seed)
    return {
        "qini": qini(gain, trial),
        "qini from": low,
        "qini to": high,
        "auuc": auuc(gain, trial),
        "uplift at 30 %": uplift_at(gain, trial, 0.3),
    }


def _notes(learnt: Learnt, trial: Trial, foreseen: float, randomised: bool, seed: int) -> str:
    said = ["The Qini coefficient is Radcliffe's (2007): 0 is a random order. Before is a model of the outcome alone."]
    if interval(qini, learnt.gains[learnt.kind], trial, resamples=100, seed=seed)[0] <= 0:
        said.append("Who is persuaded cannot be told from chance with these customers: treat all of them, or none.")
    if randomised and foreseen > 0.5 + 3 / len(trial) ** 0.5 + 0.02:
        said.append(
            f"The columns foresee who was treated (AUC {foreseen:.3f}): either the lot was not fair, or a column was written"
            " after the treatment."
        )
    return " ".join(said)
