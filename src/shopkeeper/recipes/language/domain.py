"""A backbone that has read the shop's own texts, as a better start for everything that is fine-tuned afterwards.

Item texts, passages and queries -> one of five ways of learning without labels (`domain_lessons`) -> the body alone, as a
bundle of the task ``domain``. A twentieth of the texts is held out; the state that does best on them is kept, which may be
the one the backbone came with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.language.domain_lessons import DomainOptions, Lesson, Objective, lesson_of
from shopkeeper.recipes.language.domain_texts import related, texts_of
from shopkeeper.recipes.techniques import refuse
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.freezing import open_top
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings

_NO_USE = (
    *(
        "layers",
        "adapter",
        "adversarial",
        "average",
        "optimiser",
        "schedule",
        "rate",
        "layer_decay",
        "smoothing",
        "r_drop",
    ),
    *(
        "mixup",
        "augment",
        "contrast",
        "refit",
        "solve",
        "gradual",
        "members",
        "noise",
        "clean",
        "weight_decay",
        "dropout",
    ),
)

__all__ = ["DomainOptions", "Objective", "domain_base", "train_domain"]


def train_domain(
    store: Store,
    settings: Settings,
    folder: Path,
    *,
    base: Backbone | None = None,
    objective: Objective | None = None,
    seed: int | None = None,
    minutes: float | None = None,
    options: DomainOptions | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
) -> Bundle:
    """Go on pretraining on the shop's own texts and save the body as a bundle with a card.

    Args:
        store: Catalogue, passages and queries.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        base: Backbone to start from, changed in place; chosen by `settings.models.encoder` when None.
        objective: ``mlm``, ``clm``, ``tsdae``, ``simcse`` or ``pairs``; when None, words are guessed as the backbone
            does it: ``clm`` for causal ones, else ``mlm``.
        seed: Of everything random; `settings.compute.seed` when None.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        options: What may be varied.
        hooks: What else happens in the loop, such as tracking.
        checkpoint: Where the state of the run is kept, so that it survives a kill; clear it once the bundle is safe.

    Raises:
        TrainingError: There are too few texts, or the backbone cannot learn in this way.
    """
    refuse(settings.train, _NO_USE, "domain")
    options = options or DomainOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    texts = texts_of(store, options.most)
    encoder = encoder_name(settings.models, (item.language for item in store.catalogue.scan()))
    base = base or load_backbone(encoder, settings)
    objective = objective or ("clm" if base.causal else "mlm")
    base.model.to(pick_device(settings.compute))
    open_top(base.model, options.open_layers)
    if not options.embeddings:
        base.model.get_input_embeddings().requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lesson = lesson_of(base, objective, texts, related(store, options.most), settings.train.batch, options)
    chosen = FitSettings(
        epochs=settings.train.epochs,
        minutes=settings.train.minutes if minutes is None else minutes,
        rate=options.rate,
        rates=dict.fromkeys(lesson.heads, options.head_rate),
        checks=2,
        patience=3,
    )
    report = lesson.learn(chosen, seed, hooks, checkpoint)
    if report.best_step > 0:
        base.source = f"{base.source or base.name}, then {objective} on the shop's texts"
    card = Card(
        task="domain",
        name="What the shop's texts read like",
        data=fingerprint(store) | {"texts": len(texts)},
        settings=chosen.describe() | asdict(options) | {"objective": objective, "batch": settings.train.batch},
        seed=seed,
        before=_marks(lesson, report.before),
        after=_marks(lesson, report.best),
        notes=_notes(report, lesson),
    )
    return save_bundle(folder, card, backbone=base, onnx=False, parameters={"encoder": encoder})


def domain_base(registry: Registry, encoder: str) -> Backbone | None:
    """The live backbone that has read the shop's texts, when it began as the `encoder` that is wanted; else None."""
    live = registry.live("domain")
    return live.backbone() if live is not None and live.parameters.get("encoder") == encoder else None


def _marks(lesson: Lesson, score: float | None) -> dict[str, Any]:
    loss = -(score or 0.0)
    found = {"loss": {"value": loss}}
    return {"held-out texts": found | ({"perplexity": {"value": math.exp(min(loss, 50.0))}} if lesson.speaks else {})}


def _notes(report: FitReport, lesson: Lesson) -> str:
    kept = "The body is the base, unchanged." if report.best_step == 0 else f"State of step {report.best_step} kept."
    measure = (
        "The loss is of words to guess, over the tokens that the shop's texts hold"
        if lesson.speaks
        else "The loss is of texts that have to find their other half in the batch"
    )
    return f"{report}. {kept} {measure}; before is the base with an untrained head."
