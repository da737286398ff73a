"""A linear-chain conditional random field over tags (Lafferty et al. 2001), which never breaks the rules of BIO."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_NEVER = -1e4


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
        allowed = torch.tensor([[_may_follow(one, other) for other in tags] for one in ["O", *tags]])
        rules = torch.where(allowed, 0.0, _NEVER)
        self.register_buffer("start_rule", rules[0], persistent=False)
        self.register_buffer("rule", rules[1:], persistent=False)

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

    def best(self, emissions: Tensor, seen: Tensor) -> list[list[int]]:
        """The likeliest sequence of each row, by Viterbi's algorithm; as long as the row has characters."""
        emissions = emissions.detach().float()
        steps = (self.moves + self.rule).detach()
        alpha = (self.start + self.start_rule).detach() + emissions[:, 0]
        back: list[Tensor] = []
        for place in range(1, emissions.shape[1]):
            after, before = (alpha[:, :, None] + steps).max(dim=1)
            alpha = torch.where(seen[:, place, None], after + emissions[:, place], alpha)
            back.append(before)
        last = (alpha + self.end.detach()).argmax(dim=1).tolist()
        table = torch.stack(back).tolist() if back else []
        return [_trace(table, row, tag, int(seen[row].sum())) for row, tag in enumerate(last)]

    def _score(self, emissions: Tensor, tags: Tensor, seen: Tensor) -> Tensor:
        tags = tags.masked_fill(~seen, 0)
        own = emissions.gather(2, tags[:, :, None]).squeeze(2).masked_fill(~seen, 0.0).sum(dim=1)
        steps = (self.moves + self.rule)[tags[:, :-1], tags[:, 1:]].masked_fill(~seen[:, 1:], 0.0).sum(dim=1)
        last = tags.gather(1, seen.sum(dim=1, keepdim=True) - 1).squeeze(1)
        first: Tensor = (self.start + self.start_rule)[tags[:, 0]]
        return own + steps + first + self.end[last]


def _may_follow(one: str, other: str) -> bool:
    """May tag `other` come after tag `one`? Only an I is choosy: it continues a B or an I of its kind."""
    return not other.startswith("I-") or (one != "O" and one[2:] == other[2:])


def _trace(back: list[list[list[int]]], row: int, tag: int, length: int) -> list[int]:
    path = [tag]
    for place in range(length - 2, -1, -1):
        path.append(back[place][row][path[-1]])
    return path[::-1]
