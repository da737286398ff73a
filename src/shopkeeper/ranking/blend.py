"""Blending scores by evidence: a weighted sum whose weights know how much is known about the customer and the item.

    score(u, i) = sum over sources s of  weight_s x (known_u / typical)^slope_s x (1 + cold_s / (1 + evidence_i)) x raw_s(u, i) / scale_s

Scales are constants, not taken per customer, so a score stays a sum over what the customer did and can be explained
exactly. Words win where behaviour is scarce because `cold` lifts them on items nobody has touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.progress import span

Floats = NDArray[np.float32]
Scored = Mapping[str, Floats]

_FACTORS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.5, 2.2)
_STARTS = (0.05, 0.2, 0.5)
_SLOPES = (-0.6, -0.3, 0.0, 0.3)
_COLDS = (0.0, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class Part:
    """How one source enters the blend.

    Attributes:
        weight: Its share; 0 switches it off.
        scale: Typical best score of the source, in its own units.
        slope: Positive: gains with the length of the customer's history; negative: loses.
        cold: Extra share on an item without any behaviour, fading as 1 / (1 + evidence).
    """

    weight: float
    scale: float = 1.0
    slope: float = 0.0
    cold: float = 0.0


@dataclass(frozen=True, slots=True)
class Blend:
    """The parts by source name, and the history length at which weights stand as written."""

    parts: Mapping[str, Part]
    typical: float = 5.0

    def share(self, name: str, known: Floats, evidence: Floats) -> Floats:
        """Factor on the raw scores of a source.

        Args:
            name: The source.
            known: float32 (users, 1), items in each history.
            evidence: float32, broadcasts against (users, items): how much was done with each item.

        Returns:
            float32, broadcast of both; 0 for sources outside the blend.
        """
        part = self.parts.get(name)
        if part is None or part.weight == 0:
            return np.zeros((1, 1), dtype=np.float32)
        by_user = (np.maximum(known, 1) / np.float32(self.typical)) ** np.float32(part.slope)
        share = (by_user * np.float32(part.weight / part.scale)).astype(np.float32)
        if part.cold:
            share = share * (1 + np.float32(part.cold) / (1 + evidence))
        return share

    def combine(self, scores: Scored, known: Floats, evidence: Floats) -> Floats:
        """Blend raw scores, each float32 (users, items), into one float32 (users, items)."""
        total: Floats | None = None
        for name, raw in scores.items():
            part = self.parts.get(name)
            if part is None or part.weight == 0:
                continue
            scaled = raw * self.share(name, known, evidence)
            total = scaled if total is None else np.add(total, scaled, out=total)
        if total is None:
            shape = next(iter(scores.values())).shape if scores else (len(known), 0)
            total = np.zeros(shape, dtype=np.float32)
        return total

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the sources with a weight, in order."""
        return tuple(name for name, part in self.parts.items() if part.weight > 0)

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        parts = {
            name: {"weight": p.weight, "scale": p.scale, "slope": p.slope, "cold": p.cold}
            for name, p in self.parts.items()
        }
        return {"typical": self.typical, "parts": parts}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Blend:
        """Read what `to_json` wrote."""
        return cls({name: Part(**part) for name, part in tree["parts"].items()}, float(tree["typical"]))


@dataclass(frozen=True, slots=True)
class Examples:
    """Users whose next items are known, with candidates of every source scored by every source.

    Attributes:
        scores: Source name to float32 (users, candidates); padding stands at -inf in `valid`.
        valid: bool (users, candidates), False for padding.
        target: bool (users, candidates), the items that came next.
        wanted: int64 (users,), how many items came next, found among the candidates or not.
        known: float32 (users, 1), items in each history.
        evidence: float32 (users, candidates).
    """

    scores: Scored
    valid: NDArray[np.bool_]
    target: NDArray[np.bool_]
    wanted: NDArray[np.int64]
    known: Floats
    evidence: Floats
    discounts: Floats = field(default_factory=lambda: (1 / np.log2(np.arange(2, 12))).astype(np.float32))

    def ndcg(self, total: Floats) -> NDArray[np.float64]:
        """NDCG@10 of blended scores, float32 (users, candidates): one value a user, float64 (users,). Ties count half."""
        users, places = np.nonzero(self.target)
        standing = np.where(self.valid, total, -np.inf)
        own = standing[users, places][:, None]
        rivals = standing[users]
        ahead = (rivals > own).sum(axis=1) + ((rivals == own).sum(axis=1) - 1) / 2
        gains = np.where(ahead < 10, 1 / np.log2(ahead + 2), 0.0)
        ideal = np.cumsum(self.discounts)[np.clip(self.wanted, 1, 10) - 1]
        return np.bincount(users, weights=gains, minlength=len(self.wanted)) / ideal


def scales(examples: Examples) -> dict[str, float]:
    """Typical best score of each source: the mean over users of the highest candidate, 1 where a source is silent."""
    found = {}
    for name, raw in examples.scores.items():
        best = np.where(examples.valid, raw, 0).max(axis=1)
        mean = float(best[best > 0].mean()) if np.any(best > 0) else 1.0
        found[name] = mean
    return found


def tune(examples: Examples, start: Mapping[str, float], *, rounds: int = 3, cold: Sequence[str] = ()) -> Blend:
    """Coordinate search for the blend with the best mean NDCG@10. Deterministic: the first best value wins.

    Args:
        examples: Validation users; never the test.
        start: Source name to first guess of its weight.
        rounds: Passes over all coordinates at most; stops when one gains nothing.
        cold: Sources that may get a lift on items without behaviour (sources of words).
    """
    typical = float(np.median(np.maximum(examples.known, 1)))
    measured = scales(examples)
    blend = Blend({name: Part(weight, measured[name]) for name, weight in start.items()}, max(typical, 1.0))
    best = _mean(examples, blend)
    with span("tune blend", rounds * len(start), "sources") as progress:
        for _ in range(rounds):
            before = best
            for name in start:
                for options in _moves(name in cold):
                    blend, best = _improve(examples, blend, best, name, options)
                progress.advance(ndcg=f"{best:.4f}")
            if best <= before + _least(examples):
                break
    return blend


def _improve(
    examples: Examples, blend: Blend, best: float, name: str, options: Callable[[Part], list[Part]]
) -> tuple[Blend, float]:
    rest = Blend({other: part for other, part in blend.parts.items() if other != name}, blend.typical)
    others = rest.combine(examples.scores, examples.known, examples.evidence)
    if not rest.active:
        others = np.zeros(examples.valid.shape, dtype=np.float32)
    for part in options(blend.parts[name]):
        alone = replace(blend, parts={name: part})
        total = others + alone.combine({name: examples.scores[name]}, examples.known, examples.evidence)
        value = float(examples.ndcg(total).mean())
        if value > best + _least(examples):
            best = value
            blend = replace(blend, parts={**blend.parts, name: part})
    return blend, best


def _least(examples: Examples) -> float:
    """Smallest gain worth a change: a fifth of one user, so that a handful of users does not decide."""
    return 0.2 / max(len(examples.wanted), 1)


def _moves(cold: bool) -> list[Callable[[Part], list[Part]]]:
    def weights(part: Part) -> list[Part]:
        values = [part.weight * factor for factor in _FACTORS] if part.weight else list(_STARTS)
        return [replace(part, weight=value) for value in values]

    def slopes(part: Part) -> list[Part]:
        return [replace(part, slope=value) for value in _SLOPES] if part.weight else []

    def colds(part: Part) -> list[Part]:
        if not part.weight or not cold:
            return []
        return [replace(part, cold=lift, weight=part.weight * factor) for factor in (1.0, 0.6) for lift in _COLDS]

    return [weights, slopes, colds]


def _mean(examples: Examples, blend: Blend) -> float:
    return float(examples.ndcg(blend.combine(examples.scores, examples.known, examples.evidence)).mean())
