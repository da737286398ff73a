"""Groups of customers who are alike, and which of them somebody belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.text import Floats
from shopkeeper.ranking.customers.deeds import Ints


@dataclass(frozen=True, slots=True)
class CustomerSegment:
    """One group.

    Attributes:
        id: Stays the same from training to training as long as the group does.
        name: Its most telling words by language, ``en`` and ``zh``.
        share: Of the customers who were grouped.
    """

    id: str
    name: Mapping[str, str]
    share: float


@dataclass(frozen=True, slots=True)
class CustomerSegments:
    """All groups.

    Attributes:
        segments: k of them.
        centre: float32 (d,), where the average customer stands.
        centres: float32 (k, d), of length 1: the direction of each group from there.
        following: Number of the next new id.
    """

    segments: tuple[CustomerSegment, ...]
    centre: Floats
    centres: Floats
    following: int

    def places(self, vectors: Floats) -> Ints:
        """Place of the group of each customer, int64 (n,), for float32 (n, d); -1 where nothing is known of them."""
        near = (vectors - self.centre) @ self.centres.T
        known = np.abs(vectors).sum(axis=1) > 0
        return np.where(known, near.argmax(axis=1), -1).astype(np.int64)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain data that `load` reads back."""
        named = [{"id": one.id, "name": dict(one.name), "share": one.share} for one in self.segments]
        arrays = {"segments.centre": self.centre, "segments.centres": self.centres}
        return arrays, {"segments": named, "following": self.following}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> CustomerSegments:
        """Read what `save` wrote."""
        segments = tuple(
            CustomerSegment(str(one["id"]), dict(one["name"]), float(one["share"])) for one in values["segments"]
        )
        return cls(segments, arrays["segments.centre"], arrays["segments.centres"], int(values["following"]))
