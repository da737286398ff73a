"""How unlike all others a row of numbers is, without labels: isolation forest, ECOD, autoencoder, and their mean rank.

They are fitted elsewhere (`recipes.guard.outlier_fitting`) and score here from plain arrays, with numpy alone. Before anything
else each column is drawn together by a signed logarithm, filled with its median where it is missing, and standardised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.models.text import Floats

Values = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS: Final = ("forest", "tails", "autoencoder")
"""The parts, in the order of `Outliers.parts`."""
_CLIP = 10.0
_STEPS = 64
"""Deeper than any tree of an isolation forest, whose depth is the logarithm of its sample."""


class _Saved:
    """Arrays under the names of their fields."""

    def save(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Arrays by name, for a bundle."""
        return {f"{prefix}.{part.name}": getattr(self, part.name) for part in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Self:
        """Read what `save` gave.

        Raises:
            ModelError: An array is missing.
        """
        return cls(**{part.name: _array(arrays, f"{prefix}.{part.name}") for part in fields(cls)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Scaling(_Saved):
    """Brings columns of any scale to one.

    Attributes:
        median: float64 (f,), of the drawn together columns: taken where a value is missing.
        centre: float64 (f,).
        scale: float64 (f,), above 0.
    """

    median: Values
    centre: Values
    scale: Values

    @classmethod
    def fit(cls, table: Floats) -> Scaling:
        """Of float (n, f), NaN where values are missing."""
        drawn = _drawn(table)
        empty = np.isnan(drawn).all(axis=0)
        median = np.zeros(drawn.shape[1])
        median[~empty] = np.nanmedian(drawn[:, ~empty], axis=0)
        filled = np.where(np.isnan(drawn), median, drawn)
        deviation = filled.std(axis=0)
        return cls(median, filled.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0))

    def __call__(self, table: Floats) -> Values:
        """float64 (n, f), standardised, at most 10 deviations from 0."""
        drawn = _drawn(table)
        filled = np.where(np.isnan(drawn), self.median, drawn)
        return np.clip((filled - self.centre) / self.scale, -_CLIP, _CLIP)


@dataclass(frozen=True, slots=True)
class Forest(_Saved):
    """An isolation forest (Liu, Ting and Zhou 2008): outliers are parted from the rest by few random cuts.

    Attributes:
        feature: int64 (trees, nodes), column that a node cuts; -1 for leaves.
        cut: float64 (trees, nodes); up to it rows go left.
        left: int64 (trees, nodes), node on that side; a leaf is its own.
        right: int64 (trees, nodes), likewise.
        depth: float64 (trees, nodes), cuts down to a leaf, and those that its rows would still take on average.
        normal: float64 (1,), average depth of all rows of a sample.
    """

    feature: Ints
    cut: Values
    left: Ints
    right: Ints
    depth: Values
    normal: Values

    def score(self, rows: Values) -> Values:
        """2 ** -(mean depth / normal depth), in (0, 1), the higher the odder: float64 (n,) for float64 (n, f)."""
        trees = np.arange(len(self.feature))
        node = np.zeros((len(rows), len(trees)), dtype=np.int64)
        line = np.arange(len(rows))[:, None]
        for _ in range(_STEPS):
            column = self.feature[trees, node]
            if (column < 0).all():
                break
            goes_left = rows[line, np.maximum(column, 0)].astype(np.float32) <= self.cut[trees, node]
            node = np.where(goes_left, self.left[trees, node], self.right[trees, node])
        return np.asarray(2.0 ** -(self.depth[trees, node].mean(axis=1) / self.normal[0]))


@dataclass(frozen=True, slots=True)
class Tails(_Saved):
    """ECOD (Li et al. 2022): how far out in the tails of each column's own distribution a row lies.

    Attributes:
        ordered: float64 (m, f), each column's values in order.
    """

    ordered: Values

    def contributions(self, rows: Values) -> Values:
        """Minus the logarithm of the share of values as far out on the nearer side, by column: float64 (n, f).

        A row counts among those it is compared with, so that no share is 0. As pyod has it, each column's own longer tail
        is taken.
        """
        count = len(self.ordered)
        below, above = np.empty(rows.shape), np.empty(rows.shape)
        for column in range(rows.shape[1]):
            values = self.ordered[:, column]
            below[:, column] = np.searchsorted(values, rows[:, column], side="right")
            above[:, column] = count - np.searchsorted(values, rows[:, column], side="left")
        return np.asarray(-np.log((np.minimum(below, above) + 1) / (count + 1)))

    def score(self, rows: Values) -> Values:
        """Sum of the contributions, the higher the odder: float64 (n,) for float64 (n, f)."""
        return np.asarray(self.contributions(rows).sum(axis=1))


@dataclass(frozen=True, slots=True)
class AutoEncoder:
    """A network that learnt to repeat ordinary rows through a narrow layer; what it cannot repeat is odd.

    Attributes:
        layers: Weights float64 (out, in) and biases (out,); all but the last are rectified.
    """

    layers: tuple[tuple[Values, Values], ...]

    def score(self, rows: Values) -> Values:
        """Euclidean distance between a row and its repetition: float64 (n,) for float64 (n, f)."""
        found = rows
        for weight, bias in self.layers[:-1]:
            found = np.maximum(found @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        return np.asarray(np.linalg.norm(rows - (found @ weight.T + bias), axis=1))

    def save(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Arrays by name, for a bundle."""
        found: dict[str, NDArray[Any]] = {}
        for place, (weight, bias) in enumerate(self.layers):
            found |= {f"{prefix}.{place}.weight": weight, f"{prefix}.{place}.bias": bias}
        return found

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> AutoEncoder:
        """Read what `save` gave."""
        layers: list[tuple[Values, Values]] = []
        while f"{prefix}.{len(layers)}.weight" in arrays:
            here = f"{prefix}.{len(layers)}"
            layers.append((arrays[f"{here}.weight"], arrays[f"{here}.bias"]))
        return cls(tuple(layers))


@dataclass(frozen=True, slots=True)
class Outliers:
    """The three together: each score becomes its rank among the training rows, and their mean is the score.

    Attributes:
        columns: int64 (c,), columns of a table that are looked at.
        ranks: float64 (3, q), quantiles of each part's scores on the training rows.
    """

    columns: Ints
    scaling: Scaling
    forest: Forest
    tails: Tails
    autoencoder: AutoEncoder
    ranks: Values

    def parts(self, table: Floats) -> Values:
        """Ranks in [0, 1] by each of `PARTS`: float64 (n, 3) for float (n, f)."""
        return np.stack(
            [
                np.searchsorted(ranks, scores, side="right") / len(ranks)
                for ranks, scores in zip(self.ranks, self.raw(table).T, strict=True)
            ],
            axis=1,
        )

    def raw(self, table: Floats) -> Values:
        """Their own scores, float64 (n, 3)."""
        rows = self.scaling(table[:, self.columns])
        return np.stack([part.score(rows) for part in (self.forest, self.tails, self.autoencoder)], axis=1)

    def score(self, table: Floats) -> Values:
        """Mean rank in [0, 1], the higher the odder: float64 (n,)."""
        return np.asarray(self.parts(table).mean(axis=1))

    def contributions(self, table: Floats) -> Values:
        """How far out in its tails each column is, float64 (n, f), 0 where it is not looked at: what makes a row odd."""
        found = np.zeros(table.shape)
        found[:, self.columns] = self.tails.contributions(self.scaling(table[:, self.columns]))
        return found

    def save(self) -> dict[str, NDArray[Any]]:
        """Arrays by name, for a bundle."""
        return (
            {"outliers.columns": self.columns, "outliers.ranks": self.ranks}
            | self.scaling.save("outliers.scaling")
            | self.forest.save("outliers.forest")
            | self.tails.save("outliers.tails")
            | self.autoencoder.save("outliers.autoencoder")
        )

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> Outliers:
        """Read what `save` gave."""
        return cls(
            columns=_array(arrays, "outliers.columns"),
            scaling=Scaling.load(arrays, "outliers.scaling"),
            forest=Forest.load(arrays, "outliers.forest"),
            tails=Tails.load(arrays, "outliers.tails"),
            autoencoder=AutoEncoder.load(arrays, "outliers.autoencoder"),
            ranks=_array(arrays, "outliers.ranks"),
        )


def _drawn(table: Floats) -> Values:
    wide = np.asarray(table, dtype=np.float64)
    return np.asarray(np.sign(wide) * np.log1p(np.abs(wide)))


def _array(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name not in arrays:
        raise ModelError(f"The array {name!r} is missing.", cure="Train again: shopkeeper train fraud")
    return arrays[name]
