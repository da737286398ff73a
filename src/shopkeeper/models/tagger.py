"""Token labelling: one tag for each character of a text, from a backbone, from clues, or from both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone, run
from shopkeeper.models.characters import Characters, Reader
from shopkeeper.models.crf import Crf
from shopkeeper.models.spans import Mention, from_bio


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
            total.add_(member.weight * member.tagger.crf.get_parameter(name).detach().cpu())
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
