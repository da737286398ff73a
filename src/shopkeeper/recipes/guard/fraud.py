"""How fraud is learnt: from payments, from what humans decided about them, and from payments that are unlike all others.

Trees learn where there are labels, outlier models where there are none; where there are both, a logistic regression on later
payments blends them into a calibrated probability. Each period lies the delay after the one before, so that no label is used
before it could have been known (Dal Pozzolo et al. 2018). A payment that nobody complained about within the delay counts as
genuine. The test period is looked at once; what is served has learnt from all periods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from shopkeeper.compute.device import set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.drift import Reference
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.columns import DAY, TASK, Ints, Payments, Values, read_payments
from shopkeeper.ranking.payments.features import payment_features
from shopkeeper.ranking.payments.model import Blend, Costs, FraudModel
from shopkeeper.ranking.payments.table import DELAY, Feature
from shopkeeper.recipes.card_plots import class_plots
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.guard.fraud_learning import (
    Periods,
    fit_blend,
    grow,
    log_odds,
    marks,
    odd_columns,
    periods,
    spent,
)
from shopkeeper.recipes.guard.outlier_fitting import fit_outliers
from shopkeeper.records import EventKind
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store

LEAST: Final = 20
"""Known frauds to learn from, below which only outliers are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudOptions:
    """What may be varied.

    Attributes:
        delay_days: Until fraud counts as known, and a payment nobody complained about as genuine.
        review_cost: What a review costs, in units of the currency with the most payments.
        margin: Share of a genuine payment's amount that is lost when it is refused.
        reviews_a_day: How many payments may be reviewed a day where nothing is labelled.
        members: LightGBM models that are averaged.
    """

    delay_days: float = DELAY / DAY
    review_cost: float = 5.0
    margin: float = 0.3
    reviews_a_day: float = 20.0
    members: int = 3


@dataclass(frozen=True, slots=True)
class _Lesson:
    """Payments with their features, and who is learnt from when."""

    payments: Payments
    features: tuple[Feature, ...]
    table: Floats
    labels: Ints
    parts: Periods
    worth: Values
    seeds: tuple[int, ...]

    @property
    def enough(self) -> bool:
        """Are there labels to learn from and to blend on?"""
        parts = self.parts
        counts = [int(self.labels[rows].sum()) for rows in (parts.train, parts.valid, parts.test)]
        return counts[0] >= LEAST and min(counts[1:]) >= 2


def train_fraud(
    store: Store,
    settings: Settings,
    folder: Path,
    *,
    vectors: Floats | None = None,
    row: Callable[[str], int | None] = lambda _: None,
    options: FraudOptions | None = None,
    parent: str = "",
) -> Bundle:
    """Learn to judge payments from the store's log and its review queue, and save what was learnt.

    Args:
        store: Where the purchases and decisions are.
        settings: Seed and threads.
        folder: Where the bundle goes; must not exist yet.
        vectors: Encoder vectors of the shelf's rows, float32 (rows, d), or None to go without words.
        row: The row of an item's vector, None where it has none.
        options: What may be varied.
        parent: Version of the bundle that this one follows.

    Returns:
        A bundle of task ``fraud`` for `tasks.guard.task.GuardTask`. Its card has AUC and average precision on the test of amounts
        alone and of outliers alone (before), of all that was learnt, and of all but each group of features (after).

    Raises:
        TrainingError: There are fewer than 64 payments.
        ExtraMissingError: pyod is not installed.
    """
    options, seed = options or FraudOptions(), settings.compute.seed
    set_threads(settings.compute)
    events = (event for _, event in store.events.scan(kinds=[EventKind.PURCHASE]))
    payments = read_payments(events, store.labels.decided(TASK), row if vectors is not None else lambda _: None)
    if len(payments) < 64:
        raise TrainingError(
            f"{len(payments)} payments are too few to tell what is ordinary.", cure="Import 64 purchases at least."
        )
    return learn_fraud(
        payments, folder, vectors=vectors, options=options, seed=seed, parent=parent, data=fingerprint(store)
    )


def learn_fraud(
    payments: Payments,
    folder: Path,
    *,
    vectors: Floats | None = None,
    options: FraudOptions,
    seed: int,
    parent: str = "",
    data: Mapping[str, Any] | None = None,
) -> Bundle:
    """The same from payments in hand; see `train_fraud`."""
    delay, medians = int(options.delay_days * DAY), payments.medians()
    features, table = payment_features(payments, medians=medians, vectors=vectors, delay=delay)
    main = payments.currencies[np.bincount(payments.currency).argmax()]
    scale = np.array([medians.get(main, 1.0) / medians.get(code, 1.0) for code in payments.currencies])
    lesson = _Lesson(
        payments=payments,
        features=features,
        table=table,
        labels=(payments.fraud == 1).astype(np.int64),
        parts=periods(payments, delay),
        worth=payments.amount * scale[payments.currency],
        seeds=tuple(range(seed, seed + options.members)),
    )
    model = FraudModel(
        features=features,
        outliers=fit_outliers(table, seed, columns=odd_columns(features)),
        trees=(),
        blend=Blend(),
        costs=Costs(options.review_cost, options.margin),
        threshold=1.0,
        medians=medians,
        main=main,
        kinds=tuple(payments.counterparts),
        delay=delay,
        words=vectors is not None,
    )
    if lesson.enough:
        model, before, after, plots, notes = _supervised(lesson, model, seed)
    else:
        model, notes = _unsupervised(lesson, model, options)
        before, after, plots = {}, {}, {}
    reference = Reference.fit(np.column_stack([table, model.scores(table)]))
    arrays, parameters = model.save()
    counts = {name: len(getattr(lesson.parts, name)) for name in ("train", "valid", "test")}
    card = Card(
        task=TASK,
        name="Guard of payments",
        parent=parent,
        data={**(data or {}), "payments": len(payments), "known_frauds": int(lesson.labels.sum()), **counts},
        settings=asdict(options),
        seed=seed,
        before=before,
        after=after,
        notes=notes,
    )
    return save_bundle(folder, card, arrays=arrays | reference.save(), parameters=parameters, plots=plots)


def _supervised(
    lesson: _Lesson, model: FraudModel, seed: int
) -> tuple[FraudModel, dict[str, Any], dict[str, Any], dict[str, bytes], str]:
    """Trees of the first period blended on the second, measured on the third; then trees of all three."""
    parts, labels, table = lesson.parts, lesson.labels, lesson.table
    outliers = fit_outliers(table[parts.train], seed, columns=odd_columns(lesson.features))
    trees = grow(table[parts.train], labels[parts.train], lesson.seeds)
    blend = fit_blend(labels[parts.valid], log_odds(trees, table[parts.valid]), outliers.score(table[parts.valid]))
    ranks = outliers.score(table[parts.test])
    found = blend.probabilities(log_odds(trees, table[parts.test]), ranks)
    tested, worth = labels[parts.test], lesson.worth[parts.test]
    costs = {
        "test": spent(tested, model.costs.actions(found, worth), worth, model.costs),
        "allow everything": spent(tested, np.zeros(len(tested), dtype=np.int64), worth, model.costs),
    }
    amounts = table[parts.test][:, [str(feature) for feature in lesson.features].index("amount.payment.amount.")]
    before = {
        "amount alone": marks(tested, amounts.astype(np.float64)),
        "without labels": marks(tested, ranks),
        "cost of a payment": _mean(costs["allow everything"]),
    }
    after: dict[str, Any] = {"test": marks(tested, found, honest=True), "cost of a payment": _mean(costs["test"])}
    for group in dict.fromkeys(feature.group for feature in lesson.features):
        kept = [place for place, feature in enumerate(lesson.features) if feature.group != group]
        less = grow(table[parts.train][:, kept], labels[parts.train], lesson.seeds[:1])
        after[f"trees without {group}"] = marks(tested, log_odds(less, table[parts.test][:, kept]))
    whole = np.concatenate([parts.train, parts.valid, parts.test])
    model = replace(model, trees=grow(table[whole], labels[whole], lesson.seeds), blend=blend)
    notes = (
        f"{len(lesson.seeds)} LightGBM models; blend {blend.trees:.2f} of their log-odds, {blend.outliers:.2f} of the rank "
        f"among outliers, by {len(parts.valid)} later payments. What is served learnt from all periods."
    )
    return model, before, after, class_plots(tested, found, ("genuine", "fraud")), notes


def _unsupervised(lesson: _Lesson, model: FraudModel, options: FraudOptions) -> tuple[FraudModel, str]:
    """Outliers alone, with so many reviews a day as there is time for."""
    days = max((int(lesson.payments.time[-1]) - int(lesson.payments.time[0])) / DAY, 1.0)
    share = min(options.reviews_a_day * days / len(lesson.payments), 1.0)
    threshold = float(np.quantile(model.outliers.score(lesson.table), 1 - share))
    return replace(model, threshold=threshold), (
        f"{int(lesson.labels.sum())} known frauds are too few to learn from ({LEAST} in the first half and 2 in each "
        f"quarter that follows are needed): outliers alone, {options.reviews_a_day:g} reviews a day."
    )


def _mean(values: Values) -> dict[str, float]:
    low, high = bootstrap_interval(values)
    return {"value": float(values.mean()), "low": low, "high": high}
