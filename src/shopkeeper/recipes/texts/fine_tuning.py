"""One fine-tuning of a classifier from start to end, and several of them whose answers teach one more."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shopkeeper.models.heads import Classifier
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.recipes.texts.few_labels import gather
from shopkeeper.training.augmentation import augmented
from shopkeeper.training.checkpoints import Checkpoint, part_of
from shopkeeper.training.distillation import answers, taught
from shopkeeper.training.ensembles import logits_average, over_seeds
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport
from shopkeeper.training.texts import tokenise

Ints = NDArray[np.int64]


def fine_tune(
    classifier: Classifier,
    texts: Sequence[str],
    labels: Ints,
    method: Method,
    *,
    names: Sequence[str],
    minutes: float,
    seed: int,
    unlabelled: Sequence[str] = (),
    teacher: Tensor | None = None,
    validate: Callable[[], float] | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    name: str = "Learning",
) -> FitReport:
    """Contrast and a solved head where the method has them, then cross-entropy where it has epochs; in place.

    Args:
        classifier: As `Classifier` made it: neither opened nor with an adapter.
        texts: n texts.
        labels: int64 (n,).
        method: How; its `members` and `refit` are the caller's business.
        names: Of the classes.
        minutes: Wall-time budget.
        seed: Of everything random.
        unlabelled: See `few_labels.gather`.
        teacher: float32 (n, k), logits to follow beside the labels, e.g. of `ensemble_answers`; takes the place of R-Drop
            and mixup.
        validate: Score of the classifier as it stands, higher is better.
        hooks: More hooks, such as tracking.
        checkpoint: Where the state of the run is kept.
        name: What the progress bar calls it.
    """
    report = gather(
        classifier,
        texts,
        labels,
        names,
        method,
        unlabelled=unlabelled,
        minutes=minutes,
        seed=seed,
        checkpoint=part_of(checkpoint, "contrast"),
    )
    if method.epochs == 0:
        return report
    prepare(classifier, method)
    if method.augment is not None:
        variants, rows = augmented(texts, method.augment, 1, np.random.default_rng(seed))
        texts, labels = [*texts, *variants], np.concatenate([labels, labels[rows]])
        teacher = None if teacher is None else torch.cat([teacher, teacher[rows]])
    return teach(
        classifier,
        Lesson(tokenise(classifier.backbone, texts, "", method.tokens), labels),
        method,
        loss=None if teacher is None else taught(method.criterion(), teacher),
        minutes=minutes,
        seed=seed,
        validate=validate,
        hooks=hooks,
        checkpoint=part_of(checkpoint, "classes"),
        name=name,
    )


def ensemble_answers(
    start: Classifier,
    texts: Sequence[str],
    labels: Ints,
    asked: Sequence[str],
    method: Method,
    *,
    names: Sequence[str],
    minutes: float,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> Tensor:
    """What `method.members` classifiers of different seeds say together: mean logits, float32 (len(asked), k).

    Each begins at `start` with a head of its own and learns the same texts in another order, all epochs to the end.

    Args:
        start: Left as it is.
        texts: n texts to learn from.
        labels: int64 (n,).
        asked: Texts to answer.
        method: How each is fine-tuned.
        names: Of the classes.
        minutes: Wall-time budget of all members together.
        seed: Of the first member; the next ones follow.
        checkpoint: Where the states of the runs are kept.
    """
    rows = tokenise(start.backbone, asked, "", method.tokens)

    def member(own: int) -> NDArray[np.float32]:
        model = copy.deepcopy(start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own)
            model.linear.reset_parameters()
        kept = part_of(checkpoint, f"member-{own}")
        budget = minutes / method.members
        fine_tune(model, texts, labels, method, names=names, minutes=budget, seed=own, checkpoint=kept, name="Member")
        said: NDArray[np.float32] = answers(model, rows, bfloat16=method.bfloat16).numpy()
        return said

    mean = logits_average(over_seeds(member, range(seed, seed + method.members)))
    return torch.from_numpy(mean.astype(np.float32))
