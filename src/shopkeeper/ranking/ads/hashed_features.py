"""A table of named columns as the sparse matrix that linear models, trees and embeddings learn from.

    [ numbers, standardised | number missing? | one slot of each category's block ]

Numbers go through sign(x) log(1 + |x|), so that a customer who spent much does not decide alone, and are brought to mean 0
and deviation 1. A category with few values has a slot for each and one for all others; one with many, and every cross of
categories, is hashed into a block (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"), so that
values never seen before need no new column. What is missing is a value of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import polars.selectors as cs
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import murmurhash3_32

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.retrieval.histories import Matrix

Ints = NDArray[np.int64]

_MISSING: Final = "\x00missing"
_BETWEEN: Final = "\x1f"
_LISTED: Final = 32
_BUCKETS: Final = 4096


@dataclass(frozen=True, slots=True)
class Block:
    """The slots of one category, or of a cross of several.

    Attributes:
        columns: The columns whose values are read together.
        values: Values with a slot of their own, before the one for all others; empty where values are hashed.
        buckets: How many slots there are.
    """

    columns: tuple[str, ...]
    values: tuple[str, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class HashedFeatures:
    """Encodes tables that have the columns it was made from.

    Attributes:
        numbers: Columns of numbers.
        centre, deviation: Of each number after the logarithm.
        blocks: Categories and crosses, in the order of their slots.
    """

    numbers: tuple[str, ...]
    centre: tuple[float, ...]
    deviation: tuple[float, ...]
    blocks: tuple[Block, ...]

    @classmethod
    def fit(
        cls,
        frame: pl.DataFrame,
        *,
        crosses: Iterable[Sequence[str]] = (),
        listed: int = _LISTED,
        buckets: int = _BUCKETS,
    ) -> HashedFeatures:
        """Look at a table once: which columns are numbers, and which values are frequent enough to have a slot.

        Args:
            frame: Columns of numbers, of booleans, and of strings or enumerations (categories); nulls are fine.
            crosses: Names of categories that are also read together, e.g. ``[("channel", "zip_code")]``.
            listed: Values up to which a category has a slot for each; 0 hashes them all.
            buckets: Slots of each hashed block.

        Raises:
            InputError: There is no column, one is of another kind (dates, lists), or a cross names an unknown one.
        """
        if not frame.width:
            raise InputError(
                "The table has no columns to learn from.", where="features", cure="Give at least one column."
            )
        other = frame.select(
            ~(cs.numeric() | cs.boolean() | cs.string() | cs.categorical() | cs.enum() | cs.by_dtype(pl.Null))
        )
        if other.width:
            name, kind = next(iter(other.schema.items()))
            raise InputError(
                f"The column {name!r} holds {kind}, neither numbers nor categories.",
                where=f"column {name}",
                cure="Turn it into a number (days since, a count) or a text, or leave it out.",
            )
        numbers = tuple(frame.select(cs.numeric() | cs.boolean()).columns)
        words = [name for name in frame.columns if name not in numbers]
        table = _logarithms(frame, numbers)
        told = np.isfinite(table)
        count = np.maximum(told.sum(axis=0), 1)
        centre = np.where(told, table, 0).sum(axis=0) / count
        deviation = np.sqrt((np.where(told, table - centre, 0) ** 2).sum(axis=0) / count)
        blocks = [_block(frame, name, listed, buckets) for name in words]
        for cross in crosses:
            if missing := [name for name in cross if name not in words]:
                raise InputError(
                    f"The cross {tuple(cross)} names {missing[0]!r}, which is no category of the table.",
                    where="crosses",
                    cure=f"Cross some of: {', '.join(words) or 'none, the table has numbers only'}.",
                )
            blocks.append(Block(tuple(cross), (), buckets))
        return cls(
            numbers,
            tuple(centre.tolist()),
            tuple(np.where(deviation > 1e-9, deviation, 1.0).tolist()),
            tuple(blocks),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that a table must have."""
        return tuple(dict.fromkeys([*self.numbers, *(name for block in self.blocks for name in block.columns)]))

    @property
    def slots(self) -> int:
        """Slots of all blocks together: rows of an embedding table."""
        return sum(block.buckets for block in self.blocks)

    @property
    def width(self) -> int:
        """Columns of `matrix`."""
        return 2 * len(self.numbers) + self.slots

    @property
    def names(self) -> tuple[str, ...]:
        """What each column of `matrix` is, for people: ``history``, ``history missing``, ``channel = Web`` ..."""
        found = [*self.numbers, *(f"{name} missing" for name in self.numbers)]
        for block in self.blocks:
            title = " x ".join(block.columns)
            told = [f"{title} = {'missing' if value == _MISSING else value}" for value in block.values]
            if block.values:
                found += [*told, f"{title} = other"]
            else:
                found += [f"{title} #{slot}" for slot in range(block.buckets)]
        return tuple(found)

    def table(self, frame: pl.DataFrame) -> Floats:
        """The numbers alone: float32 (n, 2 m), m standardised (0 where missing), then m flags that are 1 where missing.

        Raises:
            InputError: A column is missing or is no number; so do `codes` and `matrix`.
        """
        self._check(frame)
        values = _logarithms(frame, self.numbers)
        scaled = (values - np.array(self.centre)) / np.array(self.deviation)
        missing = ~np.isfinite(scaled)
        return np.concatenate([np.where(missing, 0, scaled), missing], axis=1).astype(np.float32)

    def codes(self, frame: pl.DataFrame) -> Ints:
        """The slot of every block: int64 (n, len(blocks)) in [0, slots), rising with the block; for embeddings."""
        self._check(frame)
        found = np.zeros((frame.height, len(self.blocks)), dtype=np.int64)
        start = 0
        for place, block in enumerate(self.blocks):
            found[:, place] = start + _slots(_texts(frame, block.columns), block)
            start += block.buckets
        return found

    def matrix(self, frame: pl.DataFrame) -> Matrix:
        """Everything: sparse float32 (n, width), numbers first, then ones at the slots."""
        codes, table = self.codes(frame), self.table(frame)
        n, fields = codes.shape
        ones = np.ones(codes.size, dtype=np.float32)
        slots = sp.csr_array((ones, codes.ravel(), np.arange(n + 1) * fields), shape=(n, self.slots))
        return sp.csr_array(sp.hstack([sp.csr_array(table), slots], format="csr", dtype=np.float32))

    def save(self) -> dict[str, Any]:
        """Plain data for a bundle's parameters; `load` reads it back."""
        return {
            "numbers": list(self.numbers),
            "centre": list(self.centre),
            "deviation": list(self.deviation),
            "blocks": [[list(block.columns), list(block.values), block.buckets] for block in self.blocks],
        }

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> HashedFeatures:
        """Read what `save` wrote."""
        blocks = tuple(Block(tuple(columns), tuple(values), int(size)) for columns, values, size in saved["blocks"])
        return cls(tuple(saved["numbers"]), tuple(saved["centre"]), tuple(saved["deviation"]), blocks)

    def _check(self, frame: pl.DataFrame) -> None:
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            raise InputError(
                f"The table lacks {', '.join(map(repr, missing))}; it has {', '.join(map(repr, frame.columns))}.",
                where=f"column {missing[0]}",
                cure=f"Give all of: {', '.join(self.columns)}.",
            )
        for name in self.numbers:
            kind = frame.schema[name]
            if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
                raise InputError(
                    f"The column {name!r} holds {kind} where numbers were learnt from.",
                    where=f"column {name}",
                    cure="Give numbers, empty where they are unknown.",
                )


def _logarithms(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    table = np.full((frame.height, len(names)), np.nan)
    for place, name in enumerate(names):
        values = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        table[:, place] = np.sign(values) * np.log1p(np.abs(values))
    return np.where(np.isfinite(table), table, np.nan)


def _texts(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    told = [pl.col(name).cast(pl.String).fill_null(_MISSING) for name in columns]
    return frame.select(pl.concat_str(told, separator=_BETWEEN)).to_series()


def _block(frame: pl.DataFrame, name: str, listed: int, buckets: int) -> Block:
    values = _texts(frame, (name,)).unique().sort().to_list()
    return Block((name,), tuple(values), len(values) + 1) if len(values) <= listed else Block((name,), (), buckets)


def _slots(texts: pl.Series, block: Block) -> Ints:
    distinct = texts.unique(maintain_order=True)
    if block.values:
        places = {value: place for place, value in enumerate(block.values)}
        own = [places.get(value, len(places)) for value in distinct.to_list()]
    else:
        title = _BETWEEN.join(block.columns)
        own = [
            murmurhash3_32(f"{title}={value}".encode(), positive=True) % block.buckets for value in distinct.to_list()
        ]
    lookup = pl.DataFrame({"text": distinct, "slot": np.array(own, dtype=np.int64)})
    return texts.to_frame("text").join(lookup, on="text", maintain_order="left")["slot"].to_numpy()
