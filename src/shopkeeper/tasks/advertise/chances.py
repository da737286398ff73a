"""The chance that an item is clicked at place one, and bought after it: what an auction of ads multiplies bids with.

A trained bundle of task ``ads`` gives it from words, behaviour and context; without one, the item's own smoothed rates
and how near it is to what was asked do. Either way an item of which nothing is known yet has a chance, by its words and
the rates of its category.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from shopkeeper.errors import InputError, ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.ranking.ads.features import NAMES, Moment, ad_features, ad_vectors
from shopkeeper.ranking.ads.model import AdModel
from shopkeeper.ranking.item_record import ItemRecord, everybody
from shopkeeper.records import Event
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.vectors import VectorIndex

Values = NDArray[np.float64]

TASK: Final = "ads"
"""Of the bundle, and of the recipe."""
_NEAR: Final = 4.0
"""What a cosine adds to the logit of a click without a model, against the mean cosine of random items and moments."""
_LEAST: Final = 1e-6


class Chances(NamedTuple):
    """Of n items; float64 (n,) each, in (0, 1).

    Attributes:
        click: That a customer who looks at the item at place one clicks it.
        conversion: That a customer who clicked it buys it within seven days.
    """

    click: Values
    conversion: Values


class AdChances:
    """Chances of clicks and sales of the items of a shelf, their counts kept up to date by `fold`.

    Args:
        shelf: The items.
        vectors: Unit vectors of the same rows.
        record: What is known of the items.
        model: What was learnt; None goes by rates and cosines.
        position: Position in the log of the newest event that the record counted.
    """

    def __init__(
        self,
        shelf: Shelf,
        vectors: VectorIndex,
        record: ItemRecord,
        model: AdModel | None = None,
        position: int = 0,
    ) -> None:
        self._shelf, self._vectors, self._record, self._model = shelf, vectors, record, model
        self.position = position

    @classmethod
    def load(
        cls, bundle: Bundle, shelf: Shelf, vectors: VectorIndex, trust: Callable[[str], float] = everybody
    ) -> AdChances:
        """What a bundle of task ``ads`` learnt; `fold` the events after `position` into it, each as far as `trust` says.

        Raises:
            ModelError: The bundle is of another task, another version's features, or another encoder.
        """
        values, arrays = bundle.parameters, bundle.arrays()
        if bundle.card.task != TASK or values.get("model", {}).get("features") != list(NAMES):
            raise ModelError(
                f"This is a bundle of task {bundle.card.task!r}, or of other features than this version computes.",
                where=str(bundle.folder),
                cure="Train the task `ads` again.",
            )
        model = AdModel.load(arrays, values["model"])
        if model.cross is not None and model.cross.dimension not in (0, vectors.dimension):
            raise ModelError(
                f"It reads vectors of length {model.cross.dimension}, and the shop's have {vectors.dimension}.",
                where=str(bundle.folder),
                cure="Train the task `ads` again with the encoder that is live.",
            )
        record = ItemRecord.load(arrays, values["record"], shelf, trust)
        return cls(shelf, vectors, record, model, int(values.get("position", 0)))

    @classmethod
    def prior(cls, shelf: Shelf, vectors: VectorIndex, trust: Callable[[str], float] = everybody) -> AdChances:
        """Chances without a bundle: smoothed rates, better with every event folded, times a factor of the cosine."""
        return cls(shelf, vectors, ItemRecord(shelf, trust=trust))

    def fold(self, events: Iterable[Event]) -> None:
        """Count what just happened, in order of time."""
        self._record.fold(events)

    def chances(self, rows: Rows, moment: Moment, *, paid: bool = True) -> Chances:
        """Chances of n items at a moment.

        Args:
            rows: int64 (n,), rows of living items.
            moment: Who is about to see them, and where.
            paid: They are labelled as advertisements.

        Raises:
            InputError: A row is not on the shelf, or a vector of the moment has another length than the items'.
        """
        self._check(rows, moment)
        if not len(rows):
            return Chances(np.zeros(0), np.zeros(0))
        if self._model is None:
            click, sale = self._untaught(rows, moment)
        else:
            table = ad_features(self._shelf, self._vectors, rows, replace(moment, paid=paid), self._record)
            click, sale = self._model.logits(table, *ad_vectors(self._vectors, rows, moment))
        return Chances(*(np.clip(expit(found), _LEAST, 1 - _LEAST) for found in (click, sale)))

    def _untaught(self, rows: Rows, moment: Moment) -> tuple[Values, Values]:
        known = self._record.at(rows, moment.time)
        around = next((v for v in (moment.words, moment.focus, moment.taste) if v is not None), None)
        near = np.zeros(len(rows))
        if around is not None:
            near = self._vectors.scores(around, rows).astype(np.float64) - self._usual(around)
        return logit(known.clicks) + _NEAR * near, logit(known.sales)

    def _usual(self, around: NDArray[np.float32]) -> float:
        """Mean cosine to a spread of items: what is not near, as encoders differ in that."""
        count = len(self._shelf)
        sample = np.unique(np.linspace(0, count - 1, min(count, 64)).astype(np.int64))
        return float(self._vectors.scores(around, sample).mean())

    def _check(self, rows: Rows, moment: Moment) -> None:
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self._shelf)):
            raise InputError(
                f"The shelf has {len(self._shelf)} rows, and {int(rows.max())} or {int(rows.min())} was asked for.",
                where="rows",
                cure="Give rows of this shelf.",
            )
        for name in ("words", "taste", "focus"):
            vector = getattr(moment, name)
            if vector is not None and vector.shape != (self._vectors.dimension,):
                raise InputError(
                    f"It has shape {vector.shape}, and the items' vectors length {self._vectors.dimension}.",
                    where=f"moment.{name}",
                    cure="Encode it with the encoder of the items.",
                )
