"""How a text model is fine-tuned: every technique of `training`, put together in one place and in plain sight.

A `Method` holds objects, not names; strings become objects in `recipes.techniques`. `teach` applies it to a classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shopkeeper.models.adapters import Adapter, adapt, name_of
from shopkeeper.models.heads import Classifier
from shopkeeper.training.adapting import adapter_hooks
from shopkeeper.training.augmentation import Augmentation
from shopkeeper.training.batching import Batches, Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.class_contrast import Contrast
from shopkeeper.training.criteria import classes, generalised_cross_entropy
from shopkeeper.training.freezing import GradualUnfreezing, open_top
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, Loss, fit
from shopkeeper.training.memory import lessons
from shopkeeper.training.optimisers import Optimiser, Schedule, adamw, layer_rates, warm_cosine
from shopkeeper.training.regularisation import mixup, r_drop
from shopkeeper.training.supervised import Criterion, Labelled, labelled, supervised
from shopkeeper.training.texts import TokenRows
from shopkeeper.training.trunk import Trunk, pays


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What may be varied when a classifier of texts is fine-tuned. The defaults are the measured ones.

    Attributes:
        open_layers: Top layers that learn: 0 for the head only, None for everything. Ignored with an adapter.
        gradual: Open one more layer with each epoch, from the top, down to `open_layers`.
        adapter: Train this small part in place of the layers.
        optimiser: Builds the optimiser.
        schedule: Shape of the learning rate over the run.
        rate: Peak learning rate of the body.
        head_rate: Multiplier of the rate for the head, which starts from nothing.
        layer_decay: Each layer learns this much slower than the one above it; 1 for all alike.
        weight_decay: Decoupled decay of matrices.
        dropout: Before the head.
        smoothing: Share of each label spread over all classes.
        noise: Exponent q of generalised cross-entropy, for wrong labels; 0 for plain cross-entropy.
        agree: Weight of R-Drop's agreement; 0 for one pass.
        mix: Alpha of mixup; 0 for none.
        augment: Changes a text; each text is learnt from once as it is and once changed. None for as they are.
        hooks: Makers of adversarial attacks, weight averages and the like; each run gets fresh ones.
        contrast: First bring texts of one class close to each other, and solve the head: for few labels (SetFit).
        solve: Solve the head by logistic regression before anything moves, so that it does not start from nothing and
            pull the body about (LP-FT, Kumar et al. 2022). Contrast does so anyway.
        refit: Once validation has chosen the epochs and the blend, learn again from the start with validation's texts as
            well; takes twice the time.
        members: Above 1, so many classifiers of different seeds learn first, and their mean logits teach the one that is
            kept, beside the labels (Hinton et al. 2015): an ensemble at the price of one when serving; the members share
            half of the budget. Takes the place of R-Drop and mixup.
        clean: Leave out training texts whose label looks wrong (`cleaning.wrongly_labelled`).
        epochs: Passes over the examples at most; 0 leaves it at contrast and the solved head.
        batch: Texts in a step.
        tokens: Tokens that a text is cut to.
        patience: Validations without improvement before stopping.
        checks: Validations in an epoch.
        bfloat16: Multiply in bfloat16 where the hardware does so natively.
    """

    open_layers: int | None = 2
    gradual: bool = False
    adapter: Adapter | None = None
    optimiser: Optimiser = adamw
    schedule: Schedule = warm_cosine
    rate: float = 2e-4
    head_rate: float = 10.0
    layer_decay: float = 1.0
    weight_decay: float = 0.01
    dropout: float = 0.1
    smoothing: float = 0.0
    noise: float = 0.0
    agree: float = 0.0
    mix: float = 0.0
    augment: Augmentation | None = None
    hooks: tuple[Callable[[], Hook], ...] = ()
    contrast: Contrast | None = None
    solve: bool = False
    refit: bool = False
    members: int = 1
    clean: bool = False
    epochs: int = 4
    batch: int = 32
    tokens: int = 96
    patience: int = 3
    checks: int = 1
    bfloat16: bool = True

    def describe(self) -> dict[str, Any]:
        """Plain values for a card; objects go by their names."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        named = {
            "adapter": name_of(self.adapter) if self.adapter else "",
            "optimiser": self.optimiser.__name__,
            "schedule": self.schedule.__name__,
            "augment": self.augment is not None,
            "contrast": asdict(self.contrast) if self.contrast else {},
            "hooks": [type(make()).__name__ for make in self.hooks],
        }
        return values | named

    def criterion(self) -> Criterion:
        """What it means to be right."""
        return generalised_cross_entropy(self.noise) if self.noise else classes(self.smoothing)

    def loss(self) -> Loss[Labelled]:
        """The loss of a batch."""
        if self.agree:
            return r_drop(self.criterion(), self.agree)
        return mixup(self.criterion(), self.mix) if self.mix else supervised(self.criterion())

    def settings(self, classifier: Classifier, minutes: float) -> FitSettings:
        """The settings of the loop for this classifier."""
        rates = {"linear": self.head_rate}
        if self.layer_decay != 1.0:
            rates |= layer_rates(classifier.model, self.layer_decay, "model.")
        return FitSettings(
            epochs=self.epochs,
            minutes=minutes,
            rate=self.rate,
            rates=rates,
            weight_decay=self.weight_decay,
            optimiser=self.optimiser,
            schedule=self.schedule,
            bfloat16=self.bfloat16,
            checks=self.checks,
            patience=self.patience,
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a classifier is taught.

    Attributes:
        texts: n texts or pairs as token numbers.
        wanted: (n, ...), what is wanted of each, see `Labelled`.
        weights: float32 (n,), how much each counts; all alike when None.
        rows: int64 (m,), which of them an epoch goes through, some perhaps more than once (`memory.rehearsed`); each
            once when None. Weights are not for these.
    """

    texts: TokenRows
    wanted: NDArray[np.generic]
    weights: NDArray[np.float32] | None = field(default=None)
    rows: Ints | None = field(default=None)

    def batches(self, size: int) -> Batches[Labelled]:
        """What an epoch goes through, in batches of at most `size`."""
        if self.rows is None:
            return labelled(self.texts, self.wanted, size, weights=self.weights)
        return lessons(self.texts, torch.from_numpy(np.ascontiguousarray(self.wanted)), self.rows, size)


def prepare(classifier: Classifier, method: Method) -> None:
    """Freeze and open the classifier's body, or put the adapter in."""
    if method.adapter is not None:
        adapt(classifier.backbone, method.adapter)
        return
    open_top(classifier.model, None if method.gradual and method.open_layers is None else method.open_layers)


def teach(
    classifier: Classifier,
    lesson: Lesson,
    method: Method,
    *,
    minutes: float,
    seed: int,
    loss: Loss[Labelled] | None = None,
    validate: Callable[[], float] | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    name: str = "Learning",
) -> FitReport:
    """Fine-tune a prepared classifier in place; frozen lower layers are run once and then answer from memory.

    Args:
        classifier: See `prepare`.
        lesson: What to learn.
        method: How.
        minutes: Wall-time budget.
        seed: Of everything random.
        loss: What to make small; the method's own when None.
        validate: Score of the classifier as it stands, higher is better.
        hooks: More hooks, such as tracking.
        checkpoint: Where the state of the run is kept.
        name: What the progress bar calls it.
    """
    loss = loss or method.loss()
    own: list[Hook] = [make() for make in method.hooks]
    if method.gradual:
        own.append(GradualUnfreezing(classifier.model))
    own.extend(adapter_hooks(classifier.backbone))
    examples = lesson.batches(method.batch)
    settings = method.settings(classifier, minutes)
    with ExitStack() as stack:
        if method.epochs > 1 and not method.gradual and pays(classifier.backbone, lesson.texts):
            trunk = Trunk(classifier.backbone, lesson.texts, bfloat16=method.bfloat16)
            loss = stack.enter_context(trunk.attached()).loss(loss)
            own.append(trunk)
        return fit(
            classifier,
            examples,
            loss,
            settings,
            validate=validate,
            hooks=[*own, *hooks],
            checkpoint=checkpoint,
            seed=seed,
            name=name,
        )
