"""A linear tagger: a weight for every clue and tag, learnt as a CRF. Strong where titles are short, and done in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch

from shopkeeper.evaluation.spans import Counts, micro_f1, span_counts
from shopkeeper.models.tagging.characters import Reader
from shopkeeper.models.tagging.clues import Lexicon
from shopkeeper.models.tagging.tagger import Tagger, TorchMember
from shopkeeper.models.tagging.text_tagger import TextTagger
from shopkeeper.training.loop import FitReport, FitSettings, fit
from shopkeeper.training.optimisers import Group, constant
from shopkeeper.training.tagging import Marked, tagged, tagging

FEW: Final = 2_000
"""Texts below which a tagger passes over them more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearOptions:
    """What may be varied. Measured on 6,000 titles: more epochs or a higher rate only overfit. A few texts need both.

    Attributes:
        rate: Of Adagrad, which gives rare clues larger steps.
        epochs: Passes over the texts at most.
        buckets: Clues told apart.
        batch: Texts in a batch.
        patience: Passes without a better score on the development texts.
    """

    rate: float = 0.1
    epochs: int = 3
    buckets: int = 2**19
    batch: int = 64
    patience: int = 2

    @classmethod
    def for_texts(cls, count: int) -> LinearOptions:
        """For so many texts: below `FEW`, three passes are no more than a handful of steps."""
        return cls() if count >= FEW else cls(rate=0.5, epochs=30, buckets=2**16, batch=8, patience=30)


def adagrad(groups: list[Group]) -> torch.optim.Optimizer:
    """Adagrad (Duchi et al. 2011): every weight has a rate of its own, which falls with the steps it has made."""
    return torch.optim.Adagrad(groups)


def train_linear(
    train: Marked,
    dev: Marked,
    tags: list[str],
    *,
    lexicon: Lexicon | None,
    minutes: float = 5.0,
    seed: int = 0,
    options: LinearOptions | None = None,
) -> tuple[TorchMember, FitReport]:
    """Learn a linear tagger, stopping early by span F1 on `dev`; `options` are those for so many texts when None."""
    options = options or LinearOptions.for_texts(len(train))
    reader = Reader(None, lexicon=lexicon, windows=True, buckets=options.buckets)
    member = TorchMember(Tagger(None, tags, buckets=options.buckets), reader)
    settings = FitSettings(
        epochs=options.epochs,
        minutes=minutes,
        rate=options.rate,
        weight_decay=0.0,
        optimiser=adagrad,
        schedule=constant,
        bfloat16=False,
        patience=options.patience,
    )
    with _one_thread():
        report = fit(
            member.tagger,
            tagged(reader, train, tags, options.batch),
            tagging,
            settings,
            validate=lambda: micro_f1(counts(TextTagger([member]), dev)),
            seed=seed,
            name="Learning the clues to mentions",
        )
    return member, report


def counts(tagger: TextTagger, marked: Marked) -> Counts:
    """Right, invented and missed mentions of each text, int64 (n, 3)."""
    return span_counts(marked.mentions, tagger.tag(marked.texts))


@contextmanager
def _one_thread() -> Iterator[None]:
    """The steps are many and small: on a busy machine, threads would mostly wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
