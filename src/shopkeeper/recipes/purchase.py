"""The probability that this customer buys this item, read from words.

Customer in words + item in words -> backbone -> dropout -> linear -> cross-entropy. Moments of decision are parted by
time; the head is straightened on validation so that it says honest probabilities; the test period is looked at twice,
before and after, beside two baselines of the same run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit, logit
from torch import Tensor, nn

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.evaluation.classification import accuracy, auc, auc_interval, calibration_error, log_loss
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.recipes.card_plots import class_plots, learning_plots
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.purchase_baselines import Values, linear_words, popularity_prior, straightened
from shopkeeper.recipes.purchase_moments import Period, Periods, gather_periods
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.batching import Buckets, Ints
from shopkeeper.training.freezing import open_top, trainable_share
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, fit
from shopkeeper.training.objectives import cross_entropy
from shopkeeper.training.texts import tokenise_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOptions:
    """What may be varied.

    Attributes:
        open_layers: Top layers of the body that learn: 0 for the head only, None for everything.
        rate: Peak learning rate of the body.
        head_rate: Multiplier of the rate for the head, which starts from nothing.
        weight_decay: Decoupled decay.
        dropout: Before the head.
        tokens: Tokens that customer and item together are cut to.
        patience: Validations without improvement before training stops; there is one an epoch.
        window: Days within which a purchase counts.
        most: Moments of training, validation and test at most.
        tuned: Which of these a search chose.
    """

    open_layers: int | None = 2
    rate: float = 1e-4
    head_rate: float = 10.0
    weight_decay: float = 0.01
    dropout: float = 0.1
    tokens: int = 80
    patience: int = 3
    window: float = 7.0
    most: tuple[int, int, int] = (12_000, 1_000, 1_500)
    tuned: tuple[str, ...] = ()


def train_purchase(
    store: Store,
    settings: Settings,
    folder: Path,
    *,
    base: Backbone | None = None,
    seed: int | None = None,
    minutes: float | None = None,
    options: PurchaseOptions | None = None,
    hooks: Sequence[Hook] = (),
    onnx: bool = True,
) -> Bundle:
    """Fine-tune a pair classifier on what customers looked at and bought, and save it as a bundle with a card.

    Args:
        store: Events of customers, the catalogue, reviews.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        base: Backbone to start from, changed in place; chosen by `settings.models.encoder` when None.
        seed: Of everything random; `settings.compute.seed` when None.
        minutes: Wall-time budget of the fit; `settings.train.minutes` when None.
        options: What may be varied.
        hooks: What else happens in the loop, such as tracking.
        onnx: Export the int8 graph for serving.

    Raises:
        TrainingError: There are no looks at items, or none or all of them were followed by a purchase.
    """
    options = options or PurchaseOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    periods = gather_periods(store, np.random.default_rng(seed), window=options.window, most=options.most)
    languages = (item.language for item in store.catalogue.scan())
    base = base or load_backbone(encoder_name(settings.models, languages), settings)
    base.max_length = min(base.max_length, options.tokens)
    classifier = new_classifier(base, options, seed).to(pick_device(settings.compute))
    chosen = fit_settings(settings, options, minutes)
    batch = batch_size(settings)
    straighten(classifier, periods.valid)
    before = probabilities(classifier, periods.test)
    report = teach(classifier, periods, chosen, options, batch=batch, seed=seed, hooks=hooks)
    straighten(classifier, periods.valid)
    after = probabilities(classifier, periods.test)
    labels = periods.test.labels
    others = {"popularity": popularity_prior(periods), "tf-idf": linear_words(periods)}
    card = Card(
        task="purchase",
        name="Will this customer buy this item?",
        data=fingerprint(store) | _counts(periods),
        settings=chosen.describe() | asdict(options) | {"batch": batch},
        seed=seed,
        before={"test": marks(labels, before)},
        after={"test": marks(labels, after)} | {name: marks(labels, values) for name, values in others.items()},
        notes=_notes(report, trainable_share(classifier)),
    )
    plots = learning_plots(report, "minus log-loss") | class_plots(labels, after, ("not bought", "bought"))
    parameters = {"window": periods.window}
    return save_bundle(folder, card, classifier=classifier, onnx=onnx, parameters=parameters, plots=plots)


def fit_settings(settings: Settings, options: PurchaseOptions, minutes: float | None = None) -> FitSettings:
    """How the loop is run."""
    return FitSettings(
        epochs=settings.train.epochs,
        minutes=settings.train.minutes if minutes is None else minutes,
        rate=options.rate,
        rates={"linear": options.head_rate},
        weight_decay=options.weight_decay,
        checks=1,
        patience=options.patience,
    )


def batch_size(settings: Settings) -> int:
    """Moments of one optimiser step: pairs of long texts, of which fewer make a step than of short ones."""
    return min(settings.train.batch, 32)


def new_classifier(base: Backbone, options: PurchaseOptions, seed: int) -> Classifier:
    """A classifier with a fresh head and the wished layers open."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(base, classes=2, dropout=options.dropout)
    open_top(classifier.model, options.open_layers)
    return classifier


def teach(
    classifier: Classifier,
    periods: Periods,
    settings: FitSettings,
    options: PurchaseOptions,
    *,
    batch: int,
    seed: int,
    hooks: Sequence[Hook] = (),
) -> FitReport:
    """Fine-tune in place on the training period, stopping early by log-loss on validation.

    Every state is judged straightened, as it will be served: otherwise the untrained head, which is straightened
    already, has an advantage over all others wherever the share of buyers moves with time.
    """
    rows = tokenise_pairs(classifier.backbone, periods.train.customers, periods.train.items, options.tokens)
    labels = torch.from_numpy(periods.train.labels)

    def collate(chosen: Ints) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        return rows.batch(chosen), labels[torch.from_numpy(chosen)]

    def loss(model: nn.Module, examples: tuple[tuple[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        device = classifier.linear.weight.device
        inputs, wanted = examples
        return cross_entropy(model(*(part.to(device) for part in inputs)), wanted.to(device))

    def validate() -> float:
        logits = _logits(probabilities(classifier, periods.valid))
        slope, shift = straightened(periods.valid.labels, logits)
        return -float(log_loss(periods.valid.labels, expit(slope * logits + shift)).mean())

    buckets = Buckets(rows.lengths, batch, collate)
    name = "Learning who buys what"
    return fit(classifier, buckets, loss, settings, validate=validate, hooks=hooks, seed=seed, name=name)


def probabilities(classifier: Classifier, period: Period) -> Values:
    """Probability of a purchase at each moment, float (n,)."""
    return np.asarray(TorchScorer(classifier, bf16=True).score(period.customers, period.items), dtype=np.float64)


def straighten(classifier: Classifier, period: Period) -> None:
    """Fold the slope and shift that make the head honest on `period` into its weights."""
    slope, shift = straightened(period.labels, _logits(probabilities(classifier, period)))
    head = classifier.linear
    with torch.no_grad():
        weight = slope * (head.weight[1] - head.weight[0]) / 2
        bias = (slope * (head.bias[1] - head.bias[0]) + shift) / 2
        head.weight.copy_(torch.stack([-weight, weight]))
        head.bias.copy_(torch.stack([-bias, bias]))


def marks(labels: Ints, given: Values) -> dict[str, Any]:
    """Accuracy, AUC and log-loss with 95 % intervals, and the expected calibration error."""
    found: dict[str, Any] = {"ece": {"value": calibration_error(labels, given)}}
    low, high = auc_interval(labels, given)
    found["auc"] = {"value": auc(labels, given), "low": low, "high": high}
    for name, values in (("accuracy", accuracy(labels, given)), ("log_loss", log_loss(labels, given))):
        low, high = bootstrap_interval(values)
        found[name] = {"value": float(values.mean()), "low": low, "high": high}
    return found


def _logits(given: Values) -> Values:
    return np.asarray(logit(np.clip(given, 1e-7, 1 - 1e-7)), dtype=np.float64)


def _counts(periods: Periods) -> dict[str, Any]:
    parts = {"train": periods.train, "valid": periods.valid, "test": periods.test}
    return {
        name: {"moments": len(part.labels), "bought": int(part.labels.sum()), "from": part.moments[0].time}
        for name, part in parts.items()
    } | {"window_days": periods.window}


def _notes(report: FitReport, share: float) -> str:
    first, last = report.losses[:10], report.losses[-10:]
    return (
        f"{report.steps} steps, {report.epochs:.1f} epochs, {report.seconds:.0f} s, ended by {report.stopped}; state of step "
        f"{report.best_step} kept; {share:.0%} of the parameters learnt. Training loss {sum(first) / len(first):.3f} -> "
        f"{sum(last) / len(last):.3f}. Before is the untrained head, straightened on validation like the trained one."
    )
