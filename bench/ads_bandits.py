"""Bandits replayed on the random logs of Open Bandit: do Thompson sampling and LinUCB earn more clicks than an even choice?

*Replayed* (Li et al. 2011): the bandit chooses at every logged place, and where its choice was the one shown, the click counts
and it learns. Of 10,000 rows and 34 to 80 items 120 to 300 remain, with about one click: hardly anything to learn from, which
the interval says. The figure is the mean over seeds; the interval holds what logs resampled with replacement gave.

*Followed* loses nothing: each day the bandit is taught with all days before, and what its choices would earn is estimated with
the doubly robust estimator on the seven days.

*Simulated*: clicks drawn with known rates (each item's, drawn to the mean), 60,000 showings, ten seeds: the same code where
there is enough to learn from. Shares are of the clicks that always showing the best item would have earned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.ads_openbandit import CAMPAIGNS
from bench.contract import Metric, Row
from shopkeeper.evaluation import offpolicy
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.replay_bandit import RandomLog, followed, replay
from shopkeeper.ranking.ads.bandits import Bandit, LinUCB, ThompsonSampling
from shopkeeper.ranking.ads.hashed_features import HashedFeatures
from shopkeeper.ranking.ads.uplift import dense

_PLACES = 3
_RATE = 0.005
"""Click rate of an ad that a shop would expect beforehand."""
_PRIOR = 400.0
_BATCH = 400
_SHOWINGS, _LESSON = 60_000, 600

Make = Callable[[], Bandit]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for every campaign: an even choice, and each bandit in three ways.

    Args:
        data: Folder of the public data sets.
        quick: One campaign and few seeds.
        seed: Of all draws.
    """
    rows: list[Row] = []
    for campaign in CAMPAIGNS[:1] if quick else CAMPAIGNS:
        frame = pl.read_parquet(data / "open-bandit-small" / f"{campaign}_random.parquet").sort("timestamp")
        log = read_log(frame)
        days = frame["timestamp"].dt.ordinal_day().to_numpy().astype(np.int64)
        rows.append(Row(f"{campaign}: evenly at random", {"clicks": Metric.mean(log.reward, seed)}))
        makes: dict[str, Make] = {
            "Thompson sampling": partial(ThompsonSampling, log.arms, places=_PLACES, rate=_RATE),
            "LinUCB": partial(LinUCB, log.arms, log.context.shape[1], noise=_RATE**0.5),
        }
        for name, make in makes.items():
            began = time.perf_counter()
            metrics = _replayed(log, make, 3 if quick else 20, seed) | _followed(log, make(), days, seed)
            rows.append(Row(f"shopkeeper {campaign}: {name}", metrics, time.perf_counter() - began))
        began = time.perf_counter()
        metrics = _simulated(log, 2 if quick else 10, seed)
        rows.append(Row(f"shopkeeper {campaign}: Thompson sampling, simulated", metrics, time.perf_counter() - began))
    return rows


def read_log(frame: pl.DataFrame) -> RandomLog:
    """Rows of the set; the context is the user's four hashed features, one-hot."""
    users = frame.select(pl.selectors.starts_with("user_feature"))
    item = frame["item_id"].to_numpy().astype(np.int64)
    return RandomLog(
        item,
        frame["click"].to_numpy().astype(np.float64),
        dense(HashedFeatures.fit(users), users),
        frame["position"].to_numpy().astype(np.int64) - 1,
        int(item.max()) + 1,
    )


def _replayed(log: RandomLog, make: Make, seeds: int, seed: int) -> dict[str, Metric]:
    rng = np.random.default_rng(seed)
    real = [replay(log, make(), rng, batch=_BATCH) for _ in range(seeds)]
    gains = []
    for _ in range(2 * seeds):
        drawn = log.take(np.sort(rng.integers(0, len(log.arm), len(log.arm))))
        gains.append(float(replay(drawn, make(), rng, batch=_BATCH).mean()) - float(drawn.reward.mean()))
    low, high = np.quantile(gains, [0.025, 0.975])
    earned = float(np.mean([values.mean() for values in real]))
    return {
        "kept": Metric(float(np.mean([len(values) for values in real]))),
        "clicks_replayed": Metric(earned),
        "gain_replayed": Metric(earned - float(log.reward.mean()), float(low), float(high)),
    }


def _followed(log: RandomLog, bandit: Bandit, days: NDArray[np.int64], seed: int) -> dict[str, Metric]:
    found = followed(log, bandit, days)
    values = offpolicy.doubly_robust(found)
    gain = paired_difference(offpolicy.earned(found), values, seed=seed)
    return {
        "clicks_followed": Metric.mean(values, seed),
        "gain_followed": Metric(gain.mean, gain.low, gain.high),
        "effective_sample": Metric(offpolicy.effective_sample(found.weights)),
    }


def _simulated(log: RandomLog, seeds: int, seed: int) -> dict[str, Metric]:
    mean = float(log.reward.mean())
    shown = np.bincount(log.arm, minlength=log.arms)
    rates = (np.bincount(log.arm, log.reward, minlength=log.arms) + _PRIOR * mean) / (shown + _PRIOR)
    earned = []
    for number in range(seeds):
        rng = np.random.default_rng([seed, number])
        bandit, clicks = ThompsonSampling(log.arms, rate=_RATE), 0.0
        place, context = np.zeros(_LESSON, dtype=np.int64), np.zeros((_LESSON, 0), dtype=np.float32)
        for _ in range(_SHOWINGS // _LESSON):
            chances = bandit.chances(context, place)[0]
            arm = rng.choice(log.arms, _LESSON, p=chances / chances.sum())
            reward = (rng.random(_LESSON) < rates[arm]).astype(np.float64)
            bandit.learn(arm, reward, context, place)
            clicks += float(reward.sum())
        earned.append(clicks / _SHOWINGS)
    return {
        "clicks": Metric.mean(earned, seed),
        "gain": Metric.mean(np.array(earned) - rates.mean(), seed),
        "share_of_best": Metric.mean(np.array(earned) / rates.max(), seed),
        "share_of_best_evenly": Metric(float(rates.mean() / rates.max())),
    }
