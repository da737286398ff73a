"""Texts to token numbers, once before training, with the backbone's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from shopkeeper.models.backbone import Backbone
from shopkeeper.training.batching import Ints, pad

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Many texts (or pairs of texts) as token numbers.

    Attributes:
        ids: Token numbers of each text.
        types: 0 for the first text of a pair and 1 for the second, token by token; empty for single texts.
        filler: Token number of padding.
    """

    ids: Sequence[Sequence[int]]
    types: Sequence[Sequence[int]]
    filler: int

    @property
    def lengths(self) -> Ints:
        """int64 (n,), tokens of each text."""
        return np.array([len(row) for row in self.ids], dtype=np.int64)

    def batch(self, rows: Sequence[int] | Ints) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, mask and types of some texts, each int64 (len(rows), longest), padded on the right."""
        tokens = pad([self.ids[int(row)] for row in rows], self.filler)
        if not self.types:
            return tokens.ids, tokens.mask, torch.zeros_like(tokens.ids)
        return tokens.ids, tokens.mask, pad([self.types[int(row)] for row in rows]).ids


def tokenise(backbone: Backbone, texts: Sequence[str], side: str, longest: int) -> TokenRows:
    """Single texts, with the prefix of `side` (``query`` or ``passage``), cut to `longest` tokens or what the model takes."""
    prefix = backbone.prefixes.get(side, "")
    return _rows(backbone, [prefix + _clean(text, longest) for text in texts], longest, pairs=False)


def tokenise_pairs(backbone: Backbone, firsts: Sequence[str], seconds: Sequence[str], longest: int) -> TokenRows:
    """Pairs of texts, cut together to `longest` tokens or what the model takes, always from the longer of the two.

    A tokenizer without a template for pairs (most causal models) sees the two texts on two lines, as in serving.
    """
    both = [(_clean(a, longest), _clean(b, longest)) for a, b in zip(firsts, seconds, strict=True)]
    if backbone.tokenizer.backend_tokenizer.num_special_tokens_to_add(True) > 0:
        return _rows(backbone, both, longest, pairs=True)
    return _rows(backbone, [f"{a}\n{b}" for a, b in both], longest, pairs=False)


def _rows(
    backbone: Backbone, inputs: Sequence[str] | Sequence[tuple[str, str]], longest: int, *, pairs: bool
) -> TokenRows:
    tokenizer = Tokenizer.from_str(backbone.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=min(longest, backbone.max_length), strategy="longest_first")
    ids: list[list[int]] = []
    types: list[list[int]] = []
    filler = int(backbone.tokenizer.pad_token_id or 0)
    for start in range(0, len(inputs), _CHUNK):
        for encoded in tokenizer.encode_batch(list(inputs[start : start + _CHUNK])):
            ids.append(encoded.ids or [filler])
            if pairs:
                types.append(encoded.type_ids)
    return TokenRows(ids, types, filler)


def _clean(text: str, longest: int) -> str:
    return text[: longest * 64].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
