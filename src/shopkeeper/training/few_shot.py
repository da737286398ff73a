"""The parts of learning classes from a few examples each, after SetFit (Tunstall et al. 2022): a head solved on vectors.

`class_contrast` first tunes the sentence encoder so that texts of one class come close to each other; `recipes.texts.few_labels`
puts both together. The names of the classes, in words, are read as examples of themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from shopkeeper.compute.precision import autocast
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.encoders import batcher_of, tensors
from shopkeeper.models.heads import Classifier
from shopkeeper.models.text import Floats, softmax
from shopkeeper.training.batching import Ints
from shopkeeper.training.semi_supervised import Learn

_ENCODED = 128  # texts in one pass through the encoder


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


def head_learner(backbone: Backbone, count: int, *, strength: float = 10.0) -> Learn[Learnt]:
    """What `self_train` calls, for an encoder that stays as it is: each text is encoded once, so a round takes seconds."""
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
