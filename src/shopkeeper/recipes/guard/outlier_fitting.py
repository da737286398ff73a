"""Fits the unsupervised outlier models with pyod (Zhao, Nasrullah and Li 2019), and keeps their arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.extras import require
from shopkeeper.models.outliers import AutoEncoder, Forest, Outliers, Scaling, Tails, Values
from shopkeeper.models.text import Floats

_ROWS = 20_000
"""Rows that the models are fitted on at most."""
_TAIL = 5_000
"""Values kept of each column for its tails."""
_QUANTILES = 1_001


def fit_outliers(table: Floats, seed: int, *, columns: Sequence[int] | None = None, epochs: int = 10) -> Outliers:
    """Isolation forest, ECOD and autoencoder of rows that nobody has labelled.

    Args:
        table: float (n, f), NaN where something does not apply; rows in any order.
        seed: Of the rows drawn and of the models.
        columns: Places of the columns to look at; all when None.
        epochs: Passes of the autoencoder.

    Raises:
        TrainingError: There are fewer than 64 rows.
        ExtraMissingError: pyod is not installed.
    """
    if len(table) < 64:
        raise TrainingError(
            f"{len(table)} payments are too few to tell what is ordinary.", cure="Import more of the log: 64 at least."
        )
    looked = np.arange(table.shape[1]) if columns is None else np.array(columns, dtype=np.int64)
    drawn = table[:, looked][np.random.default_rng(seed).permutation(len(table))[:_ROWS]]
    scaling = Scaling.fit(drawn)
    rows = scaling(drawn)
    forest, tails, autoencoder = _forest(rows, seed), tails_of(rows), _autoencoder(rows, seed, epochs)
    raw = np.stack([part.score(rows) for part in (forest, tails, autoencoder)])
    ranks = np.quantile(raw, np.linspace(0, 1, _QUANTILES), axis=1).T
    return Outliers(looked, scaling, forest, tails, autoencoder, ranks)


def _forest(rows: Values, seed: int) -> Forest:
    fitted = require("pyod.models.iforest", "guard").IForest(random_state=seed).fit(rows)
    return forest_of(fitted)


def forest_of(fitted: Any) -> Forest:
    """The arrays of pyod's isolation forest."""
    trees = [tree.tree_ for tree in fitted.estimators_]
    shape = len(trees), max(tree.node_count for tree in trees)
    feature, left, right = (np.full(shape, -1, dtype=np.int64) for _ in range(3))
    cut, depth = np.zeros(shape), np.zeros(shape)
    for place, (tree, own) in enumerate(zip(trees, fitted.estimators_features_, strict=True)):
        nodes = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        feature[place, nodes] = np.where(leaf, -1, np.asarray(own)[np.maximum(tree.feature, 0)])
        left[place, nodes] = np.where(leaf, nodes, tree.children_left)
        right[place, nodes] = np.where(leaf, nodes, tree.children_right)
        cut[place, nodes] = tree.threshold
        for node in nodes[~leaf]:  # parents stand before their children
            depth[place, [tree.children_left[node], tree.children_right[node]]] = depth[place, node] + 1
        depth[place, nodes] += average_depth(tree.n_node_samples)
    return Forest(feature, cut, left, right, depth, average_depth(np.array([fitted.max_samples_])))


def average_depth(counts: Any) -> Values:
    """Cuts that part one of so many rows from the rest on average: an unsuccessful search of a binary tree, (n,)."""
    n = np.maximum(np.asarray(counts, dtype=np.float64), 2)
    many = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    return np.asarray(np.where(np.asarray(counts) > 2, many, np.where(np.asarray(counts) == 2, 1.0, 0.0)))


def tails_of(rows: Values) -> Tails:
    """ECOD of float64 (n, f): the values of each column in order, some thousands of them."""
    return Tails(np.sort(rows[:_TAIL], axis=0))


def _autoencoder(rows: Values, seed: int, epochs: int) -> AutoEncoder:
    import torch

    made = require("pyod.models.auto_encoder", "guard").AutoEncoder
    with torch.random.fork_rng(devices=[]):
        fitted = made(
            random_state=seed, epoch_num=epochs, batch_size=min(256, len(rows) // 2), preprocessing=False,
            hidden_neuron_list=[32, 8], verbose=0, device="cpu",
        )  # fmt: skip
        fitted.fit(rows)
    return autoencoder_of(fitted)


def autoencoder_of(fitted: Any) -> AutoEncoder:
    """The arrays of pyod's autoencoder, its batch normalisation folded into the weights before it."""
    import torch

    layers: list[tuple[Values, Values]] = []
    for module in fitted.model.modules():
        if isinstance(module, torch.nn.Linear):
            layers.append((_array(module.weight), _array(module.bias)))
        elif isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_var is not None
            assert module.running_mean is not None
            factor = _array(module.weight) / np.sqrt(_array(module.running_var) + module.eps)
            weight, bias = layers[-1]
            shift = _array(module.bias) - _array(module.running_mean) * factor
            layers[-1] = weight * factor[:, None], bias * factor + shift
    return AutoEncoder(tuple(layers))


def _array(parameter: Any) -> Values:
    return np.asarray(parameter.detach().double().cpu().numpy())
