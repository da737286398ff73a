"""Learning from texts without labels: each way is batches for the loop and a plain loss.

- `masked`: some words are hidden and have to be guessed (BERT, Devlin et al. 2019), drawn anew in every epoch.
- `causal`: every next word has to be guessed (GPT).
- `damaged`: the whole text from the vector of a damaged copy (TSDAE, Wang et al. 2021).
- `twice`: two looks at a text, through two dropouts, have to find each other (SimCSE, Gao et al. 2021).
- `paired`: two texts that belong together have to find each other: title and description, review and item.

The first three end in `guess`, the last two in `find_each_other`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shopkeeper.models.backbone import Backbone
from shopkeeper.training.batching import Buckets, Ints, pad
from shopkeeper.training.objectives import info_nce
from shopkeeper.training.texts import TokenRows

T = TypeVar("T")
Inputs = tuple[Tensor, ...]
HIDDEN, SWAPPED = 0.8, 0.1
"""Of the words to guess: share behind the mask, share replaced by another word; the rest stays as it is."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that some texts hold, most frequent first: what may be guessed.

    Attributes:
        words: int64 (v,), token numbers.
        counts: float32 (v,), how often each occurs.
    """

    words: Tensor
    counts: Tensor

    @classmethod
    def of(cls, rows: TokenRows, *, without: Collection[int] = (), most: int = 20_000) -> Vocabulary:
        """The `most` most frequent tokens of `rows`, leaving out those of `without` (special ones)."""
        found = Counter(token for row in rows.ids for token in row)
        for token in without:
            found.pop(token, None)
        kept = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
        return cls(
            torch.tensor([token for token, _ in kept], dtype=torch.int64),
            torch.tensor([float(count) for _, count in kept], dtype=torch.float32),
        )

    def __len__(self) -> int:
        return len(self.words)

    def place(self, ids: Tensor) -> Tensor:
        """Token numbers, int64 of any shape, to places in `words`; -1 for tokens that are not among them."""
        highest = int(torch.cat([ids.flatten(), self.words]).max())
        table = torch.full((highest + 1,), -1, dtype=torch.int64)
        table[self.words] = torch.arange(len(self.words))
        return table[ids]


@dataclass(frozen=True, slots=True)
class Guesses:
    """A batch of words to guess.

    Attributes:
        inputs: The arguments of the model before `at`.
        at: int64 (m,), places in the flattened texts whose vectors guess.
        wanted: int64 (m,), places in the vocabulary.
    """

    inputs: Inputs
    at: Tensor
    wanted: Tensor


@dataclass(frozen=True, slots=True)
class Views:
    """A batch of texts seen twice, or of pairs of texts; row i of one belongs to row i of the other."""

    first: Inputs
    second: Inputs


L = TypeVar("L", Guesses, Views)


class Drawn(Generic[T]):
    """Batches made anew in every epoch: `make` gets example numbers and the generator of the epoch.

    Args:
        lengths: int (n,), tokens of each example.
        size: Examples in a batch.
        make: Example numbers and randomness -> a batch.
        keys: See `Buckets`.
        share: Share of the examples that one epoch goes through.
    """

    def __init__(
        self,
        lengths: Ints,
        size: int,
        make: Callable[[Ints, np.random.Generator], T],
        keys: Sequence[Sequence[Hashable]] = (),
        share: float = 1.0,
    ) -> None:
        self._make = make
        self._rows: Buckets[Ints] = Buckets(lengths, size, lambda chosen: chosen, keys, share)

    def __len__(self) -> int:
        return len(self._rows)

    def epoch(self, rng: np.random.Generator) -> Iterator[T]:
        """One pass."""
        own = np.random.default_rng(int(rng.integers(2**63)))
        for chosen in self._rows.epoch(rng):
            yield self._make(chosen, own)


def masked(
    rows: TokenRows, size: int, vocabulary: Vocabulary, mask: int, *, share: float = 0.15, epoch: float = 1.0
) -> Drawn[Guesses]:
    """Texts in which a share of the words is to be guessed: 80 % masked, 10 % swapped, 10 % left as they are.

    Args:
        rows: The texts.
        size: Texts in a batch.
        vocabulary: Only its words are hidden.
        mask: Token number of the mask.
        share: Share of the words to guess.
        epoch: Share of the texts that one epoch goes through.
    """

    def make(chosen: Ints, rng: np.random.Generator) -> Guesses:
        ids, seen, types = rows.batch(chosen)
        places = vocabulary.place(ids).masked_fill(seen == 0, -1)
        able = places >= 0
        drawn = torch.from_numpy(rng.random(ids.shape)).masked_fill(~able, 2.0)
        hidden = drawn < share
        if not bool(hidden.any()) and bool(able.any()):
            hidden.view(-1)[drawn.argmin()] = True
        fate = torch.from_numpy(rng.random(ids.shape))
        other = vocabulary.words[torch.from_numpy(rng.integers(len(vocabulary), size=ids.shape))]
        ids = torch.where(hidden & (fate < HIDDEN), torch.tensor(mask), ids)
        ids = torch.where(hidden & (fate >= HIDDEN) & (fate < HIDDEN + SWAPPED), other, ids)
        return Guesses((ids, seen, types), hidden.flatten().nonzero().squeeze(1), places[hidden])

    return Drawn(rows.lengths, size, make, share=epoch)


def causal(rows: TokenRows, size: int, vocabulary: Vocabulary, *, epoch: float = 1.0) -> Drawn[Guesses]:
    """Texts in which every next word of the vocabulary is to be guessed."""

    def make(chosen: Ints, _: np.random.Generator) -> Guesses:
        inputs = rows.batch(chosen)
        return Guesses(inputs, *_coming(inputs[0], inputs[1], vocabulary))

    return Drawn(rows.lengths, size, make, share=epoch)


def damaged(
    rows: TokenRows,
    size: int,
    vocabulary: Vocabulary,
    special: Collection[int] = (),
    *,
    lost: float = 0.6,
    epoch: float = 1.0,
) -> Drawn[Guesses]:
    """Texts that lose a share of their words; the whole text is to be guessed from what remains."""

    def make(chosen: Ints, rng: np.random.Generator) -> Guesses:
        ids, seen, _ = rows.batch(chosen)
        return Guesses((*_thinned(rows, chosen, lost, special, rng), ids, seen), *_coming(ids, seen, vocabulary))

    return Drawn(rows.lengths, size, make, share=epoch)


def twice(
    rows: TokenRows, size: int, special: Collection[int] = (), *, lost: float = 0.0, epoch: float = 1.0
) -> Drawn[Views]:
    """Each text twice. The two differ by the model's dropout, and by a share of lost words for models without any."""

    def make(chosen: Ints, rng: np.random.Generator) -> Views:
        return Views(rows.batch(chosen), _thinned(rows, chosen, lost, special, rng))

    return Drawn(rows.lengths, size, make, share=epoch)


def paired(
    firsts: TokenRows, seconds: TokenRows, size: int, keys: Sequence[Sequence[Hashable]] = (), *, epoch: float = 1.0
) -> Drawn[Views]:
    """Pairs of texts that belong together; pairs with a key in common never meet in a batch."""

    def make(chosen: Ints, _: np.random.Generator) -> Views:
        return Views(firsts.batch(chosen), seconds.batch(chosen))

    return Drawn(firsts.lengths + seconds.lengths, size, make, keys, epoch)


def guess(model: nn.Module, batch: Guesses) -> Tensor:
    """Mean cross-entropy of the words to guess, in nats; 0 where a batch has none."""
    device = next(model.parameters()).device
    logits = model(*(part.to(device) for part in batch.inputs), batch.at.to(device))
    return functional.cross_entropy(logits, batch.wanted.to(device), reduction="sum") / max(1, len(batch.wanted))


def find_each_other(backbone: Backbone, *, scale: float = 20.0) -> Callable[[nn.Module, Views], Tensor]:
    """A loss: row i of one side has to find row i of the other among all rows, and the other way round.

    Args:
        backbone: Pools; its weights are those that the loop trains.
        scale: Inverse temperature of the cosine.
    """

    def loss(_: nn.Module, batch: Views) -> Tensor:
        device = backbone.model.device
        first, second = (backbone.vectors(*(part.to(device) for part in side)) for side in (batch.first, batch.second))
        return info_nce(first, second, scale=scale)

    return loss


def mean_loss(model: nn.Module, batches: Iterable[L], loss: Callable[[nn.Module, L], Tensor]) -> float:
    """Mean of `loss` over batches, each counting as much as it has words to guess or pairs."""
    total = weight = 0.0
    with torch.no_grad():
        for batch in batches:
            count = len(batch.wanted) if isinstance(batch, Guesses) else len(batch.first[0])
            total += float(loss(model, batch)) * count
            weight += count
    return total / max(1.0, weight)


def _coming(ids: Tensor, seen: Tensor, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Places whose next token is a word of the vocabulary, flattened, and which word that is."""
    following = torch.full_like(ids, -1)
    following[:, :-1] = vocabulary.place(ids[:, 1:]).masked_fill(seen[:, 1:] == 0, -1)
    known = following >= 0
    return known.flatten().nonzero().squeeze(1), following[known]


def _thinned(
    rows: TokenRows, chosen: Ints, lost: float, special: Collection[int], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Texts without a random share of their tokens; special tokens stay, and so does at least one other."""
    if lost <= 0:
        return rows.batch(chosen)
    thin: list[list[int]] = []
    for number in chosen:
        ids = rows.ids[int(number)]
        words = [place for place, token in enumerate(ids) if token not in special]
        gone = set(rng.permutation(words)[: min(round(lost * len(words)), len(words) - 1)].tolist()) if words else set()
        thin.append([token for place, token in enumerate(ids) if place not in gone])
    tokens = pad(thin, rows.filler)
    return tokens.ids, tokens.mask, torch.zeros_like(tokens.ids)
