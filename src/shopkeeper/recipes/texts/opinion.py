"""What the ear learns: feeling, topic, danger, event, and how a post speaks of a name; from decisions of humans and files.

One class a text goes the way of every classifier (`classify`). Several labels a text (``price|delivery``) are linear
questions over TF-IDF, one a label, beside a fine-tuned encoder with one output a label; how a post speaks of a name is a
class of the text in which the name is marked. The ear serves the linear part of each, which reads every post.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.decisions import sigmoid
from shopkeeper.models.heads import Classifier
from shopkeeper.models.linear import Features, grams_for
from shopkeeper.models.linear_labels import LinearLabels
from shopkeeper.models.text import Floats
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.recipes.texts.blending import marks
from shopkeeper.recipes.texts.classify import train_classifier
from shopkeeper.recipes.texts.label_marks import Bools, best_thresholds, binary_loss, label_f1
from shopkeeper.recipes.texts.labelled_texts import Texts, checked, held_out
from shopkeeper.recipes.texts.linear_text import Fit, fit_linear, refit_linear
from shopkeeper.settings import Settings
from shopkeeper.tasks.listen.feedback import PARTED
from shopkeeper.tasks.listen.models import marked
from shopkeeper.training.criteria import several
from shopkeeper.training.distillation import answers
from shopkeeper.training.supervised import class_numbers, supervised
from shopkeeper.training.texts import tokenise

NEGATIVE, OTHER = "negative", "other"
"""Classes of ``concern``."""
_STRENGTHS: Final = (0.1, 0.3, 1.0)
_SHARES: Final = tuple(step / 10 for step in range(11))
_FEWEST: Final = 5


@dataclass(frozen=True, slots=True)
class Labels:
    """n texts and the labels of each, any number of them, over k names.

    Attributes:
        wanted: bool (n, k).
    """

    texts: Sequence[str]
    names: Sequence[str]
    wanted: Bools

    def take(self, rows: NDArray[np.int64]) -> Labels:
        """Some of them, by number."""
        return Labels([self.texts[row] for row in rows.tolist()], self.names, self.wanted[rows])


@dataclass(frozen=True, slots=True)
class TaughtLabels:
    """A linear model of labels, and what an encoder adds to it.

    Attributes:
        linear: What serves.
        classifier: The fine-tuned encoder; None where none was asked for.
        share: Its share of the mean probability.
        thresholds: Of the blend, float32 (k,).
    """

    linear: LinearLabels
    classifier: Classifier | None
    share: float
    thresholds: Floats

    def probabilities(self, texts: Sequence[str], tokens: int = 128) -> Floats:
        """Of both together, float32 (n, k)."""
        first = self.linear.probabilities(texts)
        if self.classifier is None or not self.share:
            return first
        mixed: Floats = (1 - self.share) * first + self.share * _said(self.classifier, texts, tokens)
        return mixed


def labels_of(pairs: Iterable[tuple[str, Sequence[str]]], fewest: int = _FEWEST) -> Labels:
    """Texts with their labels; labels of fewer than `fewest` texts are left out, and so are texts without words.

    Raises:
        TrainingError: No label is left.
    """
    kept = [(text, set(own)) for text, own in pairs if text.strip()]
    counts: dict[str, int] = {}
    for _, own in kept:
        for label in own:
            counts[label] = counts.get(label, 0) + 1
    names = sorted(label for label, count in counts.items() if count >= fewest)
    if not names:
        raise TrainingError(f"No label has {fewest} texts.", where="labels", cure="Give more labelled texts.")
    wanted = np.array([[name in own for name in names] for _, own in kept], dtype=np.bool_)
    return Labels([text for text, _ in kept], names, wanted)


def learn_labels(
    train: Labels,
    *,
    base: Backbone | None = None,
    settings: Settings | None = None,
    method: Method | None = None,
    minutes: float = 10.0,
    seed: int = 7,
) -> TaughtLabels:
    """Learn several labels a text; a tenth of the texts chooses penalty, thresholds and blend.

    Args:
        train: To learn from.
        base: Encoder to fine-tune beside the linear model; it is changed in place. None for the linear model alone.
        settings: Where to compute; the default when None.
        method: How to fine-tune.
        minutes: Wall-time budget of it.
        seed: Of everything random.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train.texts))
    edge = max(1, len(order) // 10)
    valid, rest = train.take(order[:edge]), train.take(order[edge:])
    chosen, fit = _fit(rest, valid)
    linear = _solved(train, fit, chosen.thresholds)
    if base is None:
        return TaughtLabels(linear, None, 0.0, linear.thresholds)
    first = chosen.probabilities(valid.texts)
    method = method or Method(open_layers=4, rate=2e-4, head_rate=5.0, epochs=3, tokens=128, batch=32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(base, classes=len(train.names), dropout=method.dropout)
    classifier.to(pick_device((settings or Settings()).compute))
    prepare(classifier, method)
    teach(
        classifier,
        Lesson(tokenise(base, rest.texts, "", method.tokens), rest.wanted.astype(np.float32)),
        method,
        loss=supervised(several()),
        validate=lambda: -binary_loss(valid.wanted, _said(classifier, valid.texts, method.tokens)),
        minutes=minutes,
        seed=seed,
        name="Learning labels",
    )
    second = _said(classifier, valid.texts, method.tokens)
    share = min(_SHARES, key=lambda one: binary_loss(valid.wanted, (1 - one) * first + one * second))
    return TaughtLabels(linear, classifier, share, best_thresholds(valid.wanted, (1 - share) * first + share * second))


def train_labels(train: Labels, settings: Settings, folder: Path, *, task: str, seed: int | None = None) -> Bundle:
    """Learn several labels a text and save the linear model as a bundle with a card, measured on a tenth held out.

    Raises:
        TrainingError: There are too few texts.
    """
    seed = settings.compute.seed if seed is None else seed
    if len(train.texts) < 4 * _FEWEST:
        raise TrainingError(f"{len(train.texts)} texts are too few.", where=task, cure="Give twenty or more.")
    order = np.random.default_rng(seed + 1).permutation(len(train.texts))
    test, rest = train.take(order[: len(order) // 10 + 1]), train.take(order[len(order) // 10 + 1 :])
    linear = learn_labels(rest, seed=seed).linear
    micro, macro = label_f1(test.wanted, linear.chosen(test.texts))
    card = Card(
        task=task,
        name=f"{task.capitalize()}: any of {len(train.names)} labels",
        data={"texts": len(rest.texts), "test": len(test.texts), "classes": list(train.names)},
        seed=seed,
        after={"test": {"micro_f1": {"value": micro}, "macro_f1": {"value": macro}}},
    )
    arrays, values = linear.save()
    parameters: dict[str, Any] = {"classes": list(train.names), "labels": values}
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def one_label(bundle: Bundle) -> bool:
    """Does a classifier name one class a text, and was it fine-tuned? Only such a one can be taught what came since."""
    return "labels" not in bundle.parameters and bundle.card.base != ""


def train_opinion(
    train: Texts, settings: Settings, folder: Path, *, task: str, tuned: bool = True, **how: Any
) -> Bundle:
    """Learn a task of the ear from texts and their classes; several labels where one of them is parted by ``|``.

    Args:
        train: E.g. of `passages.texts_for`.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        task: ``sentiment``, ``topic``, ``risk``, ``event``, ``concern`` or ``about``.
        tuned: Fine-tune an encoder as well; without it the linear model alone is learnt, in seconds. ``sentiment`` is
            asked by others too and is always fine-tuned.
        how: Further arguments of `classify.train_classifier`.

    Raises:
        TrainingError: There are too few texts or classes.
    """
    if any(PARTED in label for label in train.labels):
        pairs = [(text, _parted(label)) for text, label in zip(train.texts, train.labels, strict=True)]
        return train_labels(labels_of(pairs), settings, folder, task=task)
    if tuned or task == "sentiment":
        return train_classifier(train, settings, folder, task=task, **how)
    return _train_linear(train, settings, folder, task)


def concern_texts(rows: Iterable[tuple[str, Sequence[str], Sequence[str]]]) -> Texts:
    """Texts for ``concern``: a row a name, the name marked, and whether the text is bad for it.

    Args:
        rows: Text, all names in it, and those of them that it is bad for.
    """
    texts, labels = [], []
    for text, names, bad in rows:
        for name in dict.fromkeys(names):
            texts.append(marked(text, name))
            labels.append(NEGATIVE if name in bad else OTHER)
    return Texts(texts, labels)


def _train_linear(train: Texts, settings: Settings, folder: Path, task: str) -> Bundle:
    set_threads(settings.compute)
    seed, classes = settings.compute.seed, checked(train)
    test = held_out(train, seed + 1)
    rest, last = train.take(np.flatnonzero(~test)), train.take(np.flatnonzero(test))
    held = held_out(rest, seed)
    first, valid = rest.take(np.flatnonzero(~held)), rest.take(np.flatnonzero(held))
    known, chooses = (class_numbers(part.labels, classes) for part in (first, valid))
    _, fit = fit_linear(first.texts, known, len(classes), valid.texts, chooses)
    linear = refit_linear(rest.texts, class_numbers(rest.labels, classes), len(classes), fit)
    wanted = class_numbers(last.labels, classes)
    card = Card(
        task=task,
        name=f"{task.capitalize()}: {len(classes)} classes of texts",
        data={"texts": len(rest), "test": len(last), "classes": classes},
        seed=seed,
        after={"test": {"linear": marks(wanted, linear.probabilities(last.texts))}},
    )
    arrays, values = linear.save()
    parameters: dict[str, Any] = {"classes": classes, "linear": values, "share": 0.0, "scales": [1.0, 1.0]}
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def _fit(train: Labels, valid: Labels) -> tuple[LinearLabels, Fit]:
    """One-against-rest support vectors; penalty by log-loss on validation, margins scaled to honest probabilities."""
    features = Features.fit(grams_for(train.texts), train.texts)
    known, unseen = features.of(train.texts), features.of(valid.texts)
    best: tuple[float, LinearLabels, Fit] | None = None
    for strength in _STRENGTHS:
        weights, bias = _solve(known, train.wanted, strength)
        margins = np.asarray(unseen @ weights.T + bias, dtype=np.float32)
        scale = min(
            (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0), key=lambda one: binary_loss(valid.wanted, sigmoid(one * margins))
        )
        shares = sigmoid(np.float32(scale) * margins)
        loss = binary_loss(valid.wanted, shares)
        if best is None or loss < best[0]:
            bars = best_thresholds(valid.wanted, shares)
            model = LinearLabels(features, np.float32(scale) * weights, np.float32(scale) * bias, bars)
            best = loss, model, Fit(strength, scale)
    assert best is not None
    return best[1:]


def _solved(texts: Labels, fit: Fit, thresholds: Floats) -> LinearLabels:
    """What validation chose, learnt from its texts as well."""
    features = Features.fit(grams_for(texts.texts), texts.texts)
    weights, bias = _solve(features.of(texts.texts), texts.wanted, fit.strength)
    return LinearLabels(features, np.float32(fit.scale) * weights, np.float32(fit.scale) * bias, thresholds)


def _solve(known: Any, wanted: Bools, strength: float) -> tuple[Floats, Floats]:
    weights = np.zeros((wanted.shape[1], known.shape[1]), dtype=np.float32)
    bias = np.full(wanted.shape[1], -4.0, dtype=np.float32)
    for label in range(wanted.shape[1]):
        own = wanted[:, label]
        if own.all() or not own.any():
            bias[label] = 4.0 if own.all() else -4.0
            continue
        model = LinearSVC(C=strength, tol=1e-3, max_iter=2_000, random_state=0).fit(known, own)
        weights[label], bias[label] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _said(classifier: Classifier, texts: Sequence[str], tokens: int) -> Floats:
    """Probabilities of each label, float32 (n, k)."""
    return sigmoid(answers(classifier, tokenise(classifier.backbone, texts, "", tokens), bfloat16=True).numpy())


def _parted(label: str) -> list[str]:
    return [part.strip() for part in label.split(PARTED) if part.strip()]
