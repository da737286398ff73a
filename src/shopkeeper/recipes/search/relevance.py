"""The item and query encoder, taught what this shop's words mean: which item answers which query.

Pairs come from behaviour (query -> click, cart, purchase), from human grades and from the catalogue alone; the encoder
learns to prefer each query's item to the other items of the batch and to a hard negative (`contrast.py`). Validation
pairs come from the last period where there is behaviour, and from items held out by hash where there is none. The state
that ranks validation best is kept, which may be the one the encoder came with.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.intervals import paired_difference
from shopkeeper.evaluation.splits import by_hash, by_time
from shopkeeper.models.adapters import foldable, merge
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.reranker import load_reranker
from shopkeeper.recipes.card_plots import learning_plots
from shopkeeper.recipes.fingerprint import fingerprint
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.search.contrast import Exam, Lessons, Marks, RelevanceOptions, teach
from shopkeeper.recipes.search.pairs import (
    Answers,
    Pair,
    believed,
    merged,
    pairs_from_catalogue,
    pairs_from_events,
    pairs_from_judgements,
)
from shopkeeper.recipes.techniques import refuse, with_techniques
from shopkeeper.records import Item
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings

__all__ = ["RelevanceOptions", "gather_lessons", "train_relevance"]

_ENOUGH = 200  # pairs from behaviour below which validation rests on the catalogue


def train_relevance(
    store: Store,
    settings: Settings,
    folder: Path,
    *,
    base: Backbone | None = None,
    seed: int | None = None,
    minutes: float | None = None,
    options: RelevanceOptions | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    onnx: bool = True,
) -> Bundle:
    """Fine-tune an encoder on the shop and save it as a bundle with a card.

    Where `settings.models.reranker` names a cross-encoder, it teaches as well: every pair weighs what it makes of it.

    Args:
        store: Catalogue, events and judgements.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        base: Encoder to start from, changed in place; chosen by `settings.models.encoder` when None.
        seed: Of everything random; `settings.compute.seed` when None.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        options: What may be varied.
        hooks: What else happens in the loop, such as tracking.
        checkpoint: Where the state of the run is kept, so that it survives a kill; clear it once the bundle is safe.
        onnx: Export the int8 graph for serving.

    Raises:
        TrainingError: The catalogue is empty or has too few texts to tell apart.
    """
    options = options or RelevanceOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    lessons = gather_lessons(store, options, np.random.default_rng(seed))
    teacher = load_reranker(settings.models)
    if teacher is not None:
        lessons = replace(lessons, train=believed(lessons.train, lessons.items, teacher))
    if base is None:
        base = load_backbone(
            encoder_name(settings.models, (item.language for item in lessons.items.values())), settings
        )
    base.model.to(pick_device(settings.compute))
    base.max_length = min(base.max_length, options.item_tokens)
    everything = Answers(lessons.items, itertools.chain(lessons.train, lessons.valid))
    exam = Exam(lessons, everything, options, np.random.default_rng(seed))
    answers = Answers(lessons.items, lessons.train)
    asked = method_of(settings, options)
    chosen = fit_settings(settings, asked, lessons, minutes)
    batch = settings.train.batch
    before, after, report = teach(
        base,
        lessons,
        answers,
        exam,
        chosen,
        options,
        batch=batch,
        seed=seed,
        adapter=asked.adapter,
        hooks=[*(make() for make in asked.hooks), *hooks],
        checkpoint=checkpoint,
    )
    card = Card(
        task="relevance",
        name="Which item answers which query",
        data=fingerprint(store) | {"pairs": dict(lessons.counts)},
        settings=chosen.describe() | asdict(options) | {"batch": batch, "teacher": settings.models.reranker},
        seed=seed,
        before={"validation": before.summary()},
        after={"validation": after.summary()},
        notes=_notes(report, before, after, exam),
    )
    plots = learning_plots(report, "MRR")
    if foldable(base):
        merge(base)
    return save_bundle(
        folder,
        card,
        backbone=base,
        delta_of=base.name if base.adapters is not None else "",
        onnx=onnx,
        parameters={"item_tokens": options.item_tokens},
        plots=plots,
    )


_HELD = 0.05  # of the items, where there are too few later events to validate on
_NO_USE = (
    *("smoothing", "r_drop", "mixup", "augment", "contrast", "refit", "solve", "gradual", "members", "noise", "clean"),
    *("dropout", "layers", "layer_decay"),
)


def method_of(settings: Settings, options: RelevanceOptions) -> Method:
    """What the settings ask of the optimiser, adapters and hooks; losses, heads and layers are this recipe's own.

    Raises:
        TrainingError: Something is asked for that contrastive teaching has no use for.
    """
    refuse(settings.train, _NO_USE, "relevance")
    return with_techniques(Method(open_layers=None, rate=options.rate), settings.train)


def fit_settings(settings: Settings, asked: Method, lessons: Lessons, minutes: float | None = None) -> FitSettings:
    """How the loop is run; `asked` is what `method_of` gives."""
    return FitSettings(
        epochs=settings.train.epochs,
        minutes=settings.train.minutes if minutes is None else minutes,
        rate=asked.rate,
        optimiser=asked.optimiser,
        schedule=asked.schedule,
        weight_decay=asked.weight_decay,
        checks=2 if len(lessons.train) > 20_000 else 1,
        patience=2,
    )


def gather_lessons(store: Store, options: RelevanceOptions, rng: np.random.Generator) -> Lessons:
    """Pairs from every source there is, parted into training and validation.

    Raises:
        TrainingError: There are fewer than two items, or nothing that could serve as a query.
    """
    items = _catalogue(store, options.most_items, rng)
    if len(items) < 2:
        raise TrainingError(
            f"The catalogue holds {len(items)} items; telling items apart needs at least two.",
            where="relevance",
            cure="Import products first: shopkeeper import products FILE.",
        )
    events = [pair for pair in pairs_from_events(store, debias=options.debias) if pair.item in items]
    split = by_time([pair.time for pair in events], valid=0.1, test=0.0)
    seen = merged(events[row] for row in split.train)
    graded = [pair for pair in pairs_from_judgements(store) if pair.item in items]
    later = merged(events[row] for row in split.valid)
    warm = len(later) >= min(_ENOUGH, len(items))
    made = pairs_from_catalogue(list(items.values()), rng, per_item=1 if warm else options.per_item)
    held = _held_out(sorted({pair.item for pair in made}))
    invented = [pair for pair in made if warm or pair.item not in held]
    if warm:
        invented = _sample(invented, int(options.catalogue_share * len(seen)), rng)
    else:
        later = [pair for pair in made if pair.item in held]
        seen, graded = ([pair for pair in pairs if pair.item not in held] for pairs in (seen, graded))
    train = _sample([*seen, *graded, *invented], options.most_pairs, rng)
    if len(train) < 2 or not later:
        raise TrainingError(
            "Neither events, nor judgements, nor the items' titles give anything that could be a query.",
            where="relevance",
            cure="Give the items titles of two words or more, or import search events.",
        )
    counts = {"events": len(seen), "judgements": len(graded), "catalogue": len(invented)}
    valid = _sample(later, options.exam, rng)
    made_up = not seen and not graded
    return Lessons(train, valid, items, counts | {"validation": len(later)}, made_up)


def _held_out(items: Sequence[str]) -> set[str]:
    """A twentieth of the items by hash, and one at least, with a query of its own."""
    held = {item for item, chosen in zip(items, by_hash(items, _HELD, salt="relevance"), strict=True) if chosen}
    if held or not items:
        return held
    return {min(items, key=lambda item: hashlib.blake2b(item.encode("utf-8", "surrogatepass")).digest())}


def _catalogue(store: Store, most: int, rng: np.random.Generator) -> dict[str, Item]:
    """Items with a text, at most `most` of them, drawn at random in one pass."""
    kept: list[Item] = []
    for number, item in enumerate(item for item in store.catalogue.scan() if item.title.strip()):
        if number < most:
            kept.append(item)
        elif (place := int(rng.integers(number + 1))) < most:
            kept[place] = item
    return {item.id: item for item in kept}


def _sample(pairs: Sequence[Pair], most: int, rng: np.random.Generator) -> list[Pair]:
    if len(pairs) <= most:
        return list(pairs)
    return [pairs[row] for row in np.sort(rng.permutation(len(pairs))[:most])]


def _notes(report: FitReport, before: Marks, after: Marks, exam: Exam) -> str:
    gain = paired_difference(before.reciprocal_rank, after.reciprocal_rank)
    kept = (
        "Training did not improve validation: the encoder is the base, unchanged."
        if report.best_step == 0
        else f"MRR changed by {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}, paired bootstrap)."
    )
    return (
        f"{report}; state of step {report.best_step} kept. {kept} "
        f"Validation: {len(exam.queries)} queries, each among {len(exam.pool)} items."
    )
