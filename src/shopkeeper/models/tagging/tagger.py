"""Token labelling: one tag for each character of a text, from a backbone, from clues, or from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone, run
from shopkeeper.models.tagging.characters import Characters, Reader
from shopkeeper.models.tagging.crf import Crf
from shopkeeper.models.tagging.viterbi import Bools, Chain
from shopkeeper.models.text import Floats


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
        device = self.crf.start.device
        piece = torch.from_numpy(batch.piece).to(device)
        count, longest = piece.shape
        total = torch.zeros(count, longest, len(self.tags), device=device)
        if self.model is not None and self.linear is not None:
            ids, mask = (torch.from_numpy(part).to(device) for part in (batch.ids, batch.mask))
            hidden = run(self.model, ids, mask, torch.zeros_like(ids))
            own = hidden.gather(1, piece[:, :, None].expand(-1, -1, hidden.shape[2]))
            with torch.autocast(device.type, enabled=False):
                total = total + self.linear(self.dropout(own.float()))
        if self.clues is not None:
            known = torch.from_numpy(batch.clues).to(device)
            if self.training and self.lost:
                known = known.masked_fill(torch.rand(known.shape, device=device) < self.lost, 0)
            total = total + self.clues(known.flatten(0, 1)).view(count, longest, -1)
        return total


@dataclass(frozen=True, slots=True)
class TorchMember:
    """A `text_tagger.Member` in PyTorch.

    Attributes:
        tagger: The model.
        reader: What reads for it.
        weight: How much it counts among others.
        bf16: Compute in bfloat16 where the device is faster at it.
    """

    tagger: Tagger
    reader: Reader
    weight: float = 1.0
    bf16: bool = False

    @property
    def name(self) -> str:
        """``backbone`` or ``linear``."""
        return "linear" if self.tagger.backbone is None else "backbone"

    @property
    def tags(self) -> Sequence[str]:
        """The tags."""
        return self.tagger.tags

    @property
    def chain(self) -> Chain:
        """What tags score at the ends and after one another."""
        return self.tagger.crf.chain

    def emissions(self, texts: Sequence[str]) -> tuple[Floats, Bools]:
        """See `text_tagger.Member.emissions`."""
        training = self.tagger.training
        self.tagger.eval()
        try:
            batch = self.reader.batch([self.reader.read(text) for text in texts])
            with torch.no_grad(), autocast(self.tagger.crf.start.device, self.bf16):
                return self.tagger(batch).float().cpu().numpy(), batch.seen
        finally:
            self.tagger.train(training)
