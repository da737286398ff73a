"""Click models on public ad logs: who clicks what, on Open Bandit (three campaigns); Criteo's 200 rows as a smoke test.

Rows of both policies together, in the order of time, in six stretches: a model learns from all stretches before the one it
is asked about, so each of the last five is foreseen once. What a model is held back by is chosen on the last of the stretches it
learns from. Features: the user's four hashed features and the place, the item with its own features, and crosses of user with
item (`ranking.ads.hashed_features`). `base rate` says the mean of the past of everything, `item` and `place` the past of that item
and place, drawn to the mean.

With 80 to 115 clicks in 20,000 rows differences below .05 of AUC are noise; `log_loss_gain` is the paired difference from the
base rate in thousandths of a nat a row, positive where the model is better.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bench.ads_openbandit import CAMPAIGNS, POLICIES
from bench.contract import Metric, Row
from shopkeeper.evaluation.classification import auc, auc_interval, calibration_error, log_loss
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.ranking.ads.hashed_features import HashedFeatures

Values = NDArray[np.float64]
Predict = Callable[[pl.DataFrame, Values, pl.DataFrame, int], Values]
"""(past rows, their clicks, rows asked about, rows of the past's last stretch) -> chances."""

_STRETCHES = 6
_PRIOR = 400.0
_BUCKETS = 2048
_STRENGTHS = (0.001, 0.01, 0.1)
_USERS, _ITEMS = ("user_feature_0", "user_feature_1", "user_feature_2"), ("item_id", "item_feature_1", "item_feature_2")
_TREES = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 5,
    "min_data_in_leaf": 200,
    "lambda_l2": 20.0,
    "feature_fraction": 0.5,
    "verbose": -1,
    "deterministic": True,
    "num_threads": 1,
    "seed": 7,
}
_ROUNDS = 150


def run(data: Path, *, quick: bool = False, seed: int = 7) -> list[Row]:
    """Rows for every campaign and model, and for Criteo's sample.

    Args:
        data: Folder of the public data sets.
        quick: One campaign.
        seed: Of bootstraps and of the order of Criteo's rows, which have no time.
    """
    rows: list[Row] = []
    for campaign in CAMPAIGNS[:1] if quick else CAMPAIGNS:
        frame = read_rows(data / "open-bandit-small", campaign)
        crosses = tuple((user, item) for user in _USERS for item in _ITEMS)
        rows += _rows(campaign, frame.drop("click"), frame["click"].to_numpy().astype(np.float64), crosses, seed)
    criteo = pl.read_parquet(data / "criteo-sample-200" / "criteo_sample.parquet")
    criteo = criteo[np.random.default_rng(seed).permutation(criteo.height)]
    rows += _rows("criteo, smoke test", criteo.drop("label"), criteo["label"].to_numpy().astype(np.float64), (), seed)
    return rows


def read_rows(folder: Path, campaign: str) -> pl.DataFrame:
    """Both logs in the order of time, with the item's features as the first policy's file hashes them."""
    items = pl.read_parquet(folder / f"{campaign}_items.parquet").filter(pl.col("policy") == POLICIES[0])
    logs = [pl.read_parquet(folder / f"{campaign}_{policy}.parquet") for policy in POLICIES]
    both = pl.concat(logs).sort("timestamp", maintain_order=True).with_columns(pl.col("item_id").cast(pl.Int64))
    return (
        both.join(items.drop("policy"), on="item_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("item_id", "position").cast(pl.String),
            pl.col("affinity_value").list.sum().alias("affinity"),
            pl.col("timestamp").dt.hour().cast(pl.String).alias("hour"),
        )
        .drop("timestamp", "propensity_score", "affinity_item", "affinity_value")
    )


def _rows(name: str, frame: pl.DataFrame, clicks: Values, crosses: tuple[tuple[str, str], ...], seed: int) -> list[Row]:
    models: dict[str, Predict] = {"base rate": _base}
    if "item_id" in frame.columns:
        models |= {"item": _record("item_id"), "place": _record("position")}
    models |= {
        "logistic regression": _logistic(()),
        "LightGBM": _forest(()),
    }
    if crosses:
        models |= {"logistic regression, crosses": _logistic(crosses), "LightGBM, crosses": _forest(crosses)}
    edges = np.linspace(0, frame.height, _STRETCHES + 1).astype(np.int64)
    wanted = clicks[edges[1] :]
    foreseen: dict[str, Values] = {}
    seconds: dict[str, float] = {}
    for label, predict in models.items():
        began, found = time.perf_counter(), []
        for start, end in zip(edges[1:-1].tolist(), edges[2:].tolist(), strict=True):
            found.append(predict(frame[:start], clicks[:start], frame[start:end], int(edges[1])))
        foreseen[label], seconds[label] = np.concatenate(found), time.perf_counter() - began
    ours = ("logistic regression", "LightGBM")
    foreseen["LR and LightGBM, mean"] = np.mean([foreseen[label] for label in ours], axis=0)
    plain = log_loss(wanted, foreseen["base rate"])
    return [
        Row(
            f"{'' if label in ('base rate', 'item', 'place') else 'shopkeeper '}{name}: {label}",
            _measured(wanted, chances, plain, seed),
            seconds.get(label, 0.0),
        )
        for label, chances in foreseen.items()
    ]


def _measured(wanted: Values, chances: Values, plain: Values, seed: int) -> Mapping[str, Metric]:
    loss = log_loss(wanted, chances)
    gain = paired_difference(loss, plain, seed=seed)
    return {
        "auc": Metric(auc(wanted, chances), *auc_interval(wanted, chances, seed=seed)),
        "log_loss": Metric.mean(loss, seed),
        "log_loss_gain": Metric(1000 * gain.mean, 1000 * gain.low, 1000 * gain.high),
        "ece": Metric(calibration_error(wanted, chances)),
        "foreseen": Metric(float(chances.mean())),
        "clicked": Metric(float(wanted.mean())),
    }


def _base(past: pl.DataFrame, clicks: Values, asked: pl.DataFrame, last: int) -> Values:  # noqa: ARG001 - see `Predict`
    return np.full(asked.height, (clicks.sum() + 1) / (len(clicks) + 2))


def _record(column: str) -> Predict:
    def predict(past: pl.DataFrame, clicks: Values, asked: pl.DataFrame, last: int) -> Values:  # noqa: ARG001
        mean = (clicks.sum() + 1) / (len(clicks) + 2)
        told = past.select(pl.col(column).alias("key"), pl.Series("click", clicks)).group_by("key")
        known = told.agg(((pl.col("click").sum() + _PRIOR * mean) / (pl.len() + _PRIOR)).alias("rate"))
        found = asked.select(pl.col(column).alias("key")).join(known, on="key", how="left", maintain_order="left")
        return found["rate"].fill_null(mean).to_numpy()

    return predict


def _logistic(crosses: tuple[tuple[str, str], ...]) -> Predict:
    def predict(past: pl.DataFrame, clicks: Values, asked: pl.DataFrame, last: int) -> Values:
        before, later = _read(past, asked, crosses)
        strength = _STRENGTHS[0]
        cut = past.height - last
        if cut and 0 < clicks[:cut].sum() < cut:
            losses = [
                float(log_loss(clicks[cut:], _fitted(before[:cut], clicks[:cut], c, before[cut:])).mean())
                for c in _STRENGTHS
            ]
            strength = _STRENGTHS[int(np.argmin(losses))]
        return _fitted(before, clicks, strength, later)

    return predict


def _fitted(table: sp.csr_matrix, clicks: Values, strength: float, asked: sp.csr_matrix) -> Values:
    model = LogisticRegression(C=strength, max_iter=400).fit(table, clicks)
    return np.asarray(model.predict_proba(asked)[:, 1], dtype=np.float64)


def _forest(crosses: tuple[tuple[str, str], ...]) -> Predict:
    def predict(past: pl.DataFrame, clicks: Values, asked: pl.DataFrame, last: int) -> Values:
        before, later = _read(past, asked, crosses)
        cut, rounds = past.height - last, 20
        settings = {**_TREES, "min_data_in_leaf": int(np.clip(past.height // 20, 5, 200))}
        if cut and 0 < clicks[:cut].sum() < cut:
            own = lightgbm.Dataset(before[:cut], clicks[:cut])
            booster = lightgbm.train(
                settings,
                own,
                _ROUNDS,
                valid_sets=[lightgbm.Dataset(before[cut:], clicks[cut:], reference=own)],
                callbacks=[lightgbm.early_stopping(_ROUNDS, verbose=False)],
            )
            rounds = max(int(booster.best_iteration), 1)
        booster = lightgbm.train(settings, lightgbm.Dataset(before, clicks), rounds)
        return np.asarray(booster.predict(later, num_threads=1), dtype=np.float64)

    return predict


def _read(
    past: pl.DataFrame, asked: pl.DataFrame, crosses: tuple[tuple[str, str], ...]
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    features = HashedFeatures.fit(past, crosses=crosses, listed=100, buckets=_BUCKETS)
    return sp.csr_matrix(features.matrix(past)), sp.csr_matrix(features.matrix(asked))
