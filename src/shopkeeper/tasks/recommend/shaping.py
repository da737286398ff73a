"""From an order to a page: less of the popular, more of the new, suppliers' shares, variety, the customer's own mix, and places for the untried.

All of it is off until the shop's settings ask for it, works on the best hundred and leaves those behind as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shopkeeper.ranking.pages.calibration import calibrated, memberships, mix
from shopkeeper.ranking.pages.diversity import determinantal, marginal_relevance
from shopkeeper.ranking.pages.drawing import Evenly, Thompson
from shopkeeper.ranking.pages.exploration import Explorer
from shopkeeper.ranking.pages.exposure import SupplierExposure, fresher, less_popular
from shopkeeper.retrieval.histories import Floats, Histories, Matrix
from shopkeeper.retrieval.popularity import DAY
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.settings import RecommendSettings
from shopkeeper.tasks.recommend.behaviour import Behaviour
from shopkeeper.tasks.recommend.people import Person

SHAPED = 100
"""So many of the best are put in a new order."""

Trials = Callable[[Sequence[str]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Item ids -> clicks on each and how often it was looked at."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown.

    Attributes:
        rows: int64 (k,), best place first.
        propensities: float64 (k,), chance of each to stand where it stands.
    """

    rows: Rows
    propensities: NDArray[np.float64]


class Shaper:
    """Shapes pages as the settings ask.

    Args:
        shelf: The items.
        settings: The knobs; all 0 leaves every page as it is.
        trials: Clicks and looks of items, for exploration.
        seed: Of draws and ties.
    """

    def __init__(self, shelf: Shelf, settings: RecommendSettings, trials: Trials | None = None, seed: int = 7) -> None:
        self._shelf = shelf
        self._settings = settings
        self._trials = trials
        self._seed = seed
        targets = settings.supplier_shares
        self._suppliers = {name: place for place, name in enumerate(targets)}
        self._exposure = SupplierExposure([*targets.values(), np.nan]) if targets else None
        drawing = Evenly() if settings.explore_by == "evenly" else Thompson()
        self._explorer = Explorer(
            drawing, chance=settings.explore, clicks_a_day=settings.explore_clicks, seed=seed
        )  # fmt: skip

    @property
    def idle(self) -> bool:
        """Is every knob at 0?"""
        asked = self._settings
        knobs = asked.diversity, asked.calibration, asked.popularity, asked.freshness, asked.explore
        return not (any(knobs) or self._exposure)

    def page(self, person: Person, behaviour: Behaviour, ranked: Rows, scores: Floats) -> Page:
        """Cut the page that a request asks for.

        Args:
            person: Who asks.
            behaviour: For vectors and popularity.
            ranked: int64 (n,), rows in order, at least as many as the page needs and up to `SHAPED` more.
            scores: float32 (n,), their scores, falling.
        """
        request = person.request
        end = request.offset + request.limit
        head, tail = ranked[:SHAPED], ranked[SHAPED:]
        order = self._reordered(person, behaviour, head, scores[:SHAPED], min(end, len(head)))
        whole = np.concatenate([head[order], tail])
        rows, propensities = whole[request.offset : end], np.ones(len(whole[request.offset : end]))
        if self._settings.explore and not request.offset and self._trials is not None and len(rows):
            clicks, looks = self._trials([self._shelf.item(row).id for row in whole.tolist()])
            drawn = self._explorer.page(request.id, request.time, whole, clicks, looks, len(rows))
            rows, propensities = drawn.rows, drawn.propensities
        if self._exposure is not None:
            self._exposure.note(self._supplied(rows))
        return Page(rows, propensities)

    def _reordered(self, person: Person, behaviour: Behaviour, head: Rows, scores: Floats, count: int) -> Rows:
        """Places in `head`, int64 (len(head),): the first `count` chosen, the others as they stood."""
        asked, shelf = self._settings, self._shelf
        if asked.popularity:
            scores = less_popular(scores, behaviour.evidence_of(len(shelf))[0][head], asked.popularity)
        if asked.freshness:
            ages = self._ages(head, person.request.time)
            scores = fresher(scores, ages, asked.freshness, asked.freshness_days)
        if self._exposure is not None:
            scores = self._exposure.boosted(scores, self._supplied(head))
        chosen = np.argsort(-scores, kind="stable")[:count]
        if asked.calibration and person.known:
            belongs, wanted = self._mixes(person.history, head)
            chosen = calibrated(scores, belongs, wanted, count, asked.calibration, seed=self._seed)
        elif asked.diversity:
            rerank = determinantal if asked.diversity_by == "volume" else marginal_relevance
            codes = shelf.category_codes[head].astype(np.int64)
            chosen = rerank(scores, behaviour.vectors(head), count, asked.diversity, categories=codes, seed=self._seed)
        rest = np.delete(np.arange(len(head)), chosen)
        return np.concatenate([chosen, rest[np.argsort(-scores[rest], kind="stable")]])

    def _mixes(self, history: Histories, head: Rows) -> tuple[Matrix, NDArray[np.float64]]:
        """Departments of the candidates, and the mix of the customer's own, drawn to that of the candidates.

        Departments stand at the topmost level of the taxonomy that tells the customer's own items and the candidates apart.
        """
        liked = history.strengths > 0
        past = history.rows[liked]
        paths = [self._shelf.item(row).category for row in (*head.tolist(), *past.tolist())]
        names = paths
        for depth in range(1, max(map(len, paths), default=0)):
            names = [path[:depth] for path in paths]
            if len({name for name in names if name}) > 1:
                break
        codes = {name: code for code, name in enumerate(dict.fromkeys(name for name in names if name))}
        belongs = memberships([[codes[name]] if name else [] for name in names], len(codes))
        candidates, own = belongs[: len(head)], belongs[len(head) :]
        common = np.asarray(candidates.sum(axis=0), dtype=np.float64) + 1e-9
        return candidates, mix(own, history.strengths[liked], common / common.sum())

    def _ages(self, rows: Rows, time: datetime) -> NDArray[np.float64]:
        """Days since items first went on sale, NaN where unknown: float64 (n,)."""
        created = self._shelf.created[rows]
        return np.where(created > 0, (time.timestamp() - created) / DAY, np.nan)

    def _supplied(self, rows: Rows) -> Rows:
        """Places in the targets, the last one for all other brands: int64 (n,)."""
        names = (self._shelf.item(row).brand for row in rows.tolist())
        return np.array([self._suppliers.get(name, len(self._suppliers)) for name in names], dtype=np.int64)
