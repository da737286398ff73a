"""Token labelling: one tag for each character of a text, from a backbone, from clues, or from both.

A pretrained tokenizer joins Chinese characters into words whose borders need not be those of a mention. So characters
are what is tagged, and a `Reader` says which piece speaks for each of them: either every character is its own piece
(``characters``), or the pieces are the tokenizer's and a character takes the vector of the piece it lies in (``pieces``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone, run
from shopkeeper.models.clues import Clues, Lexicon, hashed, window
from shopkeeper.models.crf import Crf
from shopkeeper.models.spans import Mention, from_bio

Units = Literal["characters", "pieces"]
BUCKETS = 2**18
_SPACE = "▁"  # how sentencepiece writes the space before a word


@dataclass(frozen=True, slots=True)
class Characters:
    """A batch of texts by character.

    Attributes:
        inputs: Token numbers, mask and types of the pieces, each int64 (n, t).
        piece: int64 (n, c), place in t of the piece that speaks for each character.
        clues: int64 (n, c, f), hashes of clues, 0 for none.
        seen: Bool (n, c), True at characters, False at padding on the right.
    """

    inputs: tuple[Tensor, ...]
    piece: Tensor
    clues: Tensor
    seen: Tensor

    def to(self, device: torch.device) -> Characters:
        """The same on another device."""
        inputs = tuple(part.to(device) for part in self.inputs)
        return Characters(inputs, self.piece.to(device), self.clues.to(device), self.seen.to(device))


@dataclass(frozen=True, slots=True)
class Reading:
    """One text, read: token numbers, the piece of each character (c,), and the clues (c, f)."""

    ids: Sequence[int]
    piece: Sequence[int]
    clues: Clues


class Reader:
    """Reads texts for a tagger.

    Args:
        backbone: Whose tokenizer cuts; None when only clues are wanted.
        units: See the module.
        lexicon: Gives clues; None gives none.
        windows: Give clues from neighbouring characters and words.
        buckets: How many different clues are told apart.
        longest: Tokens of a text; characters beyond are not tagged.
    """

    def __init__(
        self,
        backbone: Backbone | None,
        *,
        units: Units = "characters",
        lexicon: Lexicon | None = None,
        windows: bool = False,
        buckets: int = BUCKETS,
        longest: int = 256,
    ) -> None:
        self.units, self.lexicon, self.windows, self.buckets, self.longest = units, lexicon, windows, buckets, longest
        self._tokenizer: Any = backbone.tokenizer if backbone is not None else None
        self.filler = int(self._tokenizer.pad_token_id or 0) if backbone is not None else 0
        self._known: dict[str, list[int]] = {}
        self._ends = _ends(self._tokenizer) if backbone is not None else ([], [])

    def read(self, text: str, own: Sequence[Mention] | None = None) -> Reading:
        """Read one text; `own` are its mentions when it is a training text, see `Lexicon.clues`."""
        text = text[: self.longest]
        ids, piece = ([0], [0] * len(text)) if self._tokenizer is None else self._pieces(text)
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
        first, second = torch.from_numpy(ids), torch.from_numpy(mask)
        return Characters(
            (first, second, torch.zeros_like(first)),
            torch.from_numpy(piece),
            torch.from_numpy(clues),
            torch.from_numpy(seen),
        )

    def _pieces(self, text: str) -> tuple[list[int], list[int]]:
        before, after = self._ends
        room = self.longest - len(before) - len(after)
        ids: list[int] = list(before)
        piece: list[int] = []
        if self.units == "characters":
            for character in text:
                own = self._character(character)
                if len(ids) - len(before) + len(own) > room:
                    break
                piece.append(len(ids))
                ids += own
            return ids + after, piece
        encoded = self._tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        owner = {at: n for n, (start, end) in enumerate(encoded.offsets) for at in range(start, end)}
        last = 0
        for at in range(len(text)):
            last = owner.get(at, last)
            if last >= room:
                break
            piece.append(last + len(before))
        return ids + encoded.ids[:room] + after, piece

    def _character(self, character: str) -> list[int]:
        """The pieces of one character; sentencepiece's mark of a word's beginning is left away."""
        found = self._known.get(character)
        if found is None:
            backend = self._tokenizer.backend_tokenizer
            plain = backend.token_to_id(character)
            if plain is None:
                encoded = backend.encode(character, add_special_tokens=False)
                kept = [n for n, piece in zip(encoded.ids, encoded.tokens, strict=True) if piece != _SPACE]
                found = kept or [backend.token_to_id(_SPACE) or self._tokenizer.unk_token_id or self.filler]
            else:
                found = [plain]
            self._known[character] = found
        return found


class Tagger(nn.Module):
    """Tags by character: backbone -> the character's piece -> dropout -> linear, plus a weight for each clue.

    Args:
        backbone: Its weights are this module's own, under ``model``; None tags by clues alone (a linear model).
        tags: As `spans.tag_names` gives them.
        dropout: Before the linear layer.
        lost: Share of the clues forgotten in training, so that the words are learnt beside the lexicon.
        chain: Learn transitions between tags (CRF).
        buckets: As the reader's; 0 for no clues.
    """

    def __init__(
        self,
        backbone: Backbone | None,
        tags: Sequence[str],
        *,
        dropout: float = 0.1,
        lost: float = 0.0,
        chain: bool = True,
        buckets: int = 0,
    ) -> None:
        super().__init__()
        self.backbone, self.tags, self.lost = backbone, list(tags), lost
        self.model: nn.Module | None = backbone.model if backbone is not None else None
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(backbone.dimension, len(tags)) if backbone is not None else None
        self.clues = nn.EmbeddingBag(buckets + 1, len(tags), mode="sum", padding_idx=0) if buckets else None
        if self.clues is not None:
            nn.init.zeros_(self.clues.weight)
        self.crf = Crf(tags, learnt=chain)

    def forward(self, batch: Characters) -> Tensor:
        """Emissions, float32 (n, c, k)."""
        count, longest = batch.piece.shape
        total = torch.zeros(count, longest, len(self.tags), device=batch.piece.device)
        if self.model is not None and self.linear is not None:
            hidden = run(self.model, *batch.inputs)
            own = hidden.gather(1, batch.piece[:, :, None].expand(-1, -1, hidden.shape[2]))
            with torch.autocast(own.device.type, enabled=False):
                total = total + self.linear(self.dropout(own.float()))
        if self.clues is not None:
            known = batch.clues
            if self.training and self.lost:
                known = known.masked_fill(torch.rand(known.shape, device=known.device) < self.lost, 0)
            total = total + self.clues(known.flatten(0, 1)).view(count, longest, -1)
        return total


@dataclass(frozen=True, slots=True)
class Member:
    """A tagger, what reads for it, and how much it counts among others."""

    tagger: Tagger
    reader: Reader
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Emissions of some texts, on the CPU.

    Attributes:
        rows: Places of these texts in the caller's list.
        emissions: Of each member, float32 (n, c, k).
        seen: Bool (n, c), True at the characters that all members read.
    """

    rows: Sequence[int]
    emissions: Sequence[Tensor]
    seen: Tensor


class TextTagger:
    """Finds mentions in texts with one tagger, or with several whose scores, transitions included, are averaged.

    Args:
        members: All with the same tags.
        bf16: Compute in bfloat16 where the device is faster at it.
    """

    def __init__(self, members: Sequence[Member], *, bf16: bool = False) -> None:
        self.members = list(members)
        self.tags = list(members[0].tagger.tags)
        self._bf16 = bf16

    def tag(self, texts: Sequence[str], batch: int = 64) -> list[list[Mention]]:
        """The mentions of each text, in order of their place."""
        found: list[list[Mention]] = [[] for _ in texts]
        for part in scored(self.members, texts, batch, bf16=self._bf16):
            for row, mentions in zip(part.rows, decoded(self.members, part), strict=True):
                found[row] = mentions
        return found


def scored(members: Sequence[Member], texts: Sequence[str], batch: int = 64, *, bf16: bool = False) -> Iterator[Scores]:
    """Emissions of all members for texts that have a character at all, those of similar length together."""
    order = sorted((at for at, text in enumerate(texts) if text), key=lambda at: -len(texts[at]))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        parts = [_emissions(member, [texts[at] for at in rows], bf16=bf16) for member in members]
        shortest = min(seen.shape[1] for _, seen in parts)  # readers may cut long texts at different places
        seen = torch.stack([own[:, :shortest] for _, own in parts]).all(dim=0)
        yield Scores(rows, [emissions[:, :shortest] for emissions, _ in parts], seen)


def decoded(members: Sequence[Member], scores: Scores) -> list[list[Mention]]:
    """The mentions of each text by the members' weighted scores."""
    tags = members[0].tagger.tags
    together = Crf(tags, learnt=False)
    for name, total in together.named_parameters():
        for member in members:
            total += member.weight * member.tagger.crf.get_parameter(name).detach().cpu()
    weighted = [member.weight * own for member, own in zip(members, scores.emissions, strict=True)]
    paths = together.best(torch.stack(weighted).sum(dim=0), scores.seen)
    return [from_bio([tags[tag] for tag in path]) for path in paths]


def _emissions(member: Member, texts: Sequence[str], *, bf16: bool) -> tuple[Tensor, Tensor]:
    tagger, reader = member.tagger, member.reader
    training = tagger.training
    tagger.eval()
    try:
        device = next(tagger.parameters()).device
        with torch.no_grad(), autocast(device, bf16):
            batch = reader.batch([reader.read(text) for text in texts]).to(device)
            return tagger(batch).cpu(), batch.seen.cpu()
    finally:
        tagger.train(training)


def _ends(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that go before and after a text."""
    encoded = tokenizer.backend_tokenizer.encode("a")
    places = [n for n, special in enumerate(encoded.special_tokens_mask) if not special]
    if not places:
        return list(encoded.ids), []
    return list(encoded.ids[: places[0]]), list(encoded.ids[places[-1] + 1 :])
