"""Who shops in the practice shop: latent tastes that drift. Part of the truth, never of the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shopkeeper.practice.goods import LOOK, Bools, Floats, Ints, opaque, style_names
from shopkeeper.practice.vocabulary import EN, ZH, Vocabulary

LIFESTYLES = 14
BRAND = 4


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for everybody.

    Attributes:
        affinity: float64 (lifestyles, types), how often a lifestyle needs a type; rows sum to 1.
        brands: float64 (brands, 4), where brands stand.
        month, swing: float64 (types,), when the season peaks and how much.
        near: int64 (types,), the substitute type.
        partners: float64 (types, types), strength of "who buys the row soon needs the column".
        again: float64 (types,), days until it is used up, 0 for durable goods.
    """

    affinity: Floats
    brands: Floats
    month: Floats
    swing: Floats
    near: Ints
    partners: Floats
    again: Floats

    def season(self, day_of_year: float) -> Floats:
        """Multiplier of the need for each type on a day, float64 (types,)."""
        peak = (self.month - 0.5) / 12.0
        wave = np.cos(2 * np.pi * (day_of_year / 365.0 - peak))
        return np.asarray(np.where(self.month > 0, np.exp(self.swing * wave), 1.0))


@dataclass(frozen=True, slots=True)
class Tastes:
    """m customers as columns.

    Attributes:
        language: int64 (m,), 0 English, 1 Chinese; `both` reads the other language too.
        before, after: float64 (m, lifestyles), mixture of lifestyles before and after the customer's `turn` (day).
        look, later: float64 (m, 6), liking of the items' looks at the start, and what it turns towards.
        style: float64 (m, styles); colour: float64 (m, colours); brand: float64 (m, 4); budget: float64 (m,).
        activity: float64 (m,), relative number of sessions; created: float64 (m,), day of the first visit.
        whim: float64 (m, types), personal deviations from the lifestyle, log scale.
    """

    ids: tuple[str, ...]
    language: Ints
    both: Bools
    before: Floats
    after: Floats
    turn: Floats
    look: Floats
    later: Floats
    style: Floats
    colour: Floats
    brand: Floats
    budget: Floats
    activity: Floats
    created: Floats
    whim: Floats

    def mixture(self, row: int, day: float) -> Floats:
        """A customer's mixture of lifestyles at a moment, float64 (lifestyles,): a smooth change around the turn."""
        share = 1.0 / (1.0 + np.exp(-(day - self.turn[row]) / 6.0))
        return np.asarray((1.0 - share) * self.before[row] + share * self.after[row])

    def liking(self, row: int, day: float) -> Floats:
        """What looks a customer likes at a moment, float64 (6,): a slow rotation over about 300 days."""
        angle = np.pi / 2 * max(day, 0.0) / 300.0
        return np.asarray(np.cos(angle) * self.look[row] + np.sin(angle) * self.later[row])


def make_world(words: Vocabulary, seed: int) -> World:
    """Draw what is the same for everybody: lifestyles, brand positions, seasons, complements."""
    rng = np.random.default_rng([seed, 2])
    kinds = words.types
    place = {kind.key: number for number, kind in enumerate(kinds)}
    partners = np.zeros((len(kinds), len(kinds)))
    for number, kind in enumerate(kinds):
        for key, strength in kind.partners.items():
            partners[number, place[key]] = strength
    ranges = sorted({kind.range.key for kind in kinds})
    wide = rng.gamma(0.35, 1.0, (LIFESTYLES, len(ranges))) + 0.03
    column = [ranges.index(kind.range.key) for kind in kinds]
    affinity = wide[:, column] * rng.gamma(0.7, 1.0, (LIFESTYLES, len(kinds))) + 0.002
    return World(
        affinity=affinity / affinity.sum(axis=1, keepdims=True),
        brands=rng.normal(0.0, 1.0, (len(words.brands), BRAND)),
        month=np.array([kind.season[0] for kind in kinds]),
        swing=np.array([kind.season[1] for kind in kinds]),
        near=np.array([place[kind.near] for kind in kinds]),
        partners=partners,
        again=np.array([float(kind.again) for kind in kinds]),
    )


def make_tastes(words: Vocabulary, count: int, days: int, seed: int) -> Tastes:
    """Draw the customers. Lifestyle moves tastes too, so that what alike customers do is informative."""
    rng = np.random.default_rng([seed, 3])
    styles, colours = len(style_names(words)), len(words.colours)
    before = rng.dirichlet(np.full(LIFESTYLES, 0.12), count)
    moved = rng.random(count) < 0.35
    after = np.where(moved[:, None], 0.4 * before + 0.6 * rng.dirichlet(np.full(LIFESTYLES, 0.12), count), before)

    def shared(width: int, lifestyle: float, own: float) -> Floats:
        pull = rng.normal(0.0, lifestyle, (LIFESTYLES, width))
        return np.asarray(before @ pull + rng.normal(0.0, own, (count, width)))

    late = rng.random(count) < 0.18
    return Tastes(
        ids=tuple(opaque("customer", seed, number) for number in range(count)),
        language=np.where(rng.random(count) < 0.52, ZH, EN),
        both=rng.random(count) < 0.12,
        before=before,
        after=after,
        turn=rng.uniform(0.0, days, count),
        look=shared(LOOK, 0.75, 0.55),
        later=rng.normal(0.0, 0.9, (count, LOOK)),
        style=shared(styles, 0.7, 0.6),
        colour=shared(colours, 0.6, 0.7),
        brand=shared(BRAND, 0.6, 0.5),
        budget=shared(1, 0.7, 0.6)[:, 0],
        activity=rng.gamma(1.1, 1.0, count) + 0.08,
        created=np.where(late, rng.uniform(0.0, days * 0.97, count), -rng.gamma(2.0, 100.0, count)),
        whim=rng.normal(0.0, 0.8, (count, len(words.types))),
    )
