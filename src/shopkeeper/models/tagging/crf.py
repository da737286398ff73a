"""A linear-chain conditional random field over tags (Lafferty et al. 2001), which never breaks the rules of BIO."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from shopkeeper.models.tagging.viterbi import Chain, rules


class Crf(nn.Module):
    """Scores of whole tag sequences: emissions plus learnt transitions; what BIO forbids is out of reach.

    With `learnt` off the transitions stay zero: emissions alone decide, within the rules.

    Args:
        tags: Names of the k tags, as `spans.tag_names` gives them.
        learnt: Learn transitions.
    """

    start_rule: Tensor
    rule: Tensor

    def __init__(self, tags: Sequence[str], *, learnt: bool = True) -> None:
        super().__init__()
        count = len(tags)
        self.start = nn.Parameter(torch.zeros(count), requires_grad=learnt)
        self.end = nn.Parameter(torch.zeros(count), requires_grad=learnt)
        self.moves = nn.Parameter(torch.zeros(count, count), requires_grad=learnt)
        first, after = rules(tags)
        self.register_buffer("start_rule", torch.from_numpy(first), persistent=False)
        self.register_buffer("rule", torch.from_numpy(after), persistent=False)

    def losses(self, emissions: Tensor, tags: Tensor, seen: Tensor) -> Tensor:
        """Minus the log-likelihood of the right tags, float (n,), in nats.

        Args:
            emissions: float (n, t, k).
            tags: int64 (n, t), anything where not seen.
            seen: Bool (n, t), True at characters, False at padding on the right; the first column is True.
        """
        emissions = emissions.float()
        return self.log_partition(emissions, seen) - self._score(emissions, tags, seen)

    def log_partition(self, emissions: Tensor, seen: Tensor) -> Tensor:
        """Logarithm of the summed powers of all sequences' scores, float (n,), by the forward algorithm."""
        steps = self.moves + self.rule
        alpha = self.start + self.start_rule + emissions[:, 0]
        for place in range(1, emissions.shape[1]):
            after = torch.logsumexp(alpha[:, :, None] + steps, dim=1) + emissions[:, place]
            alpha = torch.where(seen[:, place, None], after, alpha)
        return torch.logsumexp(alpha + self.end, dim=1)

    @property
    def chain(self) -> Chain:
        """The scores as they stand, for decoding."""
        parts = (self.start + self.start_rule, self.end, self.moves + self.rule)
        return Chain(*(part.detach().float().cpu().numpy() for part in parts))

    def _score(self, emissions: Tensor, tags: Tensor, seen: Tensor) -> Tensor:
        tags = tags.masked_fill(~seen, 0)
        own = emissions.gather(2, tags[:, :, None]).squeeze(2).masked_fill(~seen, 0.0).sum(dim=1)
        steps = (self.moves + self.rule)[tags[:, :-1], tags[:, 1:]].masked_fill(~seen[:, 1:], 0.0).sum(dim=1)
        last = tags.gather(1, seen.sum(dim=1, keepdim=True) - 1).squeeze(1)
        first: Tensor = (self.start + self.start_rule)[tags[:, 0]]
        return own + steps + first + self.end[last]
