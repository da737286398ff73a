"""Places kept for items that nobody has tried, within a budget, with the chance of every item at every place known.

With probability `chance` a page explores: its last place of every few goes to an item drawn from a pool of candidates that
were looked at little; the others move down by one. All other pages show the ranking as it is, and are the control to
compare with. So, for candidate c at place j,

    P(c at j) = (1 - chance) [c is j-th in the ranking]
                + chance [c stands there once the pool's items are put in]            where j is a certain place
                + chance P(c is drawn for the i-th kept place)                        where j is the i-th kept one

The last factor belongs to the way of drawing (`ranking.pages.drawing`): exact for `Evenly`, by quadrature to within 1e-4 for
`Thompson`. These chances go into the impression, for `evaluation.offpolicy`.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shopkeeper.errors import InputError
from shopkeeper.ranking.pages.drawing import PRIOR, Drawing, Trials
from shopkeeper.retrieval.shelf import Rows

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExploredPage:
    """A page, and the policy it was drawn from.

    Attributes:
        rows: int64 (k,), what to show, best place first.
        propensities: float64 (k,), probability of each at its place, for the impression.
        explored: bool (k,), True where the item was drawn from the pool.
        candidates: int64 (c,), all rows that could have been shown.
        policy: float64 (c, k), probability of each candidate at each place; columns sum to 1.
        cost: Clicks that this page is expected to lose, averaged over whether it explores.
    """

    rows: Rows
    propensities: Values
    explored: NDArray[np.bool_]
    candidates: Rows
    policy: Values
    cost: float


class Explorer:
    """Draws pages that explore, deterministic given the seed, the request's id and what was spent before on that day.

    Args:
        drawing: How items are drawn from the pool.
        chance: Share of pages that explore.
        share: Most of the places of a page that are kept, in [0, 0.5]; a page of fewer than 1 / share places keeps none.
        clicks_a_day: Expected clicks that may be lost a day (UTC); once they are spent, pages show the ranking as it is. The
            account is this process's own and starts anew with it: divide by the number of workers.
        few: An item with fewer looks may be in the pool.
        pool: Most items in it, the best ranked ones.
        seed: Of all draws.
    """

    def __init__(
        self,
        drawing: Drawing,
        *,
        chance: float = 0.25,
        share: float = 0.2,
        clicks_a_day: float = 50.0,
        few: float = 100.0,
        pool: int = 30,
        seed: int = 7,
    ) -> None:
        if not 0 <= chance <= 1 or not 0 <= share <= 0.5 or not clicks_a_day >= 0:
            raise InputError(
                "The chance must lie in [0, 1], the share in [0, 0.5], and the budget must not be negative.",
                where="exploration",
                cure="Give chance=0 to switch exploration off.",
            )
        self._drawing, self._chance, self._share, self._budget = drawing, chance, share, clicks_a_day
        self._few, self._pool, self._seed = few, pool, seed
        self._lock = threading.Lock()
        self._day: date | None = None
        self._spent = 0.0

    @property
    def spent(self) -> float:
        """Expected clicks lost so far on the day of the latest request."""
        with self._lock:
            return self._spent

    def page(
        self,
        request: str,
        time: datetime,
        ranked: Rows,
        clicks: ArrayLike,
        looks: ArrayLike,
        k: int,
        *,
        examination: ArrayLike | None = None,
    ) -> ExploredPage:
        """Draw one page.

        Args:
            request: The request's id.
            time: Of the request; its day is the one whose budget pays.
            ranked: int64 (n,), candidates as the ranking has them, best first.
            clicks: float (n,), clicks on each of them so far.
            looks: float (n,), how often each was looked at, see `ranking.clicks`.
            k: Places of the page.
            examination: float (k,), how often each place is looked at; 1 / log2(1 + place) when None.

        Raises:
            InputError: Clicks, looks and candidates differ in number.
        """
        hits, seen = np.asarray(clicks, dtype=np.float64), np.asarray(looks, dtype=np.float64)
        if not len(ranked) == len(hits) == len(seen):
            raise InputError(
                f"{len(ranked)} candidates have {len(hits)} clicks and {len(seen)} looks.",
                where="candidates",
                cure="Give one number of each for every candidate.",
            )
        k = min(k, len(ranked))
        pool = k + np.flatnonzero(seen[k:] < self._few)[: self._pool]
        tried = Trials(hits[pool], seen[pool])
        kept = self._kept(k)[: len(pool)]
        certain = np.delete(np.arange(k), kept)
        used = np.concatenate([np.arange(k), pool])
        drawn = np.zeros((len(used), k))
        drawn[np.arange(len(certain)), certain] = 1.0
        drawn[k:, kept] = self._drawing.chances(tried, len(kept))
        policy, cost = self._paid(drawn, hits[used], seen[used], examination, time)
        rng = np.random.default_rng(_number(f"{self._seed}|{request}"))
        explored, slots = np.zeros(k, dtype=np.bool_), np.arange(k)
        if rng.random() < self._chance and cost is not None:
            order = self._drawing.order(tried, rng)
            explored[kept] = True
            slots[certain] = np.arange(len(certain))
            slots[kept] = k + order[: len(kept)]
        propensities = policy[slots, np.arange(k)]
        return ExploredPage(ranked[used[slots]], propensities, explored, ranked[used], policy, cost or 0.0)

    def _kept(self, k: int) -> Rows:
        count = int(self._share * k + 1e-9)
        return np.arange(1, count + 1) * k // count - 1 if count else np.zeros(0, dtype=np.int64)

    def _paid(
        self, drawn: Values, clicks: Values, looks: Values, examination: ArrayLike | None, time: datetime
    ) -> tuple[Values, float | None]:
        """The policy that the budget allows, and what it costs; None where nothing may be explored."""
        k = drawn.shape[1]
        plain = np.eye(len(drawn), k)
        rate = (clicks + PRIOR * (clicks.sum() + 1) / (looks.sum() + PRIOR)) / (looks + PRIOR)
        seen = (
            1 / np.log2(np.arange(2, k + 2)) if examination is None else np.asarray(examination, dtype=np.float64)[:k]
        )
        loss = self._chance * max(float(seen @ ((plain - drawn).T @ rate)), 0.0)
        with self._lock:
            if self._day != time.date():
                self._day, self._spent = time.date(), 0.0
            if self._spent + loss > self._budget or not self._chance:
                return plain, None
            self._spent += loss
        return (1 - self._chance) * plain + self._chance * drawn, loss


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
