"""Learning classes from a few examples each: contrast first, then logistic regression (SetFit, Tunstall et al. 2022).

The sentence encoder is tuned so that texts of one class come close to each other (supervised contrastive loss within the
batch), then a linear head is solved on its vectors. The result is an ordinary `Classifier`, saved and served as any other.
Two more sources help where labels are few: the names of the classes, read as examples of themselves, and texts without
labels, each of which is contrasted with everything but itself (SimCSE, Gao et al. 2021).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from shopkeeper.compute.precision import autocast
from shopkeeper.errors import TrainingError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.encoders import batcher_of, tensors
from shopkeeper.models.heads import Classifier
from shopkeeper.models.text import Floats, softmax
from shopkeeper.training.batching import Ints
from shopkeeper.training.class_contrast import Contrast, contrast
from shopkeeper.training.plan import FitReport
from shopkeeper.training.semi_supervised import Learn

_ENCODED = 128  # texts in one pass through the encoder


def learn_few_shot(
    backbone: Backbone,
    texts: Sequence[str],
    labels: Ints,
    count: int,
    settings: Contrast | None,
    *,
    names: Sequence[str] = (),
    unlabelled: Sequence[str] = (),
    weights: Floats | None = None,
    strength: float = 10.0,
    seed: int = 0,
) -> tuple[Classifier, FitReport | None]:
    """Tune the encoder in place and put a linear head on it.

    Args:
        backbone: A pretrained sentence encoder.
        texts: n texts.
        labels: int64 (n,) in [0, count).
        count: Number of classes k.
        settings: How to tune the encoder; None leaves it as it is and only solves the head.
        names: Names of the k classes in words, each an example of its class; see `readable`. Empty leaves them out.
        unlabelled: Texts of the same kind without labels.
        weights: float32 (n,), how much each text counts; 1 for all when None.
        strength: Inverse strength of the head's penalty, see `linear_head`.
        seed: Of everything random.

    Returns:
        The classifier in evaluation mode, and what happened to the encoder; None when it was left as it is.

    Raises:
        TrainingError: Fewer than two classes have a text, or names and classes differ in number.
    """
    _check(texts, labels, count, names)
    known = [*texts, *names]
    classes = np.concatenate([labels, np.arange(len(names), dtype=np.int64)])
    counts = np.concatenate([np.ones(len(texts)) if weights is None else weights, np.ones(len(names))])
    report = None
    if settings is not None:
        report = contrast(backbone, known, classes, settings, unlabelled=unlabelled, weights=counts, seed=seed)
    found = pooled(backbone, known)
    matrix, bias = linear_head(found, classes, count, weights=counts, strength=strength)
    return _headed(backbone, matrix, bias), report


@dataclass(frozen=True, slots=True)
class Learnt:
    """A classifier that `self_train` can call: texts to probabilities, float32 (n, k).

    Attributes:
        classifier: What to save.
        vectors: Texts -> what its head sees, float32 (n, d).
    """

    classifier: Classifier
    vectors: Callable[[Sequence[str]], Floats]

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Probabilities of texts."""
        matrix, bias = (part.detach().cpu().numpy() for part in self.classifier.linear.parameters())
        return softmax(self.vectors(texts) @ matrix.T + bias)


def few_shot_learner(
    backbone: Backbone,
    count: int,
    settings: Contrast | None,
    *,
    names: Sequence[str] = (),
    unlabelled: Sequence[str] = (),
    strength: float = 10.0,
    seed: int = 0,
) -> Learn[Learnt]:
    """`learn_few_shot` as `semi_supervised.self_train` wants it; each model begins with a copy of `backbone` as it is."""
    model = copy.deepcopy(backbone.model)

    def learn(texts: Sequence[str], labels: Ints, weights: Floats) -> Learnt:
        fresh = replace(backbone, model=copy.deepcopy(model))
        classifier, _ = learn_few_shot(
            fresh,
            texts,
            labels,
            count,
            settings,
            names=names,
            unlabelled=unlabelled,
            weights=weights,
            strength=strength,
            seed=seed,
        )
        return Learnt(classifier, lambda asked: pooled(fresh, asked, bfloat16=True))

    return learn


def head_learner(backbone: Backbone, count: int, *, strength: float = 10.0) -> Learn[Learnt]:
    """The same for an encoder that stays as it is: each text is encoded once, so that a round takes seconds."""
    known: dict[str, Floats] = {}

    def vectors(texts: Sequence[str]) -> Floats:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        known.update(zip(new, pooled(backbone, new, bfloat16=True), strict=True))
        return np.stack([known[text] for text in texts]) if texts else pooled(backbone, texts)

    def learn(texts: Sequence[str], labels: Ints, weights: Floats) -> Learnt:
        matrix, bias = linear_head(vectors(texts), labels, count, weights=weights, strength=strength)
        return Learnt(_headed(backbone, matrix, bias), vectors)

    return learn


def pooled(backbone: Backbone, texts: Sequence[str], *, bfloat16: bool = False) -> Floats:
    """The vectors that a `Classifier` puts its head on, float32 (n, d), not normalised.

    Args:
        backbone: The encoder.
        texts: n texts.
        bfloat16: Multiply matrices in bfloat16 where that helps: twice as fast, right to two digits.
    """
    device = next(backbone.model.parameters()).device
    found = np.zeros((len(texts), backbone.dimension), dtype=np.float32)
    backbone.model.eval()
    with torch.inference_mode(), autocast(device, bfloat16):
        for batch in batcher_of(backbone).inputs(texts, None, _ENCODED):
            found[batch.rows] = backbone.vectors(*tensors(batch, device)).float().cpu().numpy()
    return found


def linear_head(
    vectors: Floats, labels: Ints, count: int, *, weights: Floats | None = None, strength: float = 10.0
) -> tuple[Floats, Floats]:
    """Multinomial logistic regression; the penalty means the same whatever the length of the vectors.

    Args:
        vectors: float32 (n, d).
        labels: int64 (n,) in [0, count), at least two different ones.
        count: Number of classes k.
        weights: float (n,), how much each row counts.
        strength: Inverse strength of the L2 penalty, for vectors of length 1 on average.

    Returns:
        Weights float32 (k, d) and bias float32 (k,) for the vectors as they are. Classes without a row are ruled out.
    """
    from sklearn.linear_model import LogisticRegression

    length = max(float(np.linalg.norm(vectors, axis=1).mean()), 1e-12)
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    model.fit(vectors / length, labels, sample_weight=weights)
    matrix = np.zeros((count, vectors.shape[1]), dtype=np.float32)
    bias = np.full(count, -30.0, dtype=np.float32)
    if len(model.classes_) == 2:
        matrix[model.classes_[1]], bias[model.classes_] = model.coef_[0] / length, (0.0, model.intercept_[0])
    else:
        matrix[model.classes_], bias[model.classes_] = model.coef_ / length, model.intercept_
    return matrix, bias


def readable(name: str) -> str:
    """The name of a class in words.

    >>> [readable(name) for name in ("card_arrival", "ATMSupport", "age-limit")]
    ['card arrival', 'ATM support', 'age limit']
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", re.sub(r"[_\-./]+", " ", name))
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in spaced.split())


def set_head(classifier: Classifier, matrix: Floats, bias: Floats) -> None:
    """Give a classifier the head that `linear_head` found."""
    with torch.no_grad():
        classifier.linear.weight.copy_(torch.from_numpy(matrix))
        classifier.linear.bias.copy_(torch.from_numpy(bias))


def _headed(backbone: Backbone, matrix: Floats, bias: Floats) -> Classifier:
    classifier = Classifier(backbone, classes=len(bias))
    set_head(classifier, matrix, bias)
    return classifier.to(next(backbone.model.parameters()).device).eval()


def _check(texts: Sequence[str], labels: Ints, count: int, names: Sequence[str]) -> None:
    if len(texts) != len(labels) or len(np.unique(labels)) < 2:
        raise TrainingError(
            f"{len(texts)} texts with {len(np.unique(labels))} different labels teach nothing.",
            where="few-shot learning",
            cure="Pass one label for each text, and texts of at least two classes.",
        )
    if names and len(names) != count:
        raise TrainingError(
            f"{len(names)} names for {count} classes.", where="few-shot learning", cure="Name every class, or none."
        )
