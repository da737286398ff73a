"""Token labelling: batches of texts with tags, and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shopkeeper.models.tagging.characters import Characters, Reader
from shopkeeper.models.tagging.spans import Mention, to_bio
from shopkeeper.models.tagging.tagger import Tagger
from shopkeeper.training.batching import Buckets, Ints


@dataclass(frozen=True, slots=True)
class Marked:
    """Texts with the mentions in them, in order of their place."""

    texts: Sequence[str]
    mentions: Sequence[Sequence[Mention]]

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A batch of texts with their tags, int64 (n, c), 0 at padding."""

    characters: Characters
    tags: Tensor


def tagged(reader: Reader, marked: Marked, tags: Sequence[str], size: int) -> Buckets[Tagged]:
    """Batches of at most `size` training texts; each is read as if the lexicon had not seen it."""
    place = {tag: number for number, tag in enumerate(tags)}
    readings = [reader.read(text, own) for text, own in zip(marked.texts, marked.mentions, strict=True)]
    wanted = [
        [place[tag] for tag in to_bio(len(reading.piece), own)]
        for reading, own in zip(readings, marked.mentions, strict=True)
    ]

    def collate(chosen: Ints) -> Tagged:
        characters = reader.batch([readings[int(row)] for row in chosen])
        table = torch.zeros(characters.piece.shape, dtype=torch.int64)
        for at, row in enumerate(chosen):
            own = wanted[int(row)]
            table[at, : len(own)] = torch.tensor(own, dtype=torch.int64)
        return Tagged(characters, table)

    return Buckets([len(reading.ids) + len(reading.piece) for reading in readings], size, collate)


def tagging(model: nn.Module, batch: Tagged) -> Tensor:
    """Mean over characters of minus the log-likelihood of the right tags.

    With learnt transitions that is the CRF's; without, each character is judged by itself (cross-entropy).
    """
    assert isinstance(model, Tagger)
    emissions = model(batch.characters)
    tags, seen = batch.tags.to(emissions.device), torch.from_numpy(batch.characters.seen).to(emissions.device)
    if model.crf.moves.requires_grad:
        return model.crf.losses(emissions, tags, seen).sum() / seen.sum()
    return nn.functional.cross_entropy(emissions[seen], tags[seen])
