"""Batches: texts are cut into tokens once, rows of similar length travel together, padding is dynamic."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

B = TypeVar("B", covariant=True)
T = TypeVar("T")
Ints = NDArray[np.int64]

_OPEN = 64  # half-filled batches kept at a time; beyond that an example that fits nowhere waits for the next epoch
_JITTER = 0.15  # relative noise on lengths, so that buckets differ from epoch to epoch


class Batches(Protocol[B]):
    """Examples that can be gone through again and again."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, rng: np.random.Generator) -> Iterator[B]:
        """One pass, in an order drawn from `rng`."""
        ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """A padded batch of token numbers.

    Attributes:
        ids: int64 (n, longest).
        mask: int64 (n, longest), 1 for tokens and 0 for padding.
    """

    ids: Tensor
    mask: Tensor


def pad(rows: Sequence[Sequence[int]], filler: int = 0) -> Tokens:
    """Pad token lists to the longest of them.

    >>> pad([[5, 6, 7], [8]], filler=1).ids.tolist()
    [[5, 6, 7], [8, 1, 1]]
    """
    longest = max((len(row) for row in rows), default=0)
    ids = np.full((len(rows), max(longest, 1)), filler, dtype=np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return Tokens(torch.from_numpy(ids), torch.from_numpy(mask))


class Buckets(Generic[T]):
    """Batches of example numbers, similar lengths together, made into whatever the loss wants by `collate`.

    Args:
        lengths: int (n,), tokens of each example.
        size: Examples in a batch.
        collate: Example numbers, int64 (<= size,) -> a batch.
        keys: For each example what must not occur twice in a batch (query, item); empty means no such rule.
            An example that would repeat a key waits for a later batch, or for the next epoch when all are crowded.
        share: Share of the examples, drawn anew, that one epoch goes through.
    """

    def __init__(
        self,
        lengths: Sequence[int] | Ints,
        size: int,
        collate: Callable[[Ints], T],
        keys: Sequence[Sequence[Hashable]] = (),
        share: float = 1.0,
    ) -> None:
        self._lengths = np.asarray(lengths, dtype=np.float64)
        self._size, self._collate, self._keys = size, collate, keys
        self._count = max(1, round(share * len(self._lengths))) if len(self._lengths) else 0

    def __len__(self) -> int:
        return -(-self._count // self._size)

    def epoch(self, rng: np.random.Generator) -> Iterator[T]:
        """One pass: lengths with a little noise are sorted, cut into batches, and the batches shuffled."""
        chosen = rng.permutation(len(self._lengths))[: self._count]
        noisy = self._lengths[chosen] * (1 + _JITTER * rng.random(len(chosen)))
        ordered = chosen[np.argsort(noisy, kind="stable")]
        batches = _without_repeats(ordered, self._size, self._keys) if self._keys else _cut(ordered, self._size)
        for place in rng.permutation(min(len(batches), len(self))):
            yield self._collate(batches[place])


def _cut(ordered: Ints, size: int) -> list[Ints]:
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _without_repeats(ordered: Ints, size: int, keys: Sequence[Sequence[Hashable]]) -> list[Ints]:
    """Fill batches in order, fullest first; an example joins the first open batch that holds none of its keys."""
    full: list[Ints] = []
    open_batches: list[tuple[list[int], set[Hashable]]] = []
    for example in ordered.tolist():
        own = keys[example]
        for place, (members, seen) in enumerate(open_batches):
            if seen.isdisjoint(own):
                members.append(example)
                seen.update(own)
                if len(members) == size:
                    full.append(np.array(members, dtype=np.int64))
                    del open_batches[place]
                break
        else:
            if len(open_batches) < _OPEN:
                open_batches.append(([example], set(own)))
    rest = [np.array(members, dtype=np.int64) for members, _ in open_batches]
    return full + sorted(rest, key=len, reverse=True)
