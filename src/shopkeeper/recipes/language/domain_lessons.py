"""What a backbone is taught by the shop's texts: for each objective a model, its examples, a held-out part and a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from torch import Tensor, nn

from shopkeeper.compute.precision import autocast
from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.lm_heads import Denoiser, LanguageModel
from shopkeeper.recipes.language.domain_texts import Related
from shopkeeper.training.batching import Batches
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, fit
from shopkeeper.training.pretraining import (
    Drawn,
    Guesses,
    Views,
    Vocabulary,
    causal,
    damaged,
    find_each_other,
    guess,
    masked,
    mean_loss,
    paired,
    twice,
)
from shopkeeper.training.texts import TokenRows, tokenise

T = TypeVar("T")
Objective = Literal["mlm", "clm", "tsdae", "simcse", "pairs"]
HELD_OUT = 0.05
"""Share of the texts that is held out; more of a small shop's, so that there are some."""
_FEWEST_HELD_OUT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainOptions:
    """What may be varied.

    Attributes:
        open_layers: Top layers of the body that learn; None for all of them.
        embeddings: Let the word embeddings learn as well, which costs much memory and time and seldom pays.
        rate: Peak learning rate of the body.
        head_rate: Multiplier of the rate for heads, which start from nothing.
        tokens: Tokens of a text.
        most: Texts at most, drawn by hash beyond that.
        hidden: Share of the words to guess (mlm).
        lost: Share of the words that a damaged text loses (tsdae).
        words: Tokens that may be guessed at most, the most frequent ones.
    """

    open_layers: int | None = None
    embeddings: bool = False
    rate: float = 5e-5
    head_rate: float = 10.0
    tokens: int = 64
    most: int = 50_000
    hidden: float = 0.15
    lost: float = 0.6
    words: int = 20_000


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to train on what.

    Attributes:
        model: Holds the body, and a head that is thrown away afterwards.
        examples: The training texts.
        exam: Batches of held-out texts, drawn once.
        loss: Of the loop, and of the exam.
        heads: Names of the fresh parts of the model, which may learn faster.
    """

    model: nn.Module
    examples: Batches[Any]
    exam: Sequence[Any]
    loss: Callable[[nn.Module, Any], Tensor]
    heads: tuple[str, ...] = ()

    @property
    def speaks(self) -> bool:
        """Does the loss measure words, so that a perplexity makes sense?"""
        return bool(self.heads)

    def learn(
        self, settings: FitSettings, seed: int, hooks: Sequence[Hook], checkpoint: Checkpoint | None = None
    ) -> FitReport:
        """Train in place."""
        device = next(self.model.parameters()).device

        def validate() -> float:
            with autocast(device, settings.bfloat16):
                return -mean_loss(self.model, self.exam, self.loss)

        return fit(
            self.model,
            self.examples,
            self.loss,
            settings,
            validate=validate,
            hooks=hooks,
            checkpoint=checkpoint,
            seed=seed,
            name="Reading the shop's texts",
        )


def lesson_of(
    base: Backbone,
    objective: Objective,
    texts: Sequence[str],
    pairs: Sequence[Related],
    size: int,
    options: DomainOptions,
) -> Lesson:
    """Everything that the objective needs, the held-out part included.

    Args:
        base: The backbone, on its device.
        objective: How to learn.
        texts: All texts.
        pairs: All pairs of texts that belong together.
        size: Texts or pairs in a batch.
        options: What may be varied.

    Raises:
        TrainingError: The backbone cannot learn in this way, or there are too few pairs.
    """
    if objective in ("mlm", "clm", "tsdae"):
        return _guessing(base, objective, texts, size, options)
    longest = min(options.tokens, base.max_length)
    if objective == "pairs":
        own, held = _parted(pairs, [pair.key for pair in pairs])
        if len(own) < 2 or len(held) < 2:
            raise TrainingError(
                f"There are {len(pairs)} pairs of texts that belong together, too few to learn from.",
                where="domain",
                cure="Import descriptions or reviews, or choose mlm.",
            )
        examples = _pairs(base, own, longest, size)
    else:
        train, other = _parted(texts, texts)
        held = [Related(text[: len(text) // 2], text[len(text) // 2 :], text) for text in other]
        lost = 0.0 if _forgetful(base.model) else 0.2
        examples = twice(tokenise(base, train, "", longest), size, base.tokenizer.all_special_ids, lost=lost)
    return Lesson(base.model, examples, _exam(_pairs(base, held, longest, size)), find_each_other(base))


def _guessing(base: Backbone, objective: Objective, texts: Sequence[str], size: int, options: DomainOptions) -> Lesson:
    longest = min(options.tokens, base.max_length)
    rows, held = (tokenise(base, part, "", longest) for part in _parted(texts, texts))
    special = frozenset(base.tokenizer.all_special_ids)
    vocabulary = Vocabulary.of(rows, without=special, most=options.words)
    if objective == "tsdae":
        model: nn.Module = Denoiser(base, vocabulary.words, vocabulary.counts, longest=longest)
        examples, exam = (damaged(part, size, vocabulary, special, lost=options.lost) for part in (rows, held))
        heads: tuple[str, ...] = ("start", "places", "project", "layer", "decoder")
    else:
        _fits(base, objective)
        model = LanguageModel(base, vocabulary.words, vocabulary.counts)
        examples, exam = (_hidden(base, part, size, vocabulary, options) for part in (rows, held))
        heads = ("decoder",)
    return Lesson(model.to(base.model.device), examples, _exam(exam), guess, heads)


def _hidden(
    base: Backbone, rows: TokenRows, size: int, vocabulary: Vocabulary, options: DomainOptions
) -> Drawn[Guesses]:
    if base.causal:
        return causal(rows, size, vocabulary)
    return masked(rows, size, vocabulary, int(base.tokenizer.mask_token_id), share=options.hidden)


def _fits(base: Backbone, objective: Objective) -> None:
    """Raises where the backbone cannot learn by this objective."""
    if (objective == "clm") != base.causal:
        raise TrainingError(
            f"{base.name} {'sees only the words before' if base.causal else 'sees the words after as well'}, "
            f"so {objective} teaches it nothing.",
            where="objective",
            cure=f"Use {'clm' if base.causal else 'mlm'}.",
        )
    if objective == "mlm" and base.tokenizer.mask_token_id is None:
        raise TrainingError(f"{base.name} has no mask token.", where="objective", cure="Use tsdae, simcse or pairs.")


def _pairs(base: Backbone, pairs: Sequence[Related], longest: int, size: int) -> Drawn[Views]:
    firsts = tokenise(base, [pair.first for pair in pairs], "query", longest)
    seconds = tokenise(base, [pair.second for pair in pairs], "passage", longest)
    return paired(firsts, seconds, size, [(pair.key,) for pair in pairs])


def _exam(batches: Drawn[T]) -> list[T]:
    """One epoch, the same for every seed."""
    return list(batches.epoch(np.random.default_rng(0)))


def _parted(rows: Sequence[T], keys: Sequence[str]) -> tuple[list[T], list[T]]:
    """Training and held-out rows; rows of one key stay together."""
    held = by_hash(keys, min(0.3, max(HELD_OUT, _FEWEST_HELD_OUT / max(1, len(rows)))), salt="domain")
    train = [row for row, out in zip(rows, held, strict=True) if not out]
    return train, [row for row, out in zip(rows, held, strict=True) if out]


def _forgetful(model: nn.Module) -> bool:
    """Does the model have dropout, so that two looks at a text differ?"""
    return any(module.p > 0 for module in model.modules() if isinstance(module, nn.Dropout))
