"""What may be tuned of each recipe, and how one trial is run: the recipe's own lesson, judged on its validation only.

An objective carries its data with it, so that other processes can run it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.evaluation.classification import log_loss
from shopkeeper.models.backbone import Backbone
from shopkeeper.recipes.customers import purchase
from shopkeeper.recipes.customers.purchase import PurchaseOptions
from shopkeeper.recipes.customers.purchase_moments import Periods
from shopkeeper.recipes.search import contrast, relevance
from shopkeeper.recipes.search.contrast import Exam, Lessons, RelevanceOptions
from shopkeeper.recipes.search.pairs import Answers
from shopkeeper.recipes.tuned import with_tuned
from shopkeeper.settings import Settings
from shopkeeper.training.tuning import Among, Between, Pruning, Space, Trial, Tried, Whole

RELEVANCE: Space = {
    "rate": Between(2e-5, 2e-3, log=True),
    "open_share": Between(0.1, 1.0),
    "item_tokens": Whole(16, 96),
    "negatives": Among(("near", "mined", "none")),
}
PURCHASE: Space = {
    "rate": Between(1e-5, 1e-3, log=True),
    "open_layers": Among((0, 1, 2, 4, None)),
    "dropout": Between(0.0, 0.5),
    "weight_decay": Between(1e-4, 0.3, log=True),
}


@dataclass(frozen=True, slots=True)
class RelevanceTrials:
    """Teach the encoder with a trial's options; the score is the MRR on validation.

    Attributes:
        lessons: What `relevance.gather_lessons` found.
        settings: Budget, batch, seed and threads of each trial.
        load: Loads the encoder anew.
    """

    lessons: Lessons
    settings: Settings
    load: Callable[[], Backbone]

    def __call__(self, trial: Trial) -> Tried:
        """Run one trial."""
        seed, lessons = self.settings.compute.seed, self.lessons
        set_threads(self.settings.compute)
        options = with_tuned(RelevanceOptions(), trial.values)
        base = self.load()
        base.model.to(pick_device(self.settings.compute))
        base.max_length = min(base.max_length, options.item_tokens)
        everything = Answers(lessons.items, itertools.chain(lessons.train, lessons.valid))
        exam = Exam(lessons, everything, options, np.random.default_rng(seed))
        answers = Answers(lessons.items, lessons.train)
        asked = relevance.method_of(self.settings, options)
        _, after, _ = contrast.teach(
            base,
            lessons,
            answers,
            exam,
            relevance.fit_settings(self.settings, asked, lessons),
            options,
            batch=self.settings.train.batch,
            seed=seed,
            adapter=asked.adapter,
            hooks=[*(make() for make in asked.hooks), Pruning(trial)],
        )
        return Tried(float(after.reciprocal_rank.mean()), after.reciprocal_rank)


@dataclass(frozen=True, slots=True)
class PurchaseTrials:
    """Teach the purchase classifier with a trial's options; the score is minus the log-loss of validation.

    Attributes:
        periods: Moments of decision; those of the test period are not looked at.
        settings: Budget, batch, seed and threads of each trial.
        load: Loads the backbone anew.
    """

    periods: Periods
    settings: Settings
    load: Callable[[], Backbone]

    def __call__(self, trial: Trial) -> Tried:
        """Run one trial."""
        seed, valid = self.settings.compute.seed, self.periods.valid
        set_threads(self.settings.compute)
        options = with_tuned(PurchaseOptions(), trial.values)
        base = self.load()
        base.max_length = min(base.max_length, options.tokens)
        method, minutes = purchase.method_of(self.settings, options), self.settings.train.minutes
        classifier = purchase.new_classifier(base, method, seed).to(pick_device(self.settings.compute))
        purchase.straighten(classifier, valid)
        purchase.teach_buyers(classifier, self.periods, method, minutes=minutes, seed=seed, hooks=[Pruning(trial)])
        purchase.straighten(classifier, valid)
        rows = -log_loss(valid.labels, purchase.probabilities(classifier, valid))
        return Tried(float(rows.mean()), rows)
