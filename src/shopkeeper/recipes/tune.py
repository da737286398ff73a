"""Search for the options of a recipe on this shop's own data, and keep what is clearly better than the defaults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from shopkeeper.compute.cores import threads
from shopkeeper.errors import InputError
from shopkeeper.evaluation.plots import drawable, search_history
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import known_past
from shopkeeper.recipes.customers.purchase import PurchaseOptions
from shopkeeper.recipes.customers.purchase_moments import gather_periods
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.language.domain import domain_base
from shopkeeper.recipes.search.contrast import RelevanceOptions
from shopkeeper.recipes.search.relevance import gather_lessons
from shopkeeper.recipes.search_spaces import PURCHASE, RELEVANCE, PurchaseTrials, RelevanceTrials
from shopkeeper.recipes.techniques import refuse
from shopkeeper.recipes.tuned import Verdict, judge, keep
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.tuning import Objective, SearchReport, Space, search

TUNABLE = ("relevance", "purchase")
"""Recipes whose options can be searched."""
SCORES = {"relevance": "validation MRR", "purchase": "minus validation log-loss"}
"""What a search of each makes large."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a search came to.

    Attributes:
        file: Where training finds it.
        plot: Its history as a picture, None where matplotlib is not installed.
    """

    report: SearchReport
    verdict: Verdict
    file: Path
    plot: Path | None


def tune(
    store: Store,
    settings: Settings,
    task: str,
    *,
    trials: int,
    minutes: float,
    workers: int = 1,
    load: Callable[[], Backbone] | None = None,
) -> Tuning:
    """Search, judge, and write the result to ``<home>/tuned/<task>.json``.

    Called again with the same data, encoder and settings it goes on where it was; with others it begins anew.

    Args:
        store: What the shop knows; what `curriculum.train` holds out stays unseen here as well.
        settings: `settings.train` is the budget of each trial, as it will be that of training.
        task: One of `TUNABLE`.
        trials: Of the whole search.
        minutes: Wall time of this call.
        workers: Processes; they share the threads.
        load: Loads the backbone anew for each trial; when None what training starts from: the live one that has read the
            shop's texts, or what `settings.models` names.

    Raises:
        InputError: The task cannot be tuned.
        TrainingError: There is not enough data, or a setting fixes what is to be searched.
    """
    refuse(settings.train, ("rate", "layers", "weight_decay", "dropout"), "tuning")
    encoder = encoder_name(settings.models, (item.language for item in store.catalogue.scan()))
    share = max(1, threads(settings.compute) // workers)
    each = settings.model_copy(update={"compute": settings.compute.model_copy(update={"threads": share})})
    load = load or partial(load_start, encoder, each)
    space, start, objective = _problem(store, each, task, load)
    folder = settings.home / "tuned"
    about = [task, encoder, settings.compute.seed, settings.train.model_dump(), fingerprint(store), str(space), start]
    about.append(Registry(settings.bundles).live_version("domain"))
    mark = hashlib.blake2b(json.dumps(about, default=str).encode(), digest_size=6).hexdigest()
    report = search(
        objective,
        space,
        start=[start],
        trials=trials,
        minutes=minutes,
        seed=settings.compute.seed,
        storage=folder / f"{task}-{mark}.journal",
        workers=workers,
    )
    verdict = judge(report)
    file = keep(settings.home, task, report, verdict, encoder=encoder)
    return Tuning(report, verdict, file, _draw(report, task, folder))


def load_start(encoder: str, settings: Settings) -> Backbone:
    """The backbone from which training starts: the live one that has read the shop's texts, or the encoder as it came."""
    return domain_base(Registry(settings.bundles), encoder) or load_backbone(encoder, settings)


def _problem(
    store: Store, settings: Settings, task: str, load: Callable[[], Backbone]
) -> tuple[Space, dict[str, object], Objective]:
    rng = np.random.default_rng(settings.compute.seed)
    if task == "relevance":
        relevance = RelevanceOptions()
        lessons = gather_lessons(known_past(store), relevance, rng)
        start = {name: getattr(relevance, name) for name in RELEVANCE}
        return RELEVANCE, start, RelevanceTrials(lessons, settings, load)
    if task == "purchase":
        options = PurchaseOptions()
        periods = gather_periods(store, rng, window=options.window, most=options.most)
        start = {name: getattr(options, name) for name in PURCHASE}
        return PURCHASE, start, PurchaseTrials(periods, settings, load)
    raise InputError(f"{task!r} cannot be tuned.", where="task", cure=f"Choose among {', '.join(TUNABLE)}.")


def _draw(report: SearchReport, task: str, folder: Path) -> Path | None:
    if not drawable():
        return None
    shown = [attempt for attempt in report.attempts if attempt.state != "cut"]
    pruned = [attempt.state != "done" for attempt in shown]
    file = folder / f"{task}.png"
    file.write_bytes(search_history([attempt.score for attempt in shown], pruned, score=SCORES[task]))
    return file
