"""Off-policy estimates on Open Bandit: the click rate of one policy from the log of another, against what it really earned.

Each campaign of the set was served by two policies side by side, evenly random and Thompson sampling, and each row is one
place of a page. The log of one is read as a shop's event log and asked what the other would have earned; the other's own
log says what it did. The random policy is 1 / items. What Thompson sampling would show is how often it showed each item at
each place during the week: its propensities moved all week, and this is their mean.

With 40 to 70 clicks a log the real rate is itself uncertain: an estimate agrees where the interval of the difference holds
0. So the same is done with simulated logs, drawn from the same policies with click rates that are known (each item's, drawn
to the mean); they say how often the intervals hold the truth, of all logs and of those that `trustworthy` lets pass.

Rows of obp hold its own estimates of the same rows of the log, and how far ours are from them (`bench.ads_agreement`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.ads_agreement import agreement
from bench.contract import Metric, Row
from shopkeeper.evaluation import offpolicy
from shopkeeper.evaluation.intervals import bootstrap_interval, paired_difference
from shopkeeper.evaluation.offpolicy import Logged, trustworthy
from shopkeeper.evaluation.offpolicy_log import logged, read_pages
from shopkeeper.evaluation.offpolicy_report import ESTIMATORS
from shopkeeper.records import Event, EventKind, Impression

CAMPAIGNS = ("all", "men", "women")
POLICIES = ("random", "bts")
_PLACES = 3
_PRIOR = 400.0
"""Showings that the mean click rate weighs against an item's own in the simulated logs."""

Floats = NDArray[np.float64]


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for every campaign and direction: what was earned, the guess that nothing changes, and each estimator.

    Args:
        data: Folder of the public data sets.
        quick: One campaign and few simulated logs.
        seed: Of folds, bootstraps and simulated logs.
    """
    rows: list[Row] = []
    for campaign in CAMPAIGNS[:1] if quick else CAMPAIGNS:
        logs = {name: pl.read_parquet(data / "open-bandit-small" / f"{campaign}_{name}.parquet") for name in POLICIES}
        tables = {name: shown(log, logs["random"]) for name, log in logs.items()}
        tables["random"] = np.full_like(tables["random"], 1 / len(tables["random"]))
        for served, asked in (("random", "bts"), ("bts", "random")):
            name = f"{campaign}, {asked} from the log of {served}"
            simulated = _simulated(logs, tables[served], tables[asked], 20 if quick else 100, seed)
            rows += _real(name, logs[served], tables[asked], logs[asked], simulated, seed)
            rows += agreement(name, logs[served], tables[asked])
    return rows


def shown(log: pl.DataFrame, other: pl.DataFrame) -> Floats:
    """How often a policy shows each item at each place: float64 (items, places), columns sum to 1."""
    items = 1 + int(max(log["item_id"].to_numpy().max(), other["item_id"].to_numpy().max()))
    counts = np.zeros((items, _PLACES))
    np.add.at(counts, (log["item_id"].to_numpy(), log["position"].to_numpy() - 1), 1.0)
    return np.asarray(counts / counts.sum(axis=0))


def events(log: pl.DataFrame) -> list[Event]:
    """Rows of the set as a shop's events: an impression of one place each, and a click that names it."""
    found: list[Event] = []
    for n, row in enumerate(log.iter_rows(named=True)):
        item, time_ = str(row["item_id"]), row["timestamp"]
        impression = Impression(
            items=(item,), positions=(row["position"],), propensities=(row["propensity_score"],), surface="home"
        )
        found.append(Event(id=f"i{n}", time=time_, kind=EventKind.IMPRESSION, request=str(n), impression=impression))
        if row["click"]:
            found.append(Event(id=f"c{n}", time=time_, kind=EventKind.CLICK, request=str(n), item=item))
    return found


def _real(
    name: str,
    served: pl.DataFrame,
    table: Floats,
    asked: pl.DataFrame,
    simulated: Mapping[str, dict[str, Metric]],
    seed: int,
) -> list[Row]:
    began = time.perf_counter()
    places = [{str(item): share for item, share in enumerate(column.tolist())} for column in table.T]

    def policy(event: Event) -> Sequence[Mapping[str, float]]:
        assert event.impression is not None
        return [places[event.impression.positions[0] - 1]]

    log = logged(read_pages(events(served)), policy, seed=seed)
    verdict = trustworthy(log)
    truth = asked["click"].to_numpy().astype(np.float64)
    facts = {"effective_sample": Metric(verdict.effective), "effective_clicks": Metric(verdict.effective_clicks)}
    rows = [
        Row(f"{name}: what it really earned", {"clicks": Metric.mean(truth, seed)}, 0.0, verdict.text["en"]),
        Row(f"{name}: as the one that served", _errors(offpolicy.earned(log), truth, seed) | facts),
    ]
    for label, estimator in ESTIMATORS.items():
        metrics = _errors(estimator(log), truth, seed) | simulated[label]
        rows.append(Row(f"shopkeeper {name}: {label}", metrics, time.perf_counter() - began))
    return rows


def _errors(values: Floats, truth: Floats, seed: int) -> dict[str, Metric]:
    """Both are uncertain: they agree where the interval of their difference holds 0; rows of the two logs are unrelated."""
    real = float(truth.mean())
    return {
        "clicks": Metric.mean(values, seed),
        "relative_error": Metric(abs(float(values.mean()) - real) / real),
        "agrees": Metric(float(not paired_difference(truth, values, seed=seed).clear)),
    }


def _simulated(
    logs: Mapping[str, pl.DataFrame], served: Floats, asked: Floats, draws: int, seed: int
) -> dict[str, dict[str, Metric]]:
    both = pl.concat([log.select("item_id", "click") for log in logs.values()])
    mean = float(both["click"].to_numpy().mean())
    items = both["item_id"].to_numpy()
    clicks = np.bincount(items, both["click"].to_numpy(), minlength=len(served))
    rates = (clicks + _PRIOR * mean) / (np.bincount(items, minlength=len(clicks)) + _PRIOR)
    rng = np.random.default_rng(seed)
    old = 0.999 * served + 0.001 / len(rates)  # everything has a chance
    truth = float((asked.T @ rates).mean())
    held: dict[str, list[float]] = {label: [] for label in ESTIMATORS}
    errors: dict[str, list[float]] = {label: [] for label in ESTIMATORS}
    trusted = []
    for _ in range(draws):
        log = _drawn(old, asked, rates, mean, len(both) // 2, rng)
        trusted.append(trustworthy(log).ok)
        for label, estimator in ESTIMATORS.items():
            values = estimator(log)
            low, high = bootstrap_interval(values, resamples=200, seed=seed)
            held[label].append(float(low <= truth <= high))
            errors[label].append(abs(float(values.mean()) - truth) / truth)
    found: dict[str, dict[str, Metric]] = {}
    for label in ESTIMATORS:
        found[label] = {
            "simulated_error": Metric.mean(errors[label], seed),
            "simulated_coverage": Metric.mean(held[label], seed),
            "simulated_trusted": Metric(float(np.mean(trusted))),
        }
        if any(trusted):
            found[label]["coverage_when_trusted"] = Metric.mean(np.array(held[label])[trusted], seed)
    return found


def _drawn(old: Floats, new: Floats, rates: Floats, mean: float, rows: int, rng: np.random.Generator) -> Logged:
    place = rng.integers(0, _PLACES, rows)
    item = np.zeros(rows, dtype=np.int64)
    for at in range(_PLACES):
        here = place == at
        item[here] = rng.choice(len(old), int(here.sum()), p=old[:, at])
    reward = (rng.random(rows) < rates[item]).astype(np.float64)
    shown_, clicked = np.bincount(item, minlength=len(old)), np.bincount(item, reward, minlength=len(old))
    fold = rng.integers(0, 2, rows)
    modelled, expected = np.zeros(rows), np.zeros(rows)
    for half in range(2):
        own = fold == half
        seen = shown_ - np.bincount(item[own], minlength=len(old))
        model = (clicked - np.bincount(item[own], reward[own], minlength=len(old)) + _PRIOR * mean) / (seen + _PRIOR)
        modelled[own], expected[own] = model[item[own]], (new.T @ model)[place[own]]
    return Logged(np.arange(rows), place + 1, reward, old[item, place], new[item, place], modelled, expected, rows)
