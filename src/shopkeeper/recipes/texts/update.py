"""A live classifier of texts goes on learning from what came since, and keeps what it knows.

New texts are learnt together with a memory of old ones, at most one in twenty of them, chosen by herding; and gently, at
half the rate of a first training, where all classes are known (`python -m bench continual`). A class that was not there
before becomes one more row of the head, which then learns at the full rate. The linear model takes seconds and is fitted again on every text that the shop still has. The card
shows both models, the one before and the one after, on old and on new texts that neither has learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shopkeeper.compute.device import set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.classification import accuracy
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.adapters import foldable, merge
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.card import Card
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.models.text import Floats
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.recipes.techniques import with_techniques
from shopkeeper.recipes.texts.blending import blend, honest_scale, marks
from shopkeeper.recipes.texts.classify import Taught, notes, save_taught
from shopkeeper.recipes.texts.known_texts import KnownTexts, fingerprints
from shopkeeper.recipes.texts.labelled_texts import Texts, held_out
from shopkeeper.recipes.texts.linear_text import fit_linear, refit_linear
from shopkeeper.settings import Settings
from shopkeeper.training.batching import Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.continual import grow, remembering
from shopkeeper.training.distillation import answers
from shopkeeper.training.elastic import Anchor, ElasticPenalty, anchor, own_answers
from shopkeeper.training.freezing import trainable_share
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport
from shopkeeper.training.memory import herding, rehearsed
from shopkeeper.training.period_adapters import by_share, period_adapter
from shopkeeper.training.supervised import class_numbers, labelled
from shopkeeper.training.texts import tokenise

KEPT = 0.05
"""Largest share of the old texts that is rehearsed."""
FEWEST = 10
"""New texts that are worth an update."""
_POOL = 4  # old texts looked at for each one kept
_REPEATS = 4
GENTLE, GENTLE_HEAD = 0.5, 2.0
"""Rate of an update against that of a first training, and of its head against its body."""
_LEAST_VALID, _FEWEST_VALID = 200, 10


Remember = Literal["replay", "former", "elastic", "periods"]
"""Nothing more; hold on to former answers (Li and Hoiem 2016), or to the weights that mattered (Kirkpatrick et al. 2017);
or learn in a LoRA of which the new texts' share of all is added (`training.period_adapters`)."""
_STRENGTH, _ANCHORED, _PERIOD_RATE = 10_000.0, 200, 1e-3


@dataclass(frozen=True, slots=True)
class Parted:
    """What the shop has by now, parted by what a bundle knows of it; a tenth of what is new is kept for each exam."""

    old: Texts
    old_valid: Texts
    old_test: Texts
    new: Texts
    new_valid: Texts
    new_test: Texts

    def known(self) -> KnownTexts:
        """What will be known of it after the update."""
        sides = self.new, self.new_valid, self.new_test, Texts([], [])
        return KnownTexts(*(fingerprints(side.texts, side.labels) for side in sides))


def update_classifier(
    live: Bundle,
    texts: Texts,
    settings: Settings,
    folder: Path,
    *,
    method: Method | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    remember: Remember = "replay",
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    onnx: bool = True,
) -> Bundle:
    """Teach a trained classifier what came since, and save the result as a bundle with a card.

    Args:
        live: What `train_classifier` or this function made; it stays as it is.
        texts: All that the shop has, old and new.
        settings: As for `train_classifier`; `models.encoder` must not name another backbone.
        folder: Where the new bundle goes; must not exist.
        method: How a first training would fine-tune; contrast, a solved head, augmentation, cleaning and an ensemble are
            for learning anew and left out.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        seed: Of everything random; `settings.compute.seed` when None.
        remember: What is done against forgetting beside the rehearsal of old texts.
        hooks: What else happens in the loop, such as tracking.
        checkpoint: Where the state of the run is kept, as for `train_classifier`.
        onnx: Export the int8 graph for serving.

    Raises:
        TrainingError: Too little is new, nothing old is left, or the bundle is of another backbone or of no use here.
    """
    seed = settings.compute.seed if seed is None else seed
    method = method or with_techniques(Method(epochs=settings.train.epochs), settings.train)
    method = replace(method, contrast=None, solve=False, refit=False, members=1, clean=False, augment=None)
    set_threads(settings.compute)
    _check_backbone(live, settings)
    parts = part(live, texts, seed)
    classifier = live.classifier(settings)
    names = [str(name) for name in live.parameters["classes"]]
    names += sorted({*parts.new.labels, *parts.new_valid.labels, *parts.new_test.labels} - set(names))
    if len(names) == classifier.classes:
        method = replace(method, rate=GENTLE * method.rate, head_rate=min(GENTLE_HEAD, method.head_rate))
    elif remember == "periods":  # a share of what a new class has learnt is not enough to know it
        remember = "replay"
    if remember == "periods":
        if classifier.backbone.adapters is not None or method.adapter is not None:
            raise TrainingError(
                "A period is learnt in an adapter of its own, and there is another one.",
                where="train.remember",
                cure="Leave train.adapter empty and train a whole model first, or choose another way to remember.",
            )
        method = replace(method, rate=_PERIOD_RATE, head_rate=GENTLE_HEAD)
    budget = settings.train.minutes if minutes is None else minutes
    valid = _exam(parts, seed)
    report, kept = _learn_on(
        classifier,
        parts,
        valid,
        names,
        method,
        remember=remember,
        minutes=budget,
        seed=seed,
        hooks=hooks,
        checkpoint=checkpoint,
        name=f"Updating {live.name}",
    )
    everything = _joined(parts.old, parts.new)
    wanted = class_numbers(valid.labels, names)
    labels = class_numbers(everything.labels, names)
    linear, fit = fit_linear(everything.texts, labels, len(names), valid.texts, wanted)
    given = TorchScorer(classifier, bf16=method.bfloat16).probabilities(valid.texts), linear.probabilities(valid.texts)
    share, scales, losses = blend(wanted, *given)
    labels = np.concatenate([labels, wanted])
    linear = refit_linear([*everything.texts, *valid.texts], labels, len(names), fit)
    taught = Taught(names, classifier, linear, share, scales, report, trainable_share(classifier), losses)
    before, after, exams = _examine(live, taught, parts)
    old = live.card
    card = Card(
        task=old.task,
        name=f"{old.task.capitalize()}: {len(names)} classes of texts",
        parent=old.version,
        base=old.base,
        data={
            "old": len(parts.old),
            "kept in memory": kept,
            "new": len(parts.new),
            "test": len(exams[0]),
            "classes": names,
        },
        settings=method.describe() | {"remember": remember},
        seed=seed,
        before=before,
        after=after,
        notes=f"Goes on from {live.name}. {notes(taught)}",
    )
    return save_taught(folder, taught, card, KnownTexts.of(live) | parts.known(), *exams, onnx=onnx)


def part(live: Bundle, texts: Texts, seed: int) -> Parted:
    """Old texts by what they were to the bundle, new ones as `train_classifier` would part them.

    Raises:
        TrainingError: Fewer than `FEWEST` are new, nothing old is left, or the bundle does not say what it knows.
    """
    known, own = KnownTexts.of(live), fingerprints(texts.texts, texts.labels)
    inside = [np.isin(own, prints) for prints in (known.learnt, known.valid, known.test)]
    new = texts.take(np.flatnonzero(~np.logical_or.reduce(inside)))
    if len(new) < FEWEST:
        raise TrainingError(
            f"{len(new)} of {len(texts)} texts are new to {live.name}; an update needs {FEWEST}.",
            where=live.card.task,
            cure="Nothing has to be done: the live model stays. Import newer reviews, or train anew.",
        )
    inside[0] &= ~np.isin(own, known.left_out)
    old, old_valid, old_test = (texts.take(np.flatnonzero(rows)) for rows in inside)
    if not len(old):
        raise TrainingError(
            f"Of the {len(known.learnt)} texts that {live.name} learnt from, the shop has none any more.",
            where=live.card.task,
            cure="Train anew, without train.update.",
        )
    held = held_out(new, seed + 1)
    new_test, new = new.take(np.flatnonzero(held)), new.take(np.flatnonzero(~held))
    held = held_out(new, seed)
    new_valid, new = new.take(np.flatnonzero(held)), new.take(np.flatnonzero(~held))
    if len(old_valid) + len(new_valid) < _FEWEST_VALID or not len(old_test) + len(new_test):
        raise TrainingError(
            f"{len(old_valid) + len(new_valid)} texts are left to choose by and {len(old_test) + len(new_test)} to test on; "
            f"an update needs {_FEWEST_VALID} and one.",
            where=live.card.task,
            cure="Train anew, without train.update: with so few texts that takes no longer.",
        )
    return Parted(old, old_valid, old_test, new, new_valid, new_test)


def _check_backbone(live: Bundle, settings: Settings) -> None:
    if "classes" not in live.parameters:
        raise TrainingError(f"{live.name} is no classifier of texts.", where=str(live.folder))
    asked = settings.models.encoder
    if asked in ("", "auto", live.card.base) or load_backbone(asked, settings).name == live.card.base:
        return
    raise TrainingError(
        f"{live.name} stands on {live.card.base}, and the settings ask for {asked}.",
        where="models.encoder",
        cure="Set it to auto to go on from the live model, or train anew, without train.update.",
    )


def _exam(parts: Parted, seed: int) -> Texts:
    """What chooses state and blend: everything new that is kept for it, and about as much of the old."""
    most = max(_LEAST_VALID, len(parts.new_valid))
    rows = np.random.default_rng(seed).permutation(len(parts.old_valid))[:most]
    return _joined(parts.old_valid.take(rows), parts.new_valid)


def _learn_on(
    classifier: Classifier,
    parts: Parted,
    valid: Texts,
    names: Sequence[str],
    method: Method,
    *,
    remember: Remember,
    minutes: float,
    seed: int,
    hooks: Sequence[Hook],
    checkpoint: Checkpoint | None,
    name: str,
) -> tuple[FitReport, int]:
    """Replay; changes the classifier in place and says how many old texts were rehearsed."""
    rng = np.random.default_rng(seed)
    base = classifier.backbone
    if foldable(base):
        merge(base)
    memory = _memory(classifier, parts, rng)
    shown = _joined(parts.new, memory)
    texts = tokenise(base, shown.texts, "", method.tokens)
    loss = None
    if remember == "former":
        loss = remembering(method.criterion(), answers(classifier, texts, bfloat16=method.bfloat16))
    classifier.linear = grow(classifier.linear, len(names), seed=seed)
    classifier.classes = len(names)
    if base.adapters is None:
        prepare(classifier, method)
    if remember == "elastic":
        hooks = [*hooks, ElasticPenalty(_anchored(classifier, parts, method, seed), _STRENGTH)]
    wanted, scorer = class_numbers(valid.labels, names), TorchScorer(classifier, bf16=method.bfloat16)

    def validate() -> float:
        return -honest_scale(wanted, scorer.probabilities(valid.texts))[1]

    rows = rehearsed(np.arange(len(parts.new)), np.arange(len(parts.new), len(shown)), rng, repeats=_REPEATS)
    with ExitStack() as stack:
        if remember == "periods":
            stack.enter_context(by_share(classifier, len(parts.new) / (len(parts.old) + len(parts.new))))
            stack.enter_context(period_adapter(base, seed=seed))
        report = teach(
            classifier,
            Lesson(texts, class_numbers(shown.labels, names), rows=rows),
            method,
            loss=loss,
            minutes=minutes,
            seed=seed,
            validate=validate,
            hooks=hooks,
            checkpoint=checkpoint,
            name=name,
        )
    return report, len(memory)


def _anchored(classifier: Classifier, parts: Parted, method: Method, seed: int) -> Anchor:
    """What mattered to a sample of the old texts, see `elastic.anchor`; the labels given here are not looked at."""
    rows = np.random.default_rng(seed).permutation(len(parts.old))[:_ANCHORED]
    texts = tokenise(classifier.backbone, parts.old.take(rows).texts, "", method.tokens)
    alone = labelled(texts, np.zeros(len(rows), dtype=np.int64), 1)
    return anchor(classifier, alone, own_answers, most=len(rows), seed=seed)


def _memory(classifier: Classifier, parts: Parted, rng: np.random.Generator) -> Texts:
    """Old texts whose mean is that of their class: at most `KEPT` of them, and not more than there are new ones."""
    budget = min(int(KEPT * len(parts.old)), len(parts.new))
    pool = parts.old.take(rng.permutation(len(parts.old))[: _POOL * budget])
    if not len(pool):
        return pool
    vectors = TorchEncoder(classifier.backbone).encode(pool.texts, "query")
    return pool.take(herding(vectors, pool.labels, budget))


def _examine(live: Bundle, taught: Taught, parts: Parted) -> tuple[dict[str, Any], dict[str, Any], tuple[Ints, Floats]]:
    """Both models on old and new test texts, for the card; class and probabilities after, over all of them."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    former, scorer = live.scorer(), taught.scorer()
    all_wanted: list[Ints] = []
    all_given: list[Floats] = []
    for name, exam in (("old texts", parts.old_test), ("new texts", parts.new_test)):
        if not len(exam):
            continue
        wanted = class_numbers(exam.labels, taught.classes)
        earlier = former.probabilities(exam.texts)
        earlier = np.pad(earlier, ((0, 0), (0, len(taught.classes) - earlier.shape[1])))
        given = scorer.probabilities(exam.texts)
        before[name], after[name] = marks(wanted, earlier), marks(wanted, given)
        if exam is parts.old_test:
            after["forgetting"] = _lost(accuracy(wanted, earlier) - accuracy(wanted, given))
        all_wanted.append(wanted)
        all_given.append(given)
    return before, after, (np.concatenate(all_wanted), np.concatenate(all_given))


def _lost(losses: NDArray[np.float64]) -> dict[str, float]:
    """Accuracy on old texts before minus after, with a 95 % interval over the texts."""
    low, high = bootstrap_interval(losses)
    return {"value": float(losses.mean()), "low": low, "high": high}


def _joined(one: Texts, other: Texts) -> Texts:
    return Texts([*one.texts, *other.texts], [*one.labels, *other.labels])
