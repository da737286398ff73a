"""Contrastive teaching of an encoder: right items against the batch's others and against hard negatives.

`teach` fine-tunes, `Exam` measures: each validation query has to find its item among those that do not answer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.adapters import Adapter, adapt
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.text import Encoder
from shopkeeper.recipes.search.negatives import mined, near_misses
from shopkeeper.recipes.search.pairs import Answers, Pair
from shopkeeper.records import Item
from shopkeeper.training.adapting import adapter_hooks
from shopkeeper.training.batching import Buckets, Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.freezing import layer_count, open_top
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, fit
from shopkeeper.training.objectives import info_nce
from shopkeeper.training.texts import TokenRows, tokenise
from shopkeeper.training.trunk import Trunk, pays

_SPREAD = 2.5  # wanted standard deviation of the logits of unrelated pairs, which sets the temperature


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceOptions:
    """What may be varied. The defaults suit two CPU cores and some minutes.

    Attributes:
        open_share: Share of the layers, from the top, that learns; 1 frees the embeddings as well.
        rate: Peak learning rate.
        query_tokens: Tokens that a query is cut to.
        item_tokens: Tokens that an item is cut to, in training and afterwards.
        negatives: Hard negatives by shared words (``near``), by the encoder's own mistakes (``mined``), or none.
        catalogue_share: Made-up pairs for each pair from behaviour, when there is behaviour.
        per_item: Made-up queries for each item, when there is none.
        most_pairs: Pairs that training looks at, drawn at random beyond that.
        most_items: Items that training looks at, drawn at random beyond that.
        pool: Items among which a validation query has to find its own.
        exam: Validation pairs.
        debias: Weigh behaviour by how seldom its place in the list is looked at.
        halfway: Where only made-up queries teach, the share of the way from the old weights to the new ones that is
            gone in the end (WiSE-FT, Wortsman et al. 2022): they are not what customers type, and the old model's
            sense of what belongs together is worth half. Not with an adapter, whose parts do not add up that way.
        tuned: Which of these a search chose.
    """

    open_share: float = 1 / 3
    rate: float = 2e-4
    query_tokens: int = 24
    item_tokens: int = 48
    negatives: Literal["near", "mined", "none"] = "near"
    catalogue_share: float = 0.3
    per_item: int = 1
    most_pairs: int = 50_000
    most_items: int = 50_000
    pool: int = 2_000
    exam: int = 400
    debias: bool = False
    halfway: float = 0.5
    tuned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lessons:
    """What to learn from and what to be examined on.

    Attributes:
        train: Pairs to learn.
        valid: Pairs of a later time, or of items held out.
        items: Items by id, all that pairs refer to.
        counts: How many pairs of each source there are, for the card.
        made_up: Whether the catalogue alone teaches.
    """

    train: list[Pair]
    valid: list[Pair]
    items: dict[str, Item]
    counts: Mapping[str, int]
    made_up: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What an exam found: one value for each validation pair."""

    reciprocal_rank: NDArray[np.float64]
    recall: NDArray[np.float64]

    def summary(self) -> dict[str, Any]:
        """Means with 95 % bootstrap intervals."""
        found: dict[str, Any] = {}
        for name, values in (("mrr", self.reciprocal_rank), ("recall@10", self.recall)):
            low, high = bootstrap_interval(values)
            found[name] = {"value": float(values.mean()), "low": low, "high": high}
        return found


class Exam:
    """Each validation query has to find its item among a pool of items that do not answer it."""

    def __init__(self, lessons: Lessons, answers: Answers, options: RelevanceOptions, rng: np.random.Generator) -> None:
        self.queries = [pair.query for pair in lessons.valid]
        wanted = list(dict.fromkeys(pair.item for pair in lessons.valid))
        others = [item for item in lessons.items if item not in set(wanted)]
        extra = rng.permutation(len(others))[: max(0, options.pool - len(wanted))]
        self.pool = wanted + [others[place] for place in extra]
        self.texts = [lessons.items[item].passage for item in self.pool]
        place = {item: row for row, item in enumerate(self.pool)}
        self.own = np.array([place[pair.item] for pair in lessons.valid], dtype=np.int64)
        self._also = answers.table(self.queries, self.pool)
        self._also[np.arange(len(self.own)), self.own] = False

    def mark(self, encoder: Encoder) -> Marks:
        """Examine an encoder."""
        scores = encoder.encode(self.queries, side="query") @ encoder.encode(self.texts).T
        own = scores[np.arange(len(self.own)), self.own][:, None]
        above = ((scores > own) & ~self._also).sum(axis=1)
        ties = ((scores == own) & ~self._also).sum(axis=1) - 1
        ranks = 1 + above + ties / 2
        return Marks(1.0 / ranks, (ranks <= 10).astype(np.float64))


def teach(
    backbone: Backbone,
    lessons: Lessons,
    answers: Answers,
    exam: Exam,
    settings: FitSettings,
    options: RelevanceOptions,
    *,
    batch: int,
    seed: int,
    adapter: Adapter | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
) -> tuple[Marks, Marks, FitReport]:
    """Fine-tune `backbone` in place; returns its marks before and after, and what happened."""
    encoder = TorchEncoder(backbone, bf16=settings.bfloat16)
    rng = np.random.default_rng(seed)
    found = _Found()

    def validate() -> float:
        return found.note(exam.mark(encoder))

    if adapter is not None:
        adapt(backbone, adapter)
    else:
        _open(backbone.model, options.open_share)
    wrong = _wrong_items(lessons, answers, encoder, options, rng)
    scale = _SPREAD / max(1e-3, _cosine_spread(encoder, exam.texts))
    examples = _Pairs(backbone, lessons, answers, wrong, options)
    buckets = Buckets(examples.lengths, batch, examples.collate, keys=[(pair.item,) for pair in lessons.train])

    trunks: list[Trunk] = []  # of queries and of passages, where one epoch leaves something for the next

    def vectors(side: int, rows: Ints) -> Tensor:
        inputs = examples.sides[side].batch(rows)
        with trunks[side].using(rows) if trunks else nullcontext():
            return backbone.vectors(*(part.to(backbone.model.device) for part in inputs))

    def loss(_: nn.Module, pairs: _Batch) -> Tensor:
        queries, passages = vectors(0, pairs.queries), vectors(1, pairs.passages)
        also, weights = pairs.also_right.to(queries.device), pairs.weights.to(queries.device)
        return info_nce(queries, passages, scale=scale, also_right=also, weights=weights)

    old = [(p, p.detach().clone()) for p in backbone.model.parameters() if p.requires_grad]
    with ExitStack() as stack:
        if settings.epochs > 1 and pays(backbone, *examples.sides):
            kept = (Trunk(backbone, texts, bfloat16=settings.bfloat16) for texts in examples.sides)
            trunks.extend(stack.enter_context(trunk.attached()) for trunk in kept)
        report = fit(
            backbone.model,
            buckets,
            loss,
            settings,
            validate=validate,
            hooks=[found, *trunks, *adapter_hooks(backbone), *hooks],
            checkpoint=checkpoint,
            seed=seed,
            name="Teaching the encoder the shop's words",
        )
    if lessons.made_up and adapter is None and options.halfway < 1 and report.best_step > 0:
        with torch.no_grad():
            for parameter, before in old:
                parameter.copy_(before.lerp(parameter, options.halfway))
        return found.before, exam.mark(encoder), report
    return found.before, found.best, report


class _Found(Hook):
    """What the first validation found and what the best one did, which is of the state that is kept."""

    def __init__(self) -> None:
        self._marks: list[Marks] = []

    @property
    def before(self) -> Marks:
        return self._marks[0]

    @property
    def best(self) -> Marks:
        return self._marks[-1]

    def note(self, marks: Marks) -> float:
        """Take a validation in; its mean reciprocal rank is the score."""
        score = float(marks.reciprocal_rank.mean())
        if not self._marks:
            self._marks = [marks, marks]
        elif score > float(self.best.reciprocal_rank.mean()):
            self._marks[1] = marks
        return score

    def state(self) -> Mapping[str, Tensor]:
        """Both."""
        pairs = enumerate(self._marks)
        return {str(n): torch.from_numpy(np.stack([own.reciprocal_rank, own.recall])) for n, own in pairs}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with them."""
        self._marks = [Marks(*state[name].numpy()) for name in sorted(state)]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Numbers of the texts on both sides of some pairs, and which answers are right."""

    queries: Ints
    passages: Ints
    also_right: Tensor
    weights: Tensor
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"queries {list(self.names)}"


class _Pairs:
    """The training pairs as tokens, each text once, and how some of them become a batch.

    Attributes:
        sides: The queries, and the passages.
    """

    def __init__(
        self,
        backbone: Backbone,
        lessons: Lessons,
        answers: Answers,
        wrong: Sequence[str | None],
        options: RelevanceOptions,
    ) -> None:
        self._pairs, self._answers, self._wrong = lessons.train, answers, wrong
        right = [(pair.item, pair.query == lessons.items[pair.item].title) for pair in lessons.train]
        used = list(dict.fromkeys(right + [(item, False) for item in wrong if item]))
        self._place = {passage: row for row, passage in enumerate(used)}
        self._right = np.array([self._place[passage] for passage in right], dtype=np.int64)
        asked = list(dict.fromkeys(pair.query for pair in lessons.train))
        number = {query: row for row, query in enumerate(asked)}
        self._asked = np.array([number[pair.query] for pair in lessons.train], dtype=np.int64)
        texts = [_passage(lessons.items[item], rest) for item, rest in used]
        self.sides: tuple[TokenRows, TokenRows] = (
            tokenise(backbone, asked, "query", options.query_tokens),
            tokenise(backbone, texts, "passage", options.item_tokens),
        )

    @property
    def lengths(self) -> Ints:
        """int64 (n,), tokens of each pair's item: the longer side."""
        lengths: Ints = self.sides[1].lengths[self._right]
        return lengths

    def collate(self, chosen: Ints) -> _Batch:
        pairs = [self._pairs[row] for row in chosen]
        own = [pair.item for pair in pairs]
        wrong = dict.fromkeys(item for row in chosen if (item := self._wrong[row]) is not None)
        extra = [item for item in wrong if item not in set(own)]
        queries = [pair.query for pair in pairs]
        return _Batch(
            queries=self._asked[chosen],
            passages=np.array([*self._right[chosen], *(self._place[item, False] for item in extra)], dtype=np.int64),
            also_right=torch.from_numpy(self._answers.table(queries, own + extra)),
            weights=torch.tensor([pair.weight for pair in pairs], dtype=torch.float32),
            names=tuple(queries),
        )


def _passage(item: Item, rest: bool) -> str:
    """What a query has to find: the item's text, or the rest of it when the query is the title itself."""
    return replace(item, title="").passage.removeprefix(". ") if rest else item.passage


def _wrong_items(
    lessons: Lessons, answers: Answers, encoder: Encoder, options: RelevanceOptions, rng: np.random.Generator
) -> Sequence[str | None]:
    if options.negatives == "near":
        return near_misses(lessons.train, answers, rng)
    if options.negatives == "mined":
        names = [list(lessons.items)[row] for row in rng.permutation(len(lessons.items))[: options.pool]]
        return mined(lessons.train, answers, encoder, names, [lessons.items[name].text for name in names], rng)
    return [None] * len(lessons.train)


def _open(model: nn.Module, share: float) -> None:
    open_top(model, None if share >= 1 else max(1, round(share * layer_count(model))))


def _cosine_spread(encoder: Encoder, texts: Sequence[str]) -> float:
    """Standard deviation of the cosine of unrelated texts: small for models that crowd all texts together."""
    vectors = encoder.encode(texts[:200])
    cosines = vectors @ vectors.T
    return float(cosines[np.triu_indices(len(vectors), 1)].std()) if len(vectors) > 2 else 0.1
