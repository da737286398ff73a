"""The learnt chances of a click and of a sale: linear, trees, DCN-v2, or the mean of their straightened logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.models.cross_scorer import CrossScorer
from shopkeeper.models.text import Floats
from shopkeeper.ranking.ranker import Linear

Values = NDArray[np.float64]

TARGETS: Final = ("click", "sale")
"""What is foretold, in the order of the outputs of DCN-v2: a click at place one, and a sale once it was clicked."""
PARTS: Final = ("linear", "trees", "cross")


@dataclass(frozen=True, slots=True)
class Trees:
    """LightGBM trees and the logit they start from.

    Attributes:
        booster: What was learnt.
        base: Logit added to what it gives.
    """

    booster: lightgbm.Booster
    base: float

    def score(self, table: Floats) -> Values:
        """Logits, float64 (n,)."""
        found = np.asarray(self.booster.predict(table, raw_score=True, num_threads=1), dtype=np.float64)
        return found + self.base


@dataclass(frozen=True, slots=True)
class Mix:
    """What one target is read from.

    Attributes:
        lines: Name of a part (`PARTS`) to the slope and shift that straighten its logit; the mean of all is the logit.
        linear: Where ``linear`` is among them.
        trees: Where ``trees`` is among them.
    """

    lines: Mapping[str, tuple[float, float]]
    linear: Linear | None = None
    trees: Trees | None = None

    def logits(self, table: Floats, crossed: Floats | None) -> Values:
        """float64 (n,), for features float32 (n, f) and the logits of DCN-v2 for this target, float32 (n,)."""
        total = np.zeros(len(table))
        for name, (slope, shift) in self.lines.items():
            if name == "linear" and self.linear is not None:
                raw = self.linear.score(table).astype(np.float64)
            elif name == "trees" and self.trees is not None:
                raw = self.trees.score(table)
            elif name == "cross" and crossed is not None:
                raw = crossed.astype(np.float64)
            else:
                raise ModelError(f"The part {name!r} is missing.", where="ads", cure="Train the task `ads` again.")
            total += slope * raw + shift
        return total / len(self.lines)


@dataclass(frozen=True, slots=True)
class AdModel:
    """Both targets.

    Attributes:
        mixes: By name of `TARGETS`.
        cross: DCN-v2 with one output a target, where a mix wants it.
        features: Names of the columns that it reads.
    """

    mixes: Mapping[str, Mix]
    cross: CrossScorer | None = None
    features: tuple[str, ...] = ()

    def logits(self, table: Floats, items: Floats, around: Floats) -> tuple[Values, Values]:
        """Logits of a click at place one, and of a sale after a click: float64 (n,) each.

        Args:
            table: float32 (n, f), see `ranking.ads.features.ad_features`.
            items: float32 (n, d), see `ranking.ads.features.ad_vectors`.
            around: float32 (3, d), likewise.
        """
        crossed = self.cross.logits(table, items, around) if self.cross is not None else None
        click, sale = (
            self.mixes[name].logits(table, crossed[:, place] if crossed is not None else None)
            for place, name in enumerate(TARGETS)
        )
        return click, sale

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON values that `load` reads back; trees go as the bytes of their text."""
        arrays: dict[str, NDArray[Any]] = {}
        values: dict[str, Any] = {"features": list(self.features), "mixes": {}}
        for name, mix in self.mixes.items():
            values["mixes"][name] = {part: list(line) for part, line in mix.lines.items()}
            if mix.linear is not None:
                arrays |= {f"{name}.centre": mix.linear.centre, f"{name}.weights": mix.linear.weights}
                values[f"{name}.bias"] = mix.linear.bias
            if mix.trees is not None:
                arrays[f"{name}.trees"] = np.frombuffer(mix.trees.booster.model_to_string().encode(), dtype=np.uint8)
                values[f"{name}.base"] = mix.trees.base
        if self.cross is not None:
            arrays |= {f"cross.{name}": weight for name, weight in self.cross.save().items()}
        return arrays, values

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> AdModel:
        """Read what `save` wrote.

        Raises:
            ModelError: Something is missing.
        """
        try:
            mixes = {}
            for name in TARGETS:
                lines = {part: (float(a), float(b)) for part, (a, b) in values["mixes"][name].items()}
                linear = trees = None
                if "linear" in lines:
                    bias = float(values[f"{name}.bias"])
                    linear = Linear(arrays[f"{name}.centre"], arrays[f"{name}.weights"], bias)
                if "trees" in lines:
                    booster = lightgbm.Booster(model_str=arrays[f"{name}.trees"].tobytes().decode())
                    trees = Trees(booster, float(values[f"{name}.base"]))
                mixes[name] = Mix(lines, linear, trees)
            weights = {key.removeprefix("cross."): array for key, array in arrays.items() if key.startswith("cross.")}
            cross = CrossScorer(weights) if weights else None
            return cls(mixes, cross, tuple(values["features"]))
        except KeyError as error:
            raise ModelError(f"The model of clicks lacks {error}.", cure="Train the task `ads` again.") from error
