"""A text's meaning as the mean of its tokens' vectors: a table instead of a network, for work at every keystroke.

The table is distilled from a trained encoder (`training.tables`), holds each token's weight in the length of its row, and
needs numpy and a tokenizer only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from shopkeeper.errors import ModelError
from shopkeeper.models.batches import clean
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.text import Floats, Side, unit

_TABLE, _TOKENIZER, _NAME = "table", "tokenizer", "table_name"
_CHARACTERS = 4_000


class TableEncoder:
    """Encodes with a table of token vectors. It has no sides; order of words does not matter to it.

    A text of which no token is known, or none at all, gets the first axis, as `text.unit` has it: never NaN, and like no
    text in particular.

    Args:
        table: float16 (v, d), a row for each token of the tokenizer, zero where a token says nothing.
        tokenizer: Cuts texts into these tokens; copied.
        name: Name to go by.

    Raises:
        ModelError: The table has too few rows for the tokenizer, or holds values that are not finite.
    """

    def __init__(self, table: NDArray[np.float16], tokenizer: Tokenizer, name: str = "table") -> None:
        if table.ndim != 2 or len(table) < tokenizer.get_vocab_size() or not np.isfinite(table).all():
            raise ModelError(
                f"A table of shape {table.shape} does not fit a tokenizer of {tokenizer.get_vocab_size()} tokens, "
                "or holds values that are not finite.",
                where=name,
                cure="Distil it again from the encoder with this tokenizer.",
            )
        self._table = table.astype(np.float16, copy=False)
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._name = name

    @property
    def name(self) -> str:
        """Name of the table."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return int(self._table.shape[1])

    @property
    def megabytes(self) -> float:
        """Size of the table in memory."""
        return self._table.nbytes / 1e6

    def encode(self, texts: Sequence[str], side: Side = "passage", batch: int = 64) -> Floats:  # noqa: ARG002
        """See `text.Encoder.encode`."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        size = max(1, batch)
        for start in range(0, len(texts), size):
            cleaned = [clean(text, _CHARACTERS) for text in texts[start : start + size]]
            for place, encoded in enumerate(self._tokenizer.encode_batch(cleaned, add_special_tokens=False), start):
                if encoded.ids:
                    out[place] = self._table[encoded.ids].mean(axis=0, dtype=np.float32)
        return unit(out)

    def save(self, folder: Path, card: Card) -> Bundle:
        """Write a bundle with the table and its tokenizer; `of` reads it."""
        values: dict[str, Any] = {_NAME: self._name, _TOKENIZER: json.loads(self._tokenizer.to_str())}
        card = replace(card, base=card.base or self._name)
        return save_bundle(folder, card, arrays={_TABLE: self._table}, parameters=values)

    @classmethod
    def of(cls, bundle: Bundle) -> TableEncoder:
        """The encoder in a bundle that `save` wrote.

        Raises:
            ModelError: There is none in it.
        """
        arrays, values = bundle.arrays(), bundle.parameters
        if _TABLE not in arrays or _TOKENIZER not in values:
            raise ModelError(
                "This bundle holds no table of token vectors.",
                where=str(bundle.folder),
                cure="Use one that TableEncoder.save wrote.",
            )
        return cls(arrays[_TABLE], Tokenizer.from_str(json.dumps(values[_TOKENIZER])), bundle.name)
