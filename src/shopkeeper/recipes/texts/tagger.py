"""Finds brands, products, models and other mentions in titles: a fine-tuned backbone, blended with a linear tagger.

Marked titles -> lexicon -> linear tagger over clues; and title by character -> backbone (-> the words of the lexicon) ->
linear -> CRF. How much each of the two counts is chosen on the development titles, where one alone may win.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.spans import f1_interval, micro_f1, span_counts
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.card import Card
from shopkeeper.models.lm_heads import LanguageModel
from shopkeeper.models.tagging.bundle import save_tagger
from shopkeeper.models.tagging.characters import Pieces, Reader, Units
from shopkeeper.models.tagging.clues import Lexicon
from shopkeeper.models.tagging.spans import tag_names
from shopkeeper.models.tagging.tagger import Tagger, TorchMember
from shopkeeper.models.tagging.text_tagger import TextTagger, decoded, scored
from shopkeeper.recipes.texts.tagger_baseline import FEW, LinearOptions, counts, train_linear
from shopkeeper.settings import Settings
from shopkeeper.training.checkpoints import Checkpoint, part_of
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, fit
from shopkeeper.training.optimisers import layer_rates
from shopkeeper.training.pretraining import Vocabulary, guess, masked, mean_loss
from shopkeeper.training.tagging import Marked, tagged, tagging
from shopkeeper.training.texts import TokenRows

_SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_BUCKETS = 2**14  # clues of the lexicon alone
_SAMPLES = 200  # titles on which the exported graph is compared
_FEW_BATCH = 16
_STEPS = 300  # of the backbone at least, however few the titles


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerOptions:
    """What may be varied.

    Attributes:
        body: Fine-tune the backbone; without it the linear tagger is all there is.
        blend: Train the linear tagger beside it and blend.
        units: What the backbone reads, see `models.tagging.characters`.
        chain: Learn transitions between tags (CRF).
        lexicon: Tell the backbone's head what the lexicon says.
        rehearsal: Share of the time that goes into guessing masked characters of the titles first.
        rate: Peak learning rate of the body's top layer.
        decay: Of the rate from each layer to the one below it.
        head_rate: Multiplier of the rate for the head, which starts from nothing; the CRF and the clues take five times that.
        dropout: Before the head.
        lost: Share of the lexicon's clues forgotten in training.
        tokens: Characters of a title.
        batch: Titles in a batch; fewer where there are few titles.
        linear: Of the linear tagger; by the number of titles when None.
    """

    body: bool = True
    blend: bool = True
    units: Units = "characters"
    chain: bool = True
    lexicon: bool = True
    rehearsal: float = 0.0
    rate: float = 1e-4
    decay: float = 0.85
    head_rate: float = 20.0
    dropout: float = 0.1
    lost: float = 0.1
    tokens: int = 128
    batch: int = 32
    linear: LinearOptions | None = None


def train_tagger(
    train: Marked,
    dev: Marked,
    settings: Settings,
    folder: Path,
    *,
    base: Backbone | None = None,
    seed: int | None = None,
    minutes: float | None = None,
    options: TaggerOptions | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
    test: Marked | None = None,
) -> Bundle:
    """Learn to find mentions and save the tagger as a bundle; `models.tagging.bundle.read_tagger` opens it.

    Args:
        train: Marked titles to learn from.
        dev: Marked titles that choose the state and the blend; those that are in `train` as well are left out.
        settings: Model, compute and training settings.
        folder: Where the bundle goes; must not exist.
        base: Backbone to start from, changed in place; e5-small when the settings say ``auto`` and this is None.
        seed: Of everything random; `settings.compute.seed` when None.
        minutes: Wall-time budget of the backbone; `settings.train.minutes` when None.
        options: What may be varied.
        hooks: Passed to the loop that fine-tunes the backbone, for example adversarial training.
        checkpoint: Where the state of the runs is kept, so that they survive a kill; clear it once the bundle is safe.
        test: Marked titles that choose nothing: the card shows them before (linear) and after.

    Raises:
        TrainingError: Nothing is marked, or no title is left to choose by.
    """
    options = options or TaggerOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    dev = _unseen(train, dev)
    kinds = sorted({mention.kind for own in train.mentions for mention in own})
    if not kinds or not len(dev):
        what = "No title of the training set has a mention." if not kinds else "No title is left to choose by."
        raise TrainingError(what, where="tagger", cure="Give marked titles to both sets, and different ones.")
    tags = tag_names(kinds)
    lexicon = Lexicon.of(train.texts, train.mentions)
    members: list[TorchMember] = []
    notes: list[str] = []
    if options.blend or not options.body:
        linear, report = train_linear(train, dev, tags, lexicon=lexicon, seed=seed, options=options.linear)
        members.append(linear)
        notes.append(_note("Linear", report))
    if options.body:
        name = settings.models.encoder if settings.models.encoder not in ("", "auto") else "e5-small"
        base = base or load_backbone(name, settings)
        base.model.to(pick_device(settings.compute))
        minutes = settings.train.minutes if minutes is None else minutes
        if len(train) < FEW:
            options = replace(options, batch=min(options.batch, _FEW_BATCH))
        chosen = _settings(base, settings, minutes, options, len(train))
        own, report = teach(
            base, train, dev, tags, lexicon, chosen, options, seed=seed, hooks=hooks, checkpoint=checkpoint
        )
        members.append(own)
        notes.append(_note("Backbone", report))
    tagger, alone = blended(members, dev)
    after = {"development": marks(tagger, dev)} | {f"{n} alone": marks(one, dev) for n, one in alone.items()}
    before = {"test": marks(alone["linear"], test)} if test and "linear" in alone else {}
    after |= {"test": marks(tagger, test)} if test else {}
    card = Card(
        task="tagger",
        name="Mentions in titles",
        data={"train": len(train), "development": len(dev), "kinds": kinds, "lexicon": len(lexicon.mentions)},
        settings=asdict(options) | {"weights": [member.weight for member in tagger.members]},
        seed=seed,
        before=before,
        after=after,
        notes=" ".join(notes),
    )
    return save_tagger(folder, card, tagger, samples=dev.texts[:_SAMPLES])


def teach(
    base: Backbone,
    train: Marked,
    dev: Marked,
    tags: list[str],
    lexicon: Lexicon,
    settings: FitSettings,
    options: TaggerOptions,
    *,
    seed: int,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
) -> tuple[TorchMember, FitReport]:
    """Fine-tune `base` in place as a tagger, stopping early by span F1 on `dev`."""
    buckets = _BUCKETS if options.lexicon else 0
    known = lexicon if options.lexicon else None
    longest = min(options.tokens, base.max_length)
    reader = Reader(Pieces.of(base), units=options.units, lexicon=known, buckets=_BUCKETS, longest=longest)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tagger = Tagger(
            base, tags, dropout=options.dropout, lost=options.lost, chain=options.chain, buckets=buckets
        ).to(base.model.device)
    base.model.get_input_embeddings().requires_grad_(False)
    if options.rehearsal > 0:
        part = part_of(checkpoint, "rehearsal")
        shorter = replace(settings, minutes=settings.minutes * options.rehearsal)
        rehearse(base, reader, train, shorter, options, seed, part)
        settings = replace(settings, minutes=settings.minutes * (1 - options.rehearsal))
    member = TorchMember(tagger, reader, bf16=True)
    report = fit(
        tagger,
        tagged(reader, train, tags, options.batch),
        tagging,
        settings,
        validate=lambda: micro_f1(counts(TextTagger([member]), dev)),
        hooks=hooks,
        checkpoint=checkpoint,
        seed=seed,
        name="Learning to find mentions",
    )
    return replace(member, bf16=False), report


def rehearse(
    base: Backbone,
    reader: Reader,
    train: Marked,
    settings: FitSettings,
    options: TaggerOptions,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Let the body guess masked characters of the titles, in place: it learns to read them one by one."""
    mask = base.tokenizer.mask_token_id
    if mask is None:
        raise TrainingError(f"{base.name} has no mask to rehearse with.", where="rehearsal", cure="Set rehearsal to 0.")
    rows = TokenRows([reader.read(text).ids for text in train.texts], [], reader.filler)
    held = TokenRows(rows.ids[::20], [], reader.filler)
    rows = TokenRows([ids for place, ids in enumerate(rows.ids) if place % 20], [], reader.filler)
    vocabulary = Vocabulary.of(rows, without=base.tokenizer.all_special_ids)
    model = LanguageModel(base, vocabulary.words, vocabulary.counts).to(base.model.device)
    exam = list(masked(held, options.batch, vocabulary, mask).epoch(np.random.default_rng(seed)))
    fit(
        model,
        masked(rows, options.batch, vocabulary, mask),
        guess,
        replace(settings, rates={"decoder": 10.0}),
        validate=lambda: -mean_loss(model, exam, guess),
        checkpoint=checkpoint,
        seed=seed,
        name="Reading the titles",
    )


def blended(members: Sequence[TorchMember], dev: Marked) -> tuple[TextTagger, dict[str, TextTagger]]:
    """The best blend of one or two members on `dev`, without one that does not count; and each member alone."""
    alone = {member.name: TextTagger([replace(member, weight=1.0)]) for member in members}
    if len(members) == 1:
        return next(iter(alone.values())), alone
    first, second = members
    exam = list(scored([replace(member, bf16=True) for member in members], dev.texts))

    def f1(trial: Sequence[TorchMember]) -> float:
        right = [dev.mentions[row] for part in exam for row in part.rows]
        return micro_f1(span_counts(right, [own for part in exam for own in decoded(trial, part)]))

    trials = [[replace(first, weight=1 - share), replace(second, weight=share)] for share in _SHARES]
    best = max(trials, key=f1)
    return TextTagger([member for member in best if member.weight > 0]), alone


def marks(tagger: TextTagger, marked: Marked) -> dict[str, Any]:
    """Span F1 with its 95 % interval."""
    found = counts(tagger, marked)
    low, high = f1_interval(found)
    return {"span_f1": {"value": micro_f1(found), "low": low, "high": high}}


def _settings(base: Backbone, settings: Settings, minutes: float, options: TaggerOptions, titles: int) -> FitSettings:
    heads = {"linear": options.head_rate, "crf": 5 * options.head_rate, "clues": 5 * options.head_rate}
    few = titles < FEW
    enough = math.ceil(_STEPS * options.batch / titles) if few else 0
    return FitSettings(
        epochs=max(settings.train.epochs, enough),
        minutes=minutes,
        rate=options.rate,
        rates=layer_rates(base.model, options.decay, "model.") | heads,
        checks=1 if few else 2,
        patience=max(4, enough // 3),
    )


def _unseen(train: Marked, dev: Marked) -> Marked:
    """The titles of `dev` that `train` does not hold: a title that was learnt by heart chooses nothing."""
    seen = set(train.texts)
    rows = [row for row, text in enumerate(dev.texts) if text not in seen]
    return Marked([dev.texts[row] for row in rows], [dev.mentions[row] for row in rows])


def _note(name: str, report: FitReport) -> str:
    return f"{name}: {report}; state of step {report.best_step} kept, span F1 {report.best or 0:.4f} on development titles unseen in training."
