"""Texts as a tagger reads them: by character, with the piece that speaks for each one and its clues.

A pretrained tokenizer joins Chinese characters into words whose borders need not be those of a mention. So characters
are what is tagged, and a `Reader` says which piece speaks for each of them: either every character is its own piece
(``characters``), or the pieces are the tokenizer's and a character takes the vector of the piece it lies in (``pieces``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from tokenizers import Tokenizer

from shopkeeper.models.batches import Integers
from shopkeeper.models.tagging.clues import Clues, Lexicon, hashed, window
from shopkeeper.models.tagging.spans import Mention
from shopkeeper.models.tagging.viterbi import Bools

if TYPE_CHECKING:
    from shopkeeper.models.backbone import Backbone

Units = Literal["characters", "pieces"]
BUCKETS = 2**18
_SPACE = "▁"  # how sentencepiece writes the space before a word


@dataclass(frozen=True, slots=True)
class Characters:
    """A batch of texts by character.

    Attributes:
        ids: Token numbers of the pieces, int64 (n, t).
        mask: int64 (n, t), 1 at pieces, 0 at padding.
        piece: int64 (n, c), place in t of the piece that speaks for each character.
        clues: int64 (n, c, f), hashes of clues, 0 for none.
        seen: Bool (n, c), True at characters, False at padding on the right.
    """

    ids: Integers
    mask: Integers
    piece: Integers
    clues: Integers
    seen: Bools


@dataclass(frozen=True, slots=True)
class Reading:
    """One text, read: token numbers, the piece of each character (c,), and the clues (c, f)."""

    ids: Sequence[int]
    piece: Sequence[int]
    clues: Clues


@dataclass(frozen=True, slots=True)
class Pieces:
    """What cuts texts into pieces.

    Attributes:
        tokenizer: Of the backbone.
        pad: Token number of padding.
        unknown: Token number of what the tokenizer does not know; None when it knows everything.
    """

    tokenizer: Tokenizer
    pad: int = 0
    unknown: int | None = None

    @classmethod
    def of(cls, backbone: Backbone) -> Pieces:
        """As this backbone was trained with."""
        tokenizer = backbone.tokenizer
        return cls(tokenizer.backend_tokenizer, int(tokenizer.pad_token_id or 0), tokenizer.unk_token_id)


class Reader:
    """Reads texts for a tagger.

    Args:
        pieces: What cuts texts for a backbone; None when only clues are wanted.
        units: See the module.
        lexicon: Gives clues; None gives none.
        windows: Give clues from neighbouring characters and words.
        buckets: How many different clues are told apart.
        longest: Tokens of a text; characters beyond are not tagged.
    """

    def __init__(
        self,
        pieces: Pieces | None,
        *,
        units: Units = "characters",
        lexicon: Lexicon | None = None,
        windows: bool = False,
        buckets: int = BUCKETS,
        longest: int = 256,
    ) -> None:
        self.units, self.lexicon, self.windows, self.buckets, self.longest = units, lexicon, windows, buckets, longest
        self.filler = pieces.pad if pieces is not None else 0
        self._pieces = pieces
        self._known: dict[str, list[int]] = {}
        self._ends = _ends(pieces.tokenizer) if pieces is not None else ([], [])

    def read(self, text: str, own: Sequence[Mention] | None = None) -> Reading:
        """Read one text; `own` are its mentions when it is a training text, see `Lexicon.clues`."""
        text = text[: self.longest]
        ids, piece = ([0], [0] * len(text)) if self._pieces is None else self._cut(text, self._pieces)
        text = text[: len(piece)]
        clues: list[set[str]] = [set() for _ in text]
        if self.windows:
            clues = [set(own) for own in window(text)]
        if self.lexicon is not None:
            clues = [one | other for one, other in zip(clues, self.lexicon.clues(text, own), strict=True)]
        return Reading(ids, piece, hashed(clues, self.buckets))

    def batch(self, readings: Sequence[Reading]) -> Characters:
        """Some texts as one batch, padded on the right."""
        count, tokens = len(readings), max(len(one.ids) for one in readings)
        longest = max(1, *(len(one.piece) for one in readings))
        width = max(1, *(one.clues.shape[1] for one in readings))
        ids = np.full((count, tokens), self.filler, dtype=np.int64)
        mask, piece = np.zeros_like(ids), np.zeros((count, longest), dtype=np.int64)
        clues, seen = np.zeros((count, longest, width), dtype=np.int64), np.zeros((count, longest), dtype=np.bool_)
        seen[:, 0] = True  # what cannot be read has one character that counts for nothing
        for row, one in enumerate(readings):
            ids[row, : len(one.ids)], mask[row, : len(one.ids)] = one.ids, 1
            piece[row, : len(one.piece)], seen[row, : len(one.piece)] = one.piece, True
            clues[row, : len(one.piece), : one.clues.shape[1]] = one.clues
        return Characters(ids, mask, piece, clues, seen)

    def _cut(self, text: str, pieces: Pieces) -> tuple[list[int], list[int]]:
        before, after = self._ends
        room = self.longest - len(before) - len(after)
        ids: list[int] = list(before)
        piece: list[int] = []
        if self.units == "characters":
            for character in text:
                own = self._character(character, pieces)
                if len(ids) - len(before) + len(own) > room:
                    break
                piece.append(len(ids))
                ids += own
            return ids + after, piece
        encoded = pieces.tokenizer.encode(text, add_special_tokens=False)
        owner = {at: n for n, (start, end) in enumerate(encoded.offsets) for at in range(start, end)}
        last = 0
        for at in range(len(text)):
            last = owner.get(at, last)
            if last >= room:
                break
            piece.append(last + len(before))
        return ids + encoded.ids[:room] + after, piece

    def _character(self, character: str, pieces: Pieces) -> list[int]:
        """The pieces of one character; sentencepiece's mark of a word's beginning is left away."""
        found = self._known.get(character)
        if found is None:
            backend = pieces.tokenizer
            plain = backend.token_to_id(character)
            if plain is None:
                encoded = backend.encode(character, add_special_tokens=False)
                kept = [n for n, piece in zip(encoded.ids, encoded.tokens, strict=True) if piece != _SPACE]
                found = kept or [backend.token_to_id(_SPACE) or pieces.unknown or self.filler]
            else:
                found = [plain]
            self._known[character] = found
        return found


def _ends(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that go before and after a text."""
    encoded = tokenizer.encode("a")
    places = [n for n, special in enumerate(encoded.special_tokens_mask) if not special]
    if not places:
        return list(encoded.ids), []
    return list(encoded.ids[: places[0]]), list(encoded.ids[places[-1] + 1 :])
