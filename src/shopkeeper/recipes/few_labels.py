"""What comes before or in place of cross-entropy: texts of one class are brought together, and the head is solved.

Texts without labels help where labels are few: a head on what contrast gave labels them, round by round and class by
class in the proportion of the human labels, and then contrast begins anew with all of them, the surer ones drawn oftener.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shopkeeper.models.heads import Classifier
from shopkeeper.recipes.method import Method
from shopkeeper.training.batching import Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.class_contrast import contrast
from shopkeeper.training.few_shot import Learnt, head_learner, linear_head, pooled, readable, set_head
from shopkeeper.training.freezing import open_top
from shopkeeper.training.plan import FitReport
from shopkeeper.training.semi_supervised import SelfTraining, pseudo_labels, self_train

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
        unlabelled: More texts of the same kind, for contrast alone; 10,000 at most are read.
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
        came = copy.deepcopy(backbone.model.state_dict()) if len(unlabelled) else {}
        report = contrast(backbone, texts, labels, how, seed=seed, checkpoint=checkpoint)
        open_top(classifier.model, how.layers)
        if len(unlabelled):
            others = _some(unlabelled, np.random.default_rng(seed))
            found = pseudo_labels([_self_trained(classifier, texts, labels, others, seed)(others)], 0.0)
            rows, classes, certainty = found.most_certain(
                len(others) * np.bincount(labels, minlength=count) // len(labels)
            )
            backbone.model.load_state_dict(came)
            more = [*texts, *(others[row] for row in rows)]
            weights = np.concatenate([np.ones(len(texts), dtype=np.float32), certainty])
            second = checkpoint.part("again") if checkpoint is not None else None
            report = contrast(
                backbone, more, np.concatenate([labels, classes]), how, weights=weights, seed=seed, checkpoint=second
            )
            learnt = _self_trained(classifier, texts, labels, others, seed).classifier.linear
            set_head(classifier, *(part.detach().cpu().numpy() for part in (learnt.weight, learnt.bias)))
            return report
    set_head(classifier, *linear_head(pooled(backbone, texts, bfloat16=method.bfloat16), labels, count))
    return report


def _self_trained(
    classifier: Classifier, texts: Sequence[str], labels: Ints, others: Sequence[str], seed: int
) -> Learnt:
    learner = head_learner(classifier.backbone, classifier.classes)
    return self_train(learner, texts, labels, others, _ROUNDS, rng=np.random.default_rng(seed))[0]


def _some(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    once = list(dict.fromkeys(texts))
    return [once[row] for row in np.sort(rng.permutation(len(once))[:_MOST_UNLABELLED])]
