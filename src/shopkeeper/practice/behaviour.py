"""How customers of the practice shop decide: the one model behind the log and behind simulated weeks.

A customer looks at place p with probability p^-0.6, clicks what answers the need and pleases, buys some of what was
opened. `respond` is all that a bench needs to let any recommender serve these customers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike

from shopkeeper.practice.goods import Floats, Goods, Ints
from shopkeeper.practice.people import Tastes, World

EXAMINATION_POWER = 0.6
GRADE_PULL = np.array([-3.4, -1.3, 0.3, 1.1])
DAY = 86_400.0


def examination(positions: ArrayLike) -> Floats:
    """Probability that a place is looked at at all, float64, for 1-based positions: p ** -0.6."""
    return np.asarray(np.asarray(positions, dtype=np.float64) ** -EXAMINATION_POWER)


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-x)), elementwise."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Tastes meet goods. Rows are places in `tastes.ids` and `goods.ids`; days count from `start`."""

    world: World
    tastes: Tastes
    goods: Goods
    start: datetime
    _seasons: dict[int, Floats] = field(default_factory=dict, repr=False)

    def day(self, time: datetime) -> float:
        """Days since the log's start."""
        return (time - self.start).total_seconds() / DAY

    def season(self, day: int) -> Floats:
        """Multiplier of the need for each type on a day of the log, float64 (types,)."""
        found = self._seasons.get(day)
        if found is None:
            found = self._seasons[day] = self.world.season(self.start.timetuple().tm_yday + day + 0.5)
        return found

    def needs(self, customer: int, day: float) -> Floats:
        """How likely a customer comes for each type, before complements and refills; float64 (types,), sums to 1."""
        weights = self.tastes.mixture(customer, day) @ self.world.affinity
        weights = weights * np.exp(self.tastes.whim[customer]) * self.season(int(np.floor(day)))
        return np.asarray(weights / weights.sum())

    def liking(self, customer: int, items: Ints, day: float) -> Floats:
        """How much a customer likes items, whatever the need: about standard normal, float64 (k,)."""
        goods, tastes = self.goods, self.tastes
        look = goods.look[items] @ tastes.liking(customer, day) / 2.4
        style = np.where(goods.style[items] >= 0, tastes.style[customer][goods.style[items]], 0.0)
        colour = np.where(goods.colour[items] >= 0, tastes.colour[customer][goods.colour[items]], 0.0)
        brand = self.world.brands[goods.brand[items]] @ tastes.brand[customer] / 2.0
        price = -0.4 * (goods.level[items] - tastes.budget[customer]) ** 2
        foreign = (goods.language[items] != tastes.language[customer]) & ~tastes.both[customer]
        total = 0.85 * look + 0.6 * style + 0.5 * colour + 0.5 * brand + price + 0.45 * goods.charm[items] + 0.25
        return np.asarray(total - 2.2 * foreign)

    def attraction(self, customer: int, items: Ints, day: float, pull: Floats) -> Floats:
        """Probability of a click on something looked at; `pull` (k,) says how well it answers the need."""
        return sigmoid(-1.5 + 0.85 * self.liking(customer, items, day) + pull)

    def conversion(self, customer: int, items: Ints, day: float, pull: Floats) -> Floats:
        """Probability that something opened is bought, float64 (k,)."""
        quality = 0.35 * self.goods.quality[items]
        return sigmoid(-2.2 + 0.8 * self.liking(customer, items, day) + 0.55 * pull + quality)

    def need_pull(self, customer: int, items: Ints, day: float) -> Floats:
        """How well items answer what the customer generally needs: log of need over average, within -2.5 and 1.5."""
        needs = self.needs(customer, day)
        return np.clip(0.6 * np.log(needs[self.goods.type[items]] * len(needs) + 1e-9), -2.5, 1.5)

    def satisfaction(self, customer: int, item: int, day: float) -> float:
        """What the customer makes of a purchase, about standard normal: quality first, fit second."""
        liking = float(self.liking(customer, np.array([item]), day)[0])
        return float(0.9 * self.goods.quality[item] + 0.3 * liking)
