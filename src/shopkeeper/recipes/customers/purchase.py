"""The probability that this customer buys this item, read from words.

Customer in words + item in words -> backbone -> dropout -> linear -> cross-entropy. Moments of decision are parted by
time; the head is straightened on validation so that it says honest probabilities. Words know nothing of how an item
sells, so its own record is weighed in on validation (`models.chances`). The test period is looked at twice, before and
after, beside two baselines of the same run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.evaluation.classification import accuracy, auc, auc_interval, calibration_error, log_loss
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.adapters import foldable, merge
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.chances import Chances, to_logit, together
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.recipes.card_plots import class_plots, learning_plots
from shopkeeper.recipes.customers.purchase_baselines import (
    Values,
    item_ids,
    item_rates,
    linear_words,
    straightened,
    weigh,
)
from shopkeeper.recipes.customers.purchase_moments import Period, Periods, gather_periods
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.recipes.techniques import refuse, with_techniques
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.batching import Ints
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.freezing import trainable_share
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport
from shopkeeper.training.texts import tokenise_pairs

_A_MINUTE = 4_000
"""Moments that two cores read in a minute; what comes beyond a budget would be encoded and never learnt from."""
_LEAST = 1_000


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
        most: Moments of training, validation and test at most; of training no more than a short budget has time to read.
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
    checkpoint: Checkpoint | None = None,
    onnx: bool = True,
    seen: Mapping[str, str] | None = None,
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
        checkpoint: Where the state of the run is kept, so that it survives a kill; clear it once the bundle is safe.
        onnx: Export the int8 graph for serving.
        seen: Item id to what its pictures show beyond its words, see `retrieval.looks.Looks.told`.

    Raises:
        TrainingError: There are no looks at items, or none or all of them were followed by a purchase.
    """
    options = options or PurchaseOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    budget = settings.train.minutes if minutes is None else minutes
    most = (min(options.most[0], max(_LEAST, round(_A_MINUTE * budget))), *options.most[1:])
    periods = gather_periods(store, np.random.default_rng(seed), window=options.window, most=most, seen=seen)
    languages = (item.language for item in store.catalogue.scan())
    base = base or load_backbone(encoder_name(settings.models, languages), settings)
    base.max_length = min(base.max_length, options.tokens)
    method = method_of(settings, options)
    classifier = new_classifier(base, method, seed).to(pick_device(settings.compute))
    straighten(classifier, periods.valid)
    before = probabilities(classifier, periods.test)
    report = teach_buyers(classifier, periods, method, minutes=budget, seed=seed, hooks=hooks, checkpoint=checkpoint)
    learnt = trainable_share(classifier)
    straighten(classifier, periods.valid)
    after = probabilities(classifier, periods.test)
    labels = periods.test.labels
    rates = item_rates(periods)
    tested = rates.of(item_ids(periods.test))
    weights = weigh(periods.valid.labels, probabilities(classifier, periods.valid), rates.of(item_ids(periods.valid)))
    chances = Chances(TorchScorer(classifier), rates, weights)
    others = {
        "with the item's own rate": together(after, tested, weights),
        "popularity": tested,
        "tf-idf": linear_words(periods),
    }
    card = Card(
        task="purchase",
        name="Will this customer buy this item?",
        data=fingerprint(store) | _counts(periods),
        settings=method.describe() | {"window": options.window, "most": options.most, "tuned": options.tuned},
        seed=seed,
        before={"test": marks(labels, before)},
        after={"test": marks(labels, after)} | {name: marks(labels, values) for name, values in others.items()},
        notes=_notes(report, learnt),
    )
    plots = learning_plots(report, "minus log-loss") | class_plots(labels, after, ("not bought", "bought"))
    if foldable(base):
        merge(base)
    return save_bundle(
        folder,
        card,
        classifier=classifier,
        delta_of=base.name if base.adapters is not None else "",
        onnx=onnx,
        parameters={"window": periods.window, "chances": chances.to_json()},
        plots=plots,
    )


def method_of(settings: Settings, options: PurchaseOptions) -> Method:
    """How the classifier is fine-tuned: the recipe's own way, with what the settings ask for.

    Raises:
        TrainingError: Something is asked for that this recipe has no use for.
    """
    refuse(settings.train, ("augment", "contrast", "refit", "solve", "members", "clean"), "purchase")
    own = Method(
        open_layers=options.open_layers,
        rate=options.rate,
        head_rate=options.head_rate,
        weight_decay=options.weight_decay,
        dropout=options.dropout,
        epochs=settings.train.epochs,
        batch=batch_size(settings),
        tokens=options.tokens,
        patience=options.patience,
    )
    return with_techniques(own, settings.train)


def batch_size(settings: Settings) -> int:
    """Moments of one optimiser step: pairs of long texts, of which fewer make a step than of short ones."""
    return min(settings.train.batch, 32)


def new_classifier(base: Backbone, method: Method, seed: int) -> Classifier:
    """A classifier with a fresh head and the wished layers open, or an adapter in their place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(base, classes=2, dropout=method.dropout)
    prepare(classifier, method)
    return classifier


def teach_buyers(
    classifier: Classifier,
    periods: Periods,
    method: Method,
    *,
    minutes: float,
    seed: int,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
) -> FitReport:
    """Fine-tune in place on the training period, stopping early by log-loss on validation.

    Every state is judged straightened, as it will be served: otherwise the untrained head, which is straightened
    already, has an advantage over all others wherever the share of buyers moves with time.
    """
    rows = tokenise_pairs(classifier.backbone, periods.train.customers, periods.train.items, method.tokens)

    def validate() -> float:
        logits = to_logit(probabilities(classifier, periods.valid))
        slope, shift = straightened(periods.valid.labels, logits)
        return -float(log_loss(periods.valid.labels, expit(slope * logits + shift)).mean())

    return teach(
        classifier,
        Lesson(rows, periods.train.labels),
        method,
        minutes=minutes,
        seed=seed,
        validate=validate,
        hooks=hooks,
        checkpoint=checkpoint,
        name="Learning who buys what",
    )


def probabilities(classifier: Classifier, period: Period) -> Values:
    """Probability of a purchase at each moment, float (n,)."""
    return np.asarray(TorchScorer(classifier, bf16=True).score(period.customers, period.items), dtype=np.float64)


def straighten(classifier: Classifier, period: Period) -> None:
    """Fold the slope and shift that make the head honest on `period` into its weights."""
    slope, shift = straightened(period.labels, to_logit(probabilities(classifier, period)))
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


def _counts(periods: Periods) -> dict[str, Any]:
    parts = {"train": periods.train, "valid": periods.valid, "test": periods.test}
    return {
        name: {"moments": len(part.labels), "bought": int(part.labels.sum()), "from": part.moments[0].time}
        for name, part in parts.items()
    } | {"window_days": periods.window}


def _notes(report: FitReport, share: float) -> str:
    first, last = report.losses[:10], report.losses[-10:]
    return (
        f"{report}; state of step {report.best_step} kept; {share:.0%} of the parameters learnt. Training loss {sum(first) / len(first):.3f} -> "
        f"{sum(last) / len(last):.3f}. Before is the untrained head, straightened on validation like the trained one."
    )
