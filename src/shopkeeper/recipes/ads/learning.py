"""Learning the chances of clicks and sales: linear, trees, DCN-v2, each straightened on validation, and the best taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.cross_network import CrossNetwork
from shopkeeper.models.cross_scorer import CrossScorer
from shopkeeper.models.text import Floats
from shopkeeper.progress import span
from shopkeeper.ranking.ads.examined_clicks import base_logit, fit_linear, losses, slopes, straightened
from shopkeeper.ranking.ads.features import NAMES
from shopkeeper.ranking.ads.model import PARTS, TARGETS, AdModel, Mix, Trees
from shopkeeper.ranking.ranker import Linear
from shopkeeper.recipes.ads.cross_learning import CrossOptions, cross_logits, learn_cross
from shopkeeper.recipes.ads.periods import Examples, Period, examples
from shopkeeper.training.hooks import Hook
from shopkeeper.training.plan import FitReport

Values = NDArray[np.float64]

_TREES = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 80,
    "lambda_l2": 5.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbose": -1,
    "deterministic": True,
}
_ROUNDS, _WAIT = 400, 30
_RIDGES = (3.0, 30.0, 300.0, 3_000.0)
"""Strengths of the linear model's penalty that validation chooses from; the last leaves little but the mean rate."""
_FEW = 200
"""Hits below which only the linear model learns of them; ads below which nothing is learnt of ads apart."""


def learn_trees(train: Examples, valid: Examples, seed: int, *, threads: int = 1, columns: Sequence[int] = ()) -> Trees:
    """Boosted trees on the loss of `examined_clicks`, stopped early on validation.

    Args:
        train: To learn from.
        valid: To stop by.
        seed: Of the drawn rows and columns.
        threads: Of LightGBM.
        columns: Columns that are left out of all splits.
    """
    base = base_logit(train.hit, train.looked)

    def objective(logits: Values, _: lightgbm.Dataset) -> tuple[Values, Values]:
        return slopes(logits + base, train.hit, train.looked)

    def judged(logits: Values, _: lightgbm.Dataset) -> tuple[str, float, bool]:
        return "loss", float(losses(logits + base, valid.hit, valid.looked).mean()), False

    first, second = blank(train.table, columns), blank(valid.table, columns)
    data = lightgbm.Dataset(first, train.hit, free_raw_data=False)
    booster = lightgbm.train(
        _TREES | {"objective": objective, "metric": "none", "seed": seed, "num_threads": threads},
        data,
        _ROUNDS,
        valid_sets=[lightgbm.Dataset(second, valid.hit, reference=data)],
        feval=judged,
        callbacks=[lightgbm.early_stopping(_WAIT, verbose=False)],
    )
    kept = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=max(1, booster.best_iteration)))
    return Trees(kept, base)


def learn_linear(train: Examples, valid: Examples) -> Linear:
    """The linear model whose penalty loses least on validation."""
    found = [fit_linear(train.table, train.hit, train.looked, ridge=ridge) for ridge in _RIDGES]
    return min(found, key=lambda model: float(losses(model.score(valid.table), valid.hit, valid.looked).sum()))


def blank(table: Floats, columns: Sequence[int]) -> Floats:
    """A copy without some columns: all 0, so that nothing is learnt of them."""
    out = table.copy()
    out[:, list(columns)] = 0
    return out


def straight(raw: Values, valid: Examples) -> tuple[float, float]:
    """Slope and shift that make a part's logits honest on validation."""
    return straightened(raw, valid.hit, valid.looked)


@dataclass(frozen=True, slots=True)
class Judged:
    """How each part and their mean did on validation.

    Attributes:
        losses: Mean loss by name of a part, and of ``mean``.
        chosen: The parts that are kept.
    """

    losses: Mapping[str, float]
    chosen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of a run.

    Attributes:
        model: The best parts, straightened.
        judged: By target, how the parts did on validation.
        alone: By target and part, a mix of that part alone, straightened.
        network: DCN-v2, kept or not.
        report: The run of DCN-v2.
    """

    model: AdModel
    judged: Mapping[str, Judged]
    alone: Mapping[str, Mapping[str, Mix]]
    network: CrossNetwork
    report: FitReport


def learn(
    train: Period,
    valid: Period,
    vectors: Floats,
    *,
    minutes: float,
    seed: int,
    threads: int = 1,
    options: CrossOptions | None = None,
    hooks: Sequence[Hook] = (),
) -> Learnt:
    """Everything, and the best of it by the loss on validation.

    Args:
        train: To learn from.
        valid: To stop, straighten and choose by.
        vectors: float32 (rows, d), the items'.
        minutes: Wall-time budget of DCN-v2.
        seed: Of everything random.
        threads: Of LightGBM.
        options: Of DCN-v2.
        hooks: Of DCN-v2.
    """
    if train.paid.sum() < _FEW:
        train, valid = (replace(part, table=blank(part.table, [NAMES.index("paid")])) for part in (train, valid))
    network, report = learn_cross(train, valid, vectors, minutes=minutes, seed=seed, options=options, hooks=hooks)
    crossed = cross_logits(network, valid, vectors)
    mixes: dict[str, Mix] = {}
    judged: dict[str, Judged] = {}
    alone: dict[str, dict[str, Mix]] = {}
    with span("learn linear models and trees", len(TARGETS), "targets") as progress:
        for place, target in enumerate(TARGETS):
            rows, checked = examples(train, target), examples(valid, target)
            linear = learn_linear(rows, checked)
            raw = {"linear": linear.score(checked.table).astype(np.float64)}
            trees = None
            if rows.hit.sum() >= _FEW:
                trees = learn_trees(rows, checked, seed, threads=threads)
                raw |= {"trees": trees.score(checked.table), "cross": crossed[checked.chosen, place]}
            lines = {name: straight(values, checked) for name, values in raw.items()}
            judged[target] = choose({n: lines[n][0] * raw[n] + lines[n][1] for n in raw}, checked)
            alone[target] = {name: _mix((name,), lines, linear, trees) for name in raw}
            mixes[target] = _mix(judged[target].chosen, lines, linear, trees)
            progress.advance()
    wanted = any("cross" in mix.lines for mix in mixes.values())
    model = AdModel(mixes, CrossScorer(network.save()) if wanted else None, features=NAMES)
    return Learnt(model, judged, alone, network, report)


def choose(logits: Mapping[str, Values], valid: Examples) -> Judged:
    """The part, or the mean of all, that loses least on validation; the first part where that may be chance.

    It may be where the first loses more by less than one standard error of the paired difference (the rule of Breiman et
    al. 1984, "Classification and regression trees").
    """
    every = dict(logits) | ({"mean": np.mean(list(logits.values()), axis=0)} if len(logits) > 1 else {})
    lost = {name: losses(values, valid.hit, valid.looked) for name, values in every.items()}
    found = {name: float(values.mean()) for name, values in lost.items()}
    first, best = next(iter(found)), min(found, key=found.__getitem__)
    excess = lost[first] - lost[best]
    if excess.mean() <= excess.std() / np.sqrt(max(len(excess), 1)):
        best = first
    return Judged(found, tuple(logits) if best == "mean" else (best,))


def _mix(names: Sequence[str], lines: Mapping[str, tuple[float, float]], linear: Linear, trees: Trees | None) -> Mix:
    return Mix(
        {name: lines[name] for name in PARTS if name in names},
        linear if "linear" in names else None,
        trees if "trees" in names else None,
    )
