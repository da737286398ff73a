"""Texts to padded batches of token ids: cleaned, prefixed, sorted by length, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from shopkeeper.progress import span

Integers = NDArray[np.int64]
_CHARACTERS_A_TOKEN = 64
_SHOWN = 512
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Batch:
    """A few texts, ready for a model.

    Attributes:
        rows: (n,) places of these texts in the caller's list.
        input_ids: (n, t) token ids, padded on the right.
        attention_mask: (n, t) 1 at tokens, 0 at padding; at least one token a row.
        token_type_ids: (n, t) 1 in the second text of a pair.
    """

    rows: Integers
    input_ids: Integers
    attention_mask: Integers
    token_type_ids: Integers


@dataclass(slots=True)
class Batcher:
    """Cuts texts into tokens and batches; safe to share between threads.

    Attributes:
        tokenizer: Owned by this object: its truncation and padding are set here.
        pad: Token id of padding, also the one token of a text that has none.
        max_length: Tokens that a text, or a pair together, is cut to.
        prefixes: What to put before a text, by side.
    """

    tokenizer: Tokenizer
    pad: int
    max_length: int
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length=self.max_length, strategy="longest_first")

    def texts(self, texts: Sequence[str], side: str, size: int) -> Iterator[Batch]:
        """Batches of at most `size` texts, of like lengths."""
        prefix = self.prefixes.get(side, "")
        return self._batches([prefix + self._clean(text) for text in texts], size)

    def inputs(self, firsts: Sequence[str], seconds: Sequence[str] | None, size: int) -> Iterator[Batch]:
        """As `pairs`, or single texts without a prefix when there are no seconds."""
        return self.texts(firsts, "", size) if seconds is None else self.pairs(firsts, seconds, size)

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], size: int) -> Iterator[Batch]:
        """Batches of at most `size` pairs, of like lengths.

        A tokenizer without a template for pairs (most causal models) sees the two texts on two lines.
        """
        cleaned = [(self._clean(a), self._clean(b)) for a, b in zip(firsts, seconds, strict=True)]
        if self.tokenizer.num_special_tokens_to_add(True) > 0:
            return self._batches(cleaned, size)
        return self._batches([f"{a}\n{b}" for a, b in cleaned], size)

    def _clean(self, text: str) -> str:
        return clean(text, self.max_length * _CHARACTERS_A_TOKEN)

    def _batches(self, inputs: Sequence[str] | Sequence[tuple[str, str]], size: int) -> Iterator[Batch]:
        """Tokenises a few thousand at a time, so that memory stays small, and sorts those by length."""
        size = max(1, size)
        chunk = max(size, _CHUNK)
        for start in range(0, len(inputs), chunk):
            encoded = self.tokenizer.encode_batch(list(inputs[start : start + chunk]))
            order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at].ids))
            for first in range(0, len(order), size):
                places = order[first : first + size]
                yield self._padded([encoded[at] for at in places], [start + at for at in places])

    def _padded(self, encoded: Sequence[Encoding], rows: Sequence[int]) -> Batch:
        longest = max(1, len(encoded[0].ids))
        ids = np.full((len(rows), longest), self.pad, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        types = np.zeros((len(rows), longest), dtype=np.int64)
        mask[:, 0] = 1
        for at, one in enumerate(encoded):
            count = len(one.ids)
            ids[at, :count] = one.ids
            types[at, :count] = one.type_ids
            mask[at, :count] = 1
        return Batch(np.array(rows, dtype=np.int64), ids, mask, types)


def clean(text: str, longest: int) -> str:
    """The first `longest` characters, NULs made spaces and lone surrogates question marks."""
    text = text[:longest].replace("\0", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def shown(batches: Iterator[Batch], total: int, name: str) -> Iterator[Batch]:
    """Report progress of bulk work; a handful of texts stays silent."""
    if total < _SHOWN:
        yield from batches
        return
    with span(f"Encoding with {name}", total=total, unit="texts") as progress:
        for batch in batches:
            yield batch
            progress.advance(len(batch.rows))
