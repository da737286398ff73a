"""What a check of the catalogue says: one doubt about one item, with a reason and a way to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about an item that a human should look at.

    Attributes:
        kind: ``category``, ``title``, ``price`` or ``double``.
        item: Its id.
        score: How sure this is, in [0, 1].
        text: Why, by language.
        proposal: What would mend it: a category path joined by `` > ``, a title, a price with its currency, the id of the
            listing to keep. Empty when only a human can say.
        other: The item of which this is a double, else empty.
    """

    kind: str
    item: str
    score: float
    text: Mapping[str, str] = field(default_factory=dict)
    proposal: str = ""
    other: str = ""
