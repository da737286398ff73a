"""What the benches of profiles share: ours with and without words beside plain rivals, on one log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import spearmanr

from bench.contract import Metric, Row
from shopkeeper.evaluation.plots import drawable, reliability_diagram
from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Values
from shopkeeper.ranking.customers.features import RFM, propensity_features, repeat_buying
from shopkeeper.ranking.customers.lifetime import fit_lifetime
from shopkeeper.recipes.customers.profile import (
    HORIZON,
    Log,
    Measured,
    ProfileOptions,
    learn_foresight,
    propensity_marks,
)
from shopkeeper.recipes.customers.propensity import TARGETS, Labels, labels_of, linear_model
from shopkeeper.recipes.customers.purchase_baselines import straightened
from shopkeeper.recipes.customers.snapshots import Snapshot, snapshots

_DAYS = {"purchase_7": 7.0, "purchase_30": 30.0, "churn_30": 30.0}
_LEAST = 20


def rows(log: Log, *, moments: int = 12, seed: int = 7, plots: Path | None = None) -> list[Row]:
    """One row for each target and system, then the next category and the worth.

    Args:
        log: The log, with vectors.
        moments: Of training, for all systems.
        seed: Of trees and the bootstrap.
        plots: Beginning of the names of calibration plots; None for none.
    """
    found: list[Row] = []
    ours: dict[str, tuple[Measured, float]] = {}
    for name, words in (("shopkeeper, words", True), ("shopkeeper, behaviour only", False)):
        began = time.perf_counter()
        measured = learn_foresight(log, ProfileOptions(words=words, moments=moments), seed=seed)[1]
        ours[name] = measured, time.perf_counter() - began
    for system, given in _rivals(log, moments).items():
        found += [_row(f"{target}, {system}", labels, chances) for target, (labels, chances) in given.items()]
    for system, (measured, seconds) in ours.items():
        found += [_row(f"{system}: {target}", *pair, seconds) for target, pair in measured.chances.items()]
    found += _following(ours, seed) + _worths(ours, seed)
    if plots is not None and drawable():
        for target, pair in ours["shopkeeper, words"][0].chances.items():
            file = plots.with_name(f"{plots.name}-{target.replace('_', '-')}.png")
            file.write_bytes(reliability_diagram(*pair))
    return found


def _rivals(log: Log, moments: int) -> Mapping[str, dict[str, tuple[Labels, Values]]]:
    """The share of all, RFM in a logistic regression, and BG/NBD; the last two straightened on validation."""
    parts = snapshots(log.deeds, HORIZON, most=moments)
    labels = [labels_of(log.deeds, part) for part in (parts.train, parts.valid, parts.test)]
    tables = [_rfm(part) for part in (parts.train, parts.valid, parts.test)]
    found: dict[str, dict[str, tuple[Labels, Values]]] = {"base rate": {}, "RFM logistic": {}, "BG/NBD": {}}
    for target in TARGETS:
        train, valid, test = (one[target] for one in labels)
        if any(min(one.sum(), len(one) - one.sum()) < _LEAST for one in (train, valid)):
            continue
        found["base rate"][target] = test, np.full(len(test), valid.mean())
        linear = linear_model(tables[0], train)
        scores = [np.asarray(linear.score(table), dtype=np.float64) for table in tables[1:]]
        found["RFM logistic"][target] = test, _straight(valid, *scores)
        if target in _DAYS:
            sign = -1.0 if target.startswith("churn") else 1.0
            expected = [sign * logs for logs in _expected(parts.valid, parts.test, _DAYS[target])]
            found["BG/NBD"][target] = test, _straight(valid, expected[0], expected[1])
    return found


def _rfm(part: Snapshot) -> Floats:
    table, names = propensity_features(part.past, part.at)
    return table[:, [names.index(name) for name in RFM]]


def _expected(valid: Snapshot, test: Snapshot, days: float) -> list[Values]:
    """Logarithm of the purchases that BG/NBD expects; whoever never bought stands below all others."""
    repeats, last, age, orders, _ = repeat_buying(valid.past, valid.at)
    known = (orders > 0) & (age > 0)
    model = fit_lifetime(repeats[known], last[known], age[known])
    found = []
    for part in (valid, test):
        repeats, last, age, orders, _ = repeat_buying(part.past, part.at)
        times = model.expected(days, repeats, last, np.maximum(age, 1e-3))
        found.append(np.log(np.where(orders > 0, np.maximum(times, 1e-6), 1e-7)))
    return found


def _straight(labels: Labels, valid: Values, test: Values) -> Values:
    slope, shift = straightened(labels, valid)
    return np.asarray(expit(slope * test + shift))


def _following(ours: Mapping[str, tuple[Measured, float]], seed: int) -> list[Row]:
    found: list[Row] = []
    for system, (measured, seconds) in ours.items():
        if not measured.next:
            continue
        if not found:
            plain = {f"accuracy@{k}": Metric.mean(measured.next[f"popularity@{k}"], seed) for k in (1, 5)}
            found.append(Row("next category, popularity", plain))
        own = {f"accuracy@{k}": Metric.mean(measured.next[f"accuracy@{k}"], seed) for k in (1, 5)}
        found.append(Row(f"{system}: next category", own, seconds))
    return found


def _worths(ours: Mapping[str, tuple[Measured, float]], seed: int) -> list[Row]:
    found: list[Row] = []
    for system, (measured, seconds) in ours.items():
        paid, expected = measured.worth
        if not paid.any():
            continue
        metrics = {
            "spearman": Metric(float(spearmanr(paid, expected).statistic)),
            "mae": Metric.mean(np.abs(paid - expected), seed),
        }
        note = f"money within {measured.horizon:g} days, in typical purchases"
        if not found:
            flat = Metric.mean(np.abs(paid - paid.mean()), seed)
            found.append(Row("worth, mean of all", {"mae": flat}, notes=note))
        found.append(Row(f"{system}: worth", metrics, seconds, note))
    return found


def _row(system: str, labels: Labels, chances: Values, seconds: float = 0.0) -> Row:
    found = propensity_marks(labels, np.clip(chances, 1e-6, 1 - 1e-6))
    metrics = {name: Metric(mark["value"], mark.get("low"), mark.get("high")) for name, mark in found.items()}
    return Row(system, metrics, seconds, f"{int(labels.sum())} of {len(labels)}")
