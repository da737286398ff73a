"""Who should get the e-mail: uplift on Hillstrom's trial (64,000 customers of a shop, e-mail by lot, visits in two weeks).

Learnt from one half, measured on the other, 20 times over; halves are drawn anew each time, with equally many treated. All
that is chosen (which learner, what is mixed, the scale) is chosen within the first half; settings of the trees are
those of the package. Intervals are over the draws, whose halves overlap: they tell how much luck is in a split, and the
whole set stays one sample of customers.

`qini` is Radcliffe's coefficient, 0 for a random order; `auuc` the area under the uplift curve, in visits a customer;
`uplift@30` the difference in visits among the best 30 % (`evaluation.uplift`). *Random* sorts by lot, *response* by how likely a
visit is whatever was sent, which is how customers are often chosen. `qini_gain` is a row's qini above that of random of the
same draw, `over_response` above that of response.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.contract import Metric, Row
from shopkeeper.evaluation.uplift import Trial, auuc, effect, qini, uplift_at
from shopkeeper.ranking.ads.hashed_features import HashedFeatures
from shopkeeper.ranking.ads.uplift import combined, dense
from shopkeeper.recipes.ads.uplift import Learnt, learn
from shopkeeper.recipes.ads.uplift_learners import BASES, Sample, response

CAMPAIGNS = ("Womens", "Mens")
"""E-mails, each against none; the first is the headline."""
_CHANCE = 0.5
_OURS = "shopkeeper, chosen"

Values = NDArray[np.float64]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for every campaign and way to sort customers.

    Args:
        data: Folder of the public data sets.
        quick: One campaign and two draws.
        seed: Of the draws.
    """
    frame = pl.read_parquet(data / "hillstrom-email" / "hillstrom.parquet")
    rows: list[Row] = []
    for campaign in CAMPAIGNS[:1] if quick else CAMPAIGNS:
        rows += _campaign(frame, campaign, 2 if quick else 20, seed)
    return rows


def _campaign(frame: pl.DataFrame, campaign: str, draws: int, seed: int) -> list[Row]:
    arm = f"{campaign} E-Mail"
    told = frame.filter(pl.col("segment").is_in([arm, "No E-Mail"]))
    customers = told.drop("segment", "visit", "conversion", "spend")
    trial = Trial.of(told["segment"] == arm, told["visit"], _CHANCE)
    measures: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    kinds, slopes, seconds = [], [], 0.0
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        first = _half(trial.treated, rng)
        features = HashedFeatures.fit(customers.filter(first))
        table = dense(features, customers)
        sample = Sample(table[first], trial.take(first), np.full(int(first.sum()), _CHANCE))
        began = time.perf_counter()
        learnt = learn(sample, draw)
        seconds += time.perf_counter() - began
        kinds.append(learnt.kind)
        slopes.append(learnt.slope)
        asked, held = table[~first], trial.take(~first)
        gain = combined(learnt.parts, asked, learnt.shift)
        found = {"random": rng.random(len(held)), **_ways(learnt, sample, asked, draw), _OURS: gain}
        for way, scores in found.items():
            own = measures[way]
            own["qini"].append(qini(scores, held))
            own["auuc"].append(auuc(scores, held))
            own["uplift@30"].append(uplift_at(scores, held, 0.3))
            own["qini_gain"].append(own["qini"][-1] - measures["random"]["qini"][-1])
            if "response" in measures:
                own["over_response"].append(own["qini"][-1] - measures["response"]["qini"][-1])
        # the gain foreseen of those who would be treated, beside what it was
        best = scores_above(gain, 0.3)
        measures[_OURS]["foreseen@30"].append(float(gain[best].mean()))
    most = max(set(kinds), key=kinds.count)
    notes = f"{most} in {kinds.count(most)} of {draws} draws; slope {np.mean(slopes):.2f}"
    rows = [Row(f"{campaign}, everybody", {"uplift": Metric(effect(trial))}, 0.0, f"{len(trial):,} customers")]
    for way, own in measures.items():
        metrics = {name: _over(values, seed) for name, values in own.items() if len(values) == draws}
        rows.append(
            Row(
                f"{'shopkeeper ' if ',' in way and way != _OURS else ''}{way} ({campaign})",
                metrics,
                seconds / draws if way == _OURS else 0.0,
                notes if way == _OURS else "",
            )
        )
    return rows


def scores_above(scores: Values, share: float) -> NDArray[np.bool_]:
    """The best share of the customers, ties included: bool (n,)."""
    return np.asarray(scores >= np.quantile(scores, 1 - share))


def _ways(learnt: Learnt, sample: Sample, asked: NDArray[np.float32], seed: int) -> dict[str, Values]:
    found = {"response": np.mean([response(sample, fit, seed).predict(asked) for fit in BASES.values()], axis=0)}
    ways = {way: combined(parts, asked, shift) for way, (parts, shift) in learnt.ways.items()}
    return found | ways | {"mean of all, no choice": np.mean(list(ways.values()), axis=0)}


def _half(treated: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    first = np.zeros(len(treated), dtype=np.bool_)
    for side in (treated, ~treated):
        places = rng.permutation(np.flatnonzero(side))
        first[places[: len(places) // 2]] = True
    return first


def _over(values: list[float], seed: int) -> Metric:
    return Metric.mean(np.array(values), seed)
