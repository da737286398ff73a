"""Which texts a bundle knows: fingerprints of what it learnt from, was chosen by and was tested on.

Fingerprints and not the texts: the shop's database stays the only place that holds what customers wrote, so that whom it
forgets nobody else remembers. The texts of the memory are read from there again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.models.bundle import Bundle

Prints = NDArray[np.uint64]
_PARTS = ("learnt", "valid", "test", "left_out")


@dataclass(frozen=True, slots=True)
class KnownTexts:
    """Fingerprints of texts with their labels, each uint64 (n,): a text whose label was corrected is a new one.

    Attributes:
        learnt: Taught to the model.
        valid: Chose its state and its blend; only the linear model learnt from them, once that was done.
        test: Looked at once, at the end. Never to be learnt from.
        left_out: Among those learnt from by place, but left out because their labels look wrong; not to be learnt later.
    """

    learnt: Prints
    valid: Prints
    test: Prints
    left_out: Prints

    def arrays(self) -> dict[str, Prints]:
        """What a bundle saves."""
        return {f"known.{part}": getattr(self, part) for part in _PARTS}

    @classmethod
    def of(cls, bundle: Bundle) -> KnownTexts:
        """What a bundle knows.

        Raises:
            TrainingError: It does not say.
        """
        arrays = bundle.arrays()
        if not all(f"known.{part}" in arrays for part in _PARTS[:3]):
            raise TrainingError(
                f"{bundle.name} does not say which texts it learnt from.",
                where=str(bundle.folder),
                cure="Train it anew once; after that it can be updated.",
            )
        nothing = np.zeros(0, dtype=np.uint64)  # bundles before cleaning have no texts left out
        return cls(*(arrays.get(f"known.{part}", nothing).astype(np.uint64) for part in _PARTS))

    def __or__(self, later: KnownTexts) -> KnownTexts:
        """All that either knows."""
        return KnownTexts(*(np.union1d(getattr(self, part), getattr(later, part)) for part in _PARTS))


def fingerprints(texts: Sequence[str], labels: Sequence[str]) -> Prints:
    """One number for each text with its label, uint64 (n,).

    >>> fingerprints(["good"], ["positive"])[0] == fingerprints(["good"], ["negative"])[0]
    np.False_
    """
    digests = [
        blake2b(f"{label}\0{text}".encode(), digest_size=8).digest() for text, label in zip(texts, labels, strict=True)
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
