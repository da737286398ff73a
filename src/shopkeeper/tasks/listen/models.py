"""What was learnt of posts, as the reader needs it: quick, and with names instead of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.bundle import Bundle
from shopkeeper.models.linear import LinearText
from shopkeeper.models.linear_labels import LinearLabels
from shopkeeper.models.registry import Registry
from shopkeeper.models.text import Floats, softmax

TASKS: Final = ("sentiment", "topic", "risk", "event", "concern", "about")
"""Bundles that the reader looks for; `concern` says how a post speaks of a name that is marked in it."""
NOTHING: Final = frozenset(("", "none", "other", "others", "其他", "无"))
"""Classes that say that there is nothing to say."""
NOT_US: Final = "not_us"
"""Class of ``about`` for posts that are not about the shop."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A classifier with the names of its classes.

    Attributes:
        classes: In the order of the probabilities.
        linear: One class a text.
        scale: What its log-probabilities are multiplied by, which makes them honest.
        labels: Any number of labels a text, in place of `linear`.
    """

    classes: tuple[str, ...]
    linear: LinearText | None = None
    scale: float = 1.0
    labels: LinearLabels | None = None

    def shares(self, texts: Sequence[str]) -> Floats:
        """Probabilities, float32 (n, k)."""
        if self.labels is not None:
            return self.labels.probabilities(texts)
        assert self.linear is not None
        return softmax(np.log(np.clip(self.linear.probabilities(texts), 1e-9, 1.0)) * np.float32(self.scale))

    def names(self, texts: Sequence[str], least: float = 0.5) -> list[tuple[str, ...]]:
        """The labels of each text, surest first: those above their thresholds, or the likeliest class with `least`."""
        shares = self.shares(texts)
        bars = self.labels.thresholds if self.labels is not None else least
        found = []
        for row, passed in zip(shares, shares >= bars, strict=True):
            order = sorted(np.flatnonzero(passed).tolist(), key=lambda place: -float(row[place]))
            found.append(tuple(self.classes[place] for place in order if self.classes[place].lower() not in NOTHING))
        return found

    def feelings(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Chance of ``positive`` less that of ``negative``, float64 (n,)."""
        sign = np.array([(name == "positive") - float(name == "negative") for name in self.classes])
        return np.asarray(self.shares(texts) @ sign, dtype=np.float64)

    def chance(self, name: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of one class, float64 (n,); 0 where it is not among them."""
        if name not in self.classes:
            return np.zeros(len(texts))
        return np.asarray(self.shares(texts)[:, self.classes.index(name)], dtype=np.float64)


def judge(bundle: Bundle) -> Judge | None:
    """The linear part of a classifier's bundle, as it is quick enough for every post; None where it has none."""
    values = bundle.parameters
    classes = tuple(str(name) for name in values.get("classes", ()))
    if "labels" in values:
        return Judge(classes, labels=LinearLabels.load(bundle.arrays(), values["labels"]))
    if "linear" in values:
        scale = float(values.get("scales", (1.0, 1.0))[1])
        return Judge(classes, LinearText.load(bundle.arrays(), values["linear"]), scale)
    return None


def live_judges(registry: Registry) -> dict[str, Judge]:
    """Those of `TASKS` that are live."""
    bundles = {task: registry.live(task) for task in TASKS}
    found = {task: judge(bundle) for task, bundle in bundles.items() if bundle is not None}
    return {task: one for task, one in found.items() if one is not None}


def marked(text: str, name: str, most: int = 400) -> str:
    """A text with every place that names somebody marked, as ``concern`` is taught and asked: ``[E] name [/E]``.

    Of a long text the stretch around the first place is kept.

    >>> marked("小资钱包涉嫌诈骗", "小资钱包")
    '[E] 小资钱包 [/E]涉嫌诈骗'
    """
    at = max(0, text.find(name))
    start = max(0, min(at - most // 3, len(text) - most))
    part = text[start : start + most]
    if name and name in part:
        return part.replace(name, f"[E] {name} [/E]")
    return f"[E] {name} [/E] {part}"
