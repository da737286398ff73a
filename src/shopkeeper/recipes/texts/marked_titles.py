"""The tagger from a shop's own file of marked titles: eight tenths teach, one chooses, one is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.serving import STATIC
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.techniques import with_techniques
from shopkeeper.recipes.texts.tagger import TaggerOptions, train_tagger
from shopkeeper.settings import Settings
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.marks import read_marks
from shopkeeper.training.tagging import Marked

TAGGER = "tagger"
"""Finds mentions in titles; learns only from marked titles, so only when asked for."""
_LEAST = 30


def marked_titles(settings: Settings) -> Marked:
    """The titles in the file that the setting ``train.marks`` names.

    Raises:
        TrainingError: No file is named, or it holds too few titles.
        InputError: The file is wrong; says in which line.
    """
    if not settings.train.marks:
        raise TrainingError(
            "No file of marked titles is named.", where="train.marks", cure="Run: shopkeeper train tagger --marks FILE"
        )
    path = Path(settings.train.marks)
    marked = read_marks(path)
    if len(marked) < _LEAST:
        raise TrainingError(
            f"There are {len(marked)} different marked titles; learning needs {_LEAST}.",
            where=str(path),
            cure="Mark more titles.",
        )
    return marked


def train_marked(
    marked: Marked,
    settings: Settings,
    folder: Path,
    *,
    minutes: float | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
) -> Bundle:
    """Learn from marked titles, and save the tagger as a bundle.

    Of the settings of training, minutes, epochs, rate, adversarial and average count; an encoder that cannot be
    fine-tuned leaves the linear tagger alone.

    Args:
        marked: As `marked_titles` reads them.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        hooks: Such as tracking.
        checkpoint: Where the state of the run is kept.

    Raises:
        TrainingError: No title has a mention.
    """
    train, dev, test = parted(marked)
    usual = TaggerOptions()
    own = [make() for make in with_techniques(Method(), settings.train).hooks]
    return train_tagger(
        train,
        dev,
        settings,
        folder,
        minutes=minutes,
        options=replace(usual, body=settings.models.encoder != STATIC, rate=settings.train.rate or usual.rate),
        hooks=[*own, *hooks],
        test=test,
        checkpoint=checkpoint,
    )


def parted(marked: Marked) -> tuple[Marked, Marked, Marked]:
    """Eight tenths, a tenth and a tenth, by hash of the title: a title stays on its side whatever is added to the file."""
    test = by_hash(marked.texts, 0.1, salt="marks")
    dev = by_hash(marked.texts, 0.2, salt="marks") & ~test
    if not test.any() or not dev.any():  # a small file: the first two by hash
        order = sorted(
            range(len(marked)), key=lambda row: blake2b(marked.texts[row].encode("utf-8", "replace")).digest()
        )
        test, dev = (np.arange(len(marked)) == order[place] for place in (0, 1))
    first, second, third = (
        Marked([marked.texts[row] for row in rows], [marked.mentions[row] for row in rows])
        for rows in (np.flatnonzero(side).tolist() for side in (~test & ~dev, dev, test))
    )
    return first, second, third
