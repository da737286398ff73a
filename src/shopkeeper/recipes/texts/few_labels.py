"""What comes before or in place of cross-entropy: texts of one class are brought together, and the head is solved.

Texts without labels help where labels are few: the head on what contrast gave labels them, round by round and class by
class in the proportion of the human labels, and is solved again. Contrasting once more with them gives nothing
(`python -m bench few-shot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shopkeeper.models.heads import Classifier
from shopkeeper.recipes.method import Method
from shopkeeper.training.batching import Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.class_contrast import contrast
from shopkeeper.training.few_shot import head_learner, linear_head, pooled, readable, set_head
from shopkeeper.training.freezing import layer_count, open_top
from shopkeeper.training.plan import FitReport
from shopkeeper.training.semi_supervised import SelfTraining, self_train

_MOST_UNLABELLED = 10_000
_ROUNDS = SelfTraining(
    rounds=3, threshold=0.0
)  # how many come in is left to the rounds, how much each counts to its certainty
_NOTHING = FitReport(steps=0, epochs=0.0, seconds=0.0, losses=(), scores=(), best_step=0, stopped="epochs")


def gather(
    classifier: Classifier,
    texts: Sequence[str],
    labels: Ints,
    names: Sequence[str],
    method: Method,
    *,
    unlabelled: Sequence[str] = (),
    minutes: float,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> FitReport:
    """Bring texts of one class together where the method says so, and solve the head on what the body then says.

    Args:
        classifier: Changed in place; not prepared yet.
        texts: n texts.
        labels: int64 (n,).
        names: Name of each class; contrast reads it, in words, as one more example.
        method: Its `contrast` and `solve`; nothing happens without either.
        unlabelled: More texts of the same kind, which the head trains itself on after contrast; 10,000 at most are read.
        minutes: Wall-time budget of one contrast.
        seed: Of everything random.
        checkpoint: Where the state of the contrast is kept.
    """
    if method.contrast is None and not method.solve:
        return _NOTHING
    backbone, count, report = classifier.backbone, len(names), _NOTHING
    if method.contrast is not None:
        texts, labels = [*texts, *(readable(name) for name in names)], np.concatenate([labels, np.arange(count)])
        how = replace(method.contrast, minutes=min(minutes, method.contrast.minutes), longest=method.tokens)
        report = contrast(backbone, texts, labels, how, seed=seed, checkpoint=checkpoint)
        most = layer_count(classifier.model)
        open_top(classifier.model, None if how.layers is None else min(how.layers, most))
        if len(unlabelled):
            rng = np.random.default_rng(seed)
            learner = head_learner(backbone, count)
            learnt, _ = self_train(learner, texts, labels, _some(unlabelled, rng), _ROUNDS, rng=rng)
            classifier.linear.load_state_dict(learnt.classifier.linear.state_dict())
            return report
    set_head(classifier, *linear_head(pooled(backbone, texts, bfloat16=method.bfloat16), labels, count))
    return report


def _some(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    once = list(dict.fromkeys(texts))
    return [once[row] for row in np.sort(rng.permutation(len(once))[:_MOST_UNLABELLED])]
