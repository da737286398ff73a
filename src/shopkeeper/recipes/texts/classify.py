"""Classes of texts: sentiment, topic, intent, opinion. A fine-tuned model and a linear one, blended as validation says.

Texts with labels -> backbone -> dropout -> linear -> cross-entropy, beside TF-IDF -> linear. Both are scaled to honest
probabilities on validation, then mixed in the proportion that suits validation best; where the linear model alone is as
good, it alone is what is served.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import foldable, merge
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.blended import Blended
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.models.linear import LinearText
from shopkeeper.models.text import Floats
from shopkeeper.recipes.card_plots import class_plots, learning_plots
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.techniques import AVERAGES, with_techniques
from shopkeeper.recipes.texts.blending import blend, honest_scale, marks
from shopkeeper.recipes.texts.cleaning import wrongly_labelled
from shopkeeper.recipes.texts.fine_tuning import ensemble_answers, fine_tune
from shopkeeper.recipes.texts.known_texts import KnownTexts, fingerprints
from shopkeeper.recipes.texts.labelled_texts import Texts, checked, held_out, languages
from shopkeeper.recipes.texts.linear_text import fit_linear, refit_linear
from shopkeeper.settings import Settings, TrainSettings
from shopkeeper.training.adversarial import FGM
from shopkeeper.training.checkpoints import Checkpoint, part_of
from shopkeeper.training.class_contrast import Contrast
from shopkeeper.training.freezing import trainable_share
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport
from shopkeeper.training.supervised import class_numbers

Ints = NDArray[np.int64]
_PUSHED = 20_000
_FEW = 20  # texts of a typical class, below which contrast beats cross-entropy (bench few-shot)


@dataclass(frozen=True, slots=True)
class Taught:
    """What `learn` found: both models, how they are mixed, and how validation judged each.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        share: Share of the fine-tuned model in the blend, in [0, 1].
        scales: What the logarithms of both models' probabilities are multiplied by.
        losses: Log-loss on validation of ``fine-tuned``, ``linear`` and ``blend``.
        refitted: The fine-tuned model learnt from validation's texts in the end; the linear one always does.
        left_out: Texts that were not learnt from because their labels look wrong.
    """

    classes: Sequence[str]
    classifier: Classifier
    linear: LinearText
    share: float
    scales: tuple[float, float]
    report: FitReport
    learnt_share: float
    losses: dict[str, float] = field(default_factory=dict)
    refitted: bool = False
    left_out: Texts = field(default_factory=lambda: Texts([], []))

    def scorer(self) -> Blended:
        """Both as one scorer."""
        return Blended(TorchScorer(self.classifier, bf16=True), self.linear, self.share, self.scales)


def learn(
    train: Texts,
    base: Backbone,
    settings: Settings,
    *,
    valid: Texts | None = None,
    unlabelled: Sequence[str] = (),
    method: Method | None = None,
    minutes: float | None = None,
    seed: int = 7,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    name: str = "Learning classes",
) -> Taught:
    """Teach both models and find their blend.

    Args:
        train: Texts to learn from; validation is cut from them when `valid` is None.
        base: Backbone to start from; it may be changed in place.
        settings: `settings.train.minutes` when `minutes` is None.
        valid: Texts that choose the state, the scales and the blend.
        unlabelled: Texts of the same kind without labels, read where labels are few (`Method.contrast`).
        method: How; the measured default when None.
        minutes: Wall-time budget of the fine-tuning.
        seed: Of everything random.
        hooks: What else happens in the loop, such as tracking.
        checkpoint: Where the state of the runs is kept.
        name: What the progress bar calls it.

    Raises:
        TrainingError: There are fewer than two classes, no text, or too few different ones.
    """
    method = method or Method()
    classes = checked(train)
    if valid is None:
        held = held_out(train, seed)
        if held.all():
            raise TrainingError(
                f"{len(train)} texts are but {len(set(train.texts))} different ones, too few to hold any out.",
                where="texts",
                cure="Give more different texts of each class.",
            )
        train, valid = train.take(np.flatnonzero(~held)), train.take(np.flatnonzero(held))
    suspects = wrongly_labelled(train, classes, seed) if method.clean else np.zeros(0, dtype=np.int64)
    left_out, train = train.take(suspects), train.take(np.setdiff1d(np.arange(len(train)), suspects))
    members = method.members if method.epochs else 1  # contrast and a solved head have no use for a teacher
    known, wanted = class_numbers(train.labels, classes), class_numbers(valid.labels, classes)
    linear, fit = fit_linear(train.texts, known, len(classes), valid.texts, wanted)
    base.max_length = min(base.max_length, method.tokens)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(base, classes=len(classes), dropout=method.dropout)
    classifier.to(pick_device(settings.compute))
    start = copy.deepcopy(classifier) if method.refit or members > 1 else classifier
    scorer = TorchScorer(classifier, bf16=method.bfloat16)

    def validate() -> float:
        return -honest_scale(wanted, scorer.probabilities(valid.texts))[1]

    budget = settings.train.minutes if minutes is None else minutes
    everything, labels = [*train.texts, *valid.texts], np.concatenate([known, wanted])
    once = partial(fine_tune, names=classes, minutes=budget / (1 if members == 1 else 2), seed=seed, name=name)
    teacher = None
    if members > 1:
        kept = part_of(checkpoint, "members")
        how: Any = {"names": classes, "minutes": budget / 2, "seed": seed + 1, "checkpoint": kept}
        teacher = ensemble_answers(start, train.texts, known, everything, method, **how)
    kept = part_of(checkpoint, "train")
    first = None if teacher is None else teacher[: len(train)]
    asked = set(valid.texts)
    others = [text for text in unlabelled if text not in asked]
    how = {"unlabelled": others, "hooks": hooks, "validate": validate}
    report = once(classifier, train.texts, known, method, teacher=first, checkpoint=kept, **how)
    given = scorer.probabilities(valid.texts), linear.probabilities(valid.texts)
    share, scales, losses = blend(wanted, *given)
    linear = refit_linear(everything, labels, len(classes), fit)
    refitted = method.refit and bool(report.best_step or method.epochs == 0)
    if refitted:
        again = _again(method, report)
        kept, classifier = part_of(checkpoint, "refit"), start
        once(classifier, everything, labels, again, unlabelled=others, teacher=teacher, checkpoint=kept)
    learnt = trainable_share(classifier)
    return Taught(classes, classifier, linear, share, scales, report, learnt, losses, refitted, left_out)


def train_classifier(
    train: Texts,
    settings: Settings,
    folder: Path,
    *,
    task: str,
    test: Texts | None = None,
    unlabelled: Sequence[str] = (),
    base: Backbone | None = None,
    method: Method | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    onnx: bool = True,
) -> Bundle:
    """Learn classes of texts and save both models and their blend as a bundle with a card.

    Args:
        train: Texts to learn from; a tenth is kept for validation.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        task: What the classes are of, e.g. ``sentiment``.
        test: Texts looked at once, at the end; a tenth of `train` when None.
        unlabelled: Texts of the same kind without labels, read where labels are few.
        base: Backbone to start from; chosen by the texts' language when None.
        method: How to fine-tune; the default one with what `settings.train` asks for when None.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        seed: Of everything random; `settings.compute.seed` when None.
        hooks: What else happens in the loop, such as tracking.
        checkpoint: Where the state of the runs is kept, so that they survive a kill; clear it once the bundle is safe.
        onnx: Export the int8 graph for serving.

    Raises:
        TrainingError: There are fewer than two classes, or no text.
    """
    seed = settings.compute.seed if seed is None else seed
    method = method or with_techniques(method_for(train, settings.train), settings.train)
    set_threads(settings.compute)
    classes = checked(train)
    if test is None:
        held = held_out(train, seed + 1)
        train, test = train.take(np.flatnonzero(~held)), train.take(np.flatnonzero(held))
    test = test.take([row for row, label in enumerate(test.labels) if label in set(classes)])
    base = base or load_backbone(encoder_name(settings.models, languages(train.texts)), settings)
    taught = learn(
        train,
        base,
        settings,
        unlabelled=[text for text in unlabelled if text not in {*test.texts}],
        method=method,
        minutes=minutes,
        seed=seed,
        hooks=hooks,
        checkpoint=checkpoint,
        name=f"Learning {task}",
    )
    wanted = class_numbers(test.labels, taught.classes)
    given = taught.scorer().probabilities(test.texts)
    held = held_out(train, seed) & (not taught.refitted)  # as `learn` parts them
    sides = train.take(np.flatnonzero(~held)), train.take(np.flatnonzero(held)), test
    card = Card(
        task=task,
        name=f"{task.capitalize()}: {len(classes)} classes of texts",
        data={"texts": len(train), "test": len(test), "classes": list(classes)},
        settings=method.describe(),
        seed=seed,
        before={"test": {"linear": marks(wanted, taught.linear.probabilities(test.texts))}},
        after={"test": {"blend": marks(wanted, given)}},
        notes=notes(taught),
    )
    known = KnownTexts(*(fingerprints(side.texts, side.labels) for side in (*sides, taught.left_out)))
    return save_taught(folder, taught, card, known, wanted, given, onnx=onnx)


def save_taught(
    folder: Path, taught: Taught, card: Card, known: KnownTexts, wanted: Ints, given: Floats, *, onnx: bool
) -> Bundle:
    """Save both models, their blend and what they know; an adapter that is a change of weights is folded in.

    Args:
        folder: Must not exist.
        taught: The models.
        card: Of the bundle.
        known: Which texts they have seen.
        wanted: int64 (n,), classes of test texts, for plots.
        given: float32 (n, k), probabilities of them.
        onnx: Export the int8 graph as well.
    """
    backbone = taught.classifier.backbone
    if foldable(backbone):
        merge(backbone)
    arrays, values = taught.linear.save()
    return save_bundle(
        folder,
        card,
        classifier=taught.classifier,
        delta_of=(card.base or backbone.name) if backbone.adapters is not None else "",
        arrays=arrays | known.arrays(),
        parameters={
            "classes": list(taught.classes),
            "linear": values,
            "share": taught.share,
            "scales": list(taught.scales),
        },
        onnx=onnx,
        plots=learning_plots(taught.report, "minus log-loss") | class_plots(wanted, given, tuple(taught.classes)),
    )


def _again(method: Method, report: FitReport) -> Method:
    """As many epochs as led to the best state; averages of weights are left out, as nothing would judge them."""
    if method.epochs:
        method = replace(method, epochs=max(1, math.ceil(report.epochs * report.best_step / max(1, report.steps))))
    return replace(method, hooks=tuple(make for make in method.hooks if make not in AVERAGES.values()))


def method_for(texts: Texts, asked: TrainSettings) -> Method:
    """Fine-tuning by cross-entropy; contrast and a solved head where a typical class has fewer than 20 texts.

    Up to 20,000 texts FGM is in it: it takes 1.8 times as long and holds typing slips better (`python -m bench robust`).
    """
    typical = np.median(np.unique(np.asarray(texts.labels), return_counts=True)[1])
    if typical < _FEW and asked.contrast == 0:
        return Method(contrast=Contrast(), epochs=0, refit=True)
    return Method(epochs=asked.epochs, hooks=(FGM,) if len(texts) <= _PUSHED else ())


def notes(taught: Taught) -> str:
    """How the run went and what the blend is, for a card."""
    report = taught.report
    losses = ", ".join(f"{name} {value:.4f}" for name, value in taught.losses.items())
    return (
        f"{report}; state of step {report.best_step} kept; {taught.learnt_share:.1%} of the parameters learnt. Log-loss on validation: "
        f"{losses}. The fine-tuned model has {taught.share:.0%} of the blend, the linear one the rest."
        + (f" {len(taught.left_out)} texts were left out: their labels look wrong." if len(taught.left_out) else "")
    )
