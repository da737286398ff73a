"""How suspicious each rater is: by what simulated attacks look like, and by what human decisions teach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from shopkeeper.ranking.raters.graph import SPREAD_NAMES, spread
from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values
from shopkeeper.ranking.raters.signs import NAMES, rater_table

Floats = NDArray[np.float32]

SIGNS: Final = (*NAMES, *SPREAD_NAMES)
"""Columns of `Scored.table`."""
DRILLED: Final = tuple(
    NAMES.index(name) for name in NAMES if name not in ("length_variance", "length", "length_spread", "written")
)
"""Columns of `NAMES` that simulated attacks are seen by: all but those that show how the simulation was written."""
FOLDS: Final = 5
"""Parts that labelled raters are drawn into; see `rater_graph.spread`."""
_SURE = 1e-4


@dataclass(frozen=True, slots=True)
class Blend:
    """How the log-odds of the parts are added up (stacking, Wolpert 1992).

    Attributes:
        bias: What is added.
        taught: Weight of the trees that decisions taught.
        taste: Weight of the linear model of what was rated.
        drill: Weight of the trees that simulated attacks taught.
    """

    bias: float
    taught: float
    taste: float
    drill: float

    def mix(self, taught: Values, taste: Values, drill: Values) -> Values:
        """Probability of a fake, float64 (n,), from log-odds (n,) each."""
        total = self.bias + self.taught * taught + self.taste * taste + self.drill * drill
        return np.asarray(expit(total), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of all raters.

    Attributes:
        suspicion: float64 (n,), probability of a fake, in [0, 1].
        table: float32 (n, len(SIGNS)), what it was seen by.
        parts: float32 (n, len(SIGNS)), what each sign adds to the log-odds of the trees that decided.
    """

    suspicion: Values
    table: Floats
    parts: Floats


@dataclass(frozen=True, slots=True)
class RaterModel:
    """Scores raters.

    Attributes:
        drill: Trees over the columns `DRILLED`, learnt from simulated attacks.
        border: Suspicion from which a rater is a suspect.
        taught: Trees over `SIGNS`, learnt from decisions; None where there were too few.
        blend: How the parts are mixed; None where nobody decided.
    """

    drill: lightgbm.Booster
    border: float = 0.5
    taught: lightgbm.Booster | None = None
    blend: Blend | None = None

    def score(self, ratings: Ratings, labels: Values, seed: int = 0) -> Scored:
        """Score every rater.

        Args:
            ratings: All of the shop.
            labels: float64 (raters,), 1 fake, 0 genuine, NaN where nobody decided; nobody's own label counts for them.
            seed: Of folds and hashes.
        """
        table = rater_table(ratings, seed)
        told = spread(ratings, labels, drawn_folds(len(ratings.raters), seed))
        both = np.concatenate([table, told], axis=1)
        drill = log_odds(self.drill, table[:, DRILLED])
        parts = np.zeros(both.shape, dtype=np.float32)
        if self.taught is None or self.blend is None:
            parts[:, DRILLED] = contributions(self.drill, table[:, DRILLED])
            return Scored(expit(drill), both, parts)
        suspicion = self.blend.mix(log_odds(self.taught, both), both[:, -1].astype(np.float64), drill)
        parts += contributions(self.taught, both)
        return Scored(suspicion, both, parts)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and parameters of a bundle, which `load` reads back; trees go as the bytes of their text."""
        arrays = {"raters.drill": _bytes(self.drill)}
        parameters: dict[str, Any] = {"border": self.border}
        if self.taught is not None and self.blend is not None:
            arrays["raters.taught"] = _bytes(self.taught)
            blend = self.blend
            parameters["blend"] = [blend.bias, blend.taught, blend.taste, blend.drill]
        return arrays, parameters

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> Self:
        """Read what `save` wrote."""
        taught = _trees(arrays["raters.taught"]) if "raters.taught" in arrays else None
        blend = Blend(*parameters["blend"]) if "blend" in parameters else None
        return cls(_trees(arrays["raters.drill"]), float(parameters["border"]), taught, blend)


def trust(suspicion: Values, border: float | Values) -> Values:
    """How far each rater counts: float64 (n,), in [0, 1].

    1 up to half the border, one half at the border, 0 from half-way between border and certainty on, and evenly between.

    Args:
        suspicion: float64 (n,), in [0, 1].
        border: Suspicion from which a rater is a suspect, in (0, 1); one for all, or float64 (n,).

    >>> trust(np.array([0.25, 0.5, 0.75, 1.0]), 0.5).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    below = np.clip((border - suspicion) / np.maximum(border, _SURE), 0.0, 0.5)
    above = np.clip((suspicion - border) / np.maximum(1.0 - border, _SURE), 0.0, 0.5)
    return np.asarray(0.5 + below - above, dtype=np.float64)


def drawn_folds(count: int, seed: int) -> Ints:
    """A fold for every rater, even shares, drawn: int64 (count,)."""
    return np.asarray(np.random.default_rng(seed).permutation(count) % FOLDS, dtype=np.int64)


def log_odds(trees: lightgbm.Booster, table: Floats) -> Values:
    """What trees say of each row, float64 (n,), no surer than one in ten thousand."""
    if not len(table):
        return np.zeros(0)
    chance = np.asarray(trees.predict(table, num_threads=1), dtype=np.float64)
    return np.asarray(logit(np.clip(chance, _SURE, 1 - _SURE)))


def contributions(trees: lightgbm.Booster, table: Floats) -> Floats:
    """What each column adds to the log-odds of a row (Shapley values, Lundberg et al. 2018): float32 (n, columns)."""
    if not len(table):
        return np.zeros(table.shape, dtype=np.float32)
    return np.asarray(trees.predict(table, num_threads=1, pred_contrib=True), dtype=np.float32)[:, :-1]


def _bytes(trees: lightgbm.Booster) -> NDArray[np.uint8]:
    return np.frombuffer(trees.model_to_string().encode(), dtype=np.uint8)


def _trees(text: NDArray[Any]) -> lightgbm.Booster:
    return lightgbm.Booster(model_str=text.tobytes().decode())
