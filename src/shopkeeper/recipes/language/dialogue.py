"""A small causal language model that answers the shop's customers from evidence, in the shop's own words.

Question and evidence -> prompt of the assistant -> LoRA on a causal body -> loss on the words of the answer alone. What is
kept is the state that guesses held-out answers best; the card tells how many held-out questions were answered rightly and
from the evidence alone, before and after. `models.generate.generator.open_generator` serves the bundle (`generate.model = dialogue`).

The gain is of a small model that follows the format: what it says is still checked, sentence by sentence, when it serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shopkeeper import progress
from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.compute.precision import autocast
from shopkeeper.errors import ModelError, TrainingError
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.models.adapters import Lora, adapt, merge
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.generate.generator import TASK, Generator
from shopkeeper.models.generate.local import Speaker, chat_tokens, ends_of
from shopkeeper.models.lm_heads import LanguageModel
from shopkeeper.recipes.language.dialogue_lessons import Exchange, exchanges_of, parted, right
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.assist.prompt import answer_prompt
from shopkeeper.training.batching import Ints, pad
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitReport, FitSettings, fit
from shopkeeper.training.pretraining import Drawn, Guesses, guess, mean_loss

__all__ = ["DialogueOptions", "Exchange", "answers", "exchanges_of", "parted", "right", "train_dialogue"]

BASE = "smollm2"
_PATIENT = 600.0  # seconds that an answer of the examination may take


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueOptions:
    """What may be varied.

    Attributes:
        rank: Of the LoRA matrices.
        rate: Peak learning rate.
        batch: Exchanges in a batch.
        accumulate: Batches of a step.
        tokens: Tokens of a prompt with its answer; longer exchanges are left out.
        answer: Tokens of an answer in the examination.
        examined: Held-out questions that are answered before and after; each costs seconds.
    """

    rank: int = 16
    rate: float = 1e-3
    batch: int = 4
    accumulate: int = 1
    tokens: int = 768
    answer: int = 80
    examined: int = 40


def train_dialogue(
    source: Store | Sequence[Exchange],
    settings: Settings,
    folder: Path,
    *,
    test: Sequence[Exchange] | None = None,
    base: Backbone | None = None,
    options: DialogueOptions | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Checkpoint | None = None,
) -> Bundle:
    """Fine-tune and save a bundle with a card.

    Args:
        source: A shop, whose answered questions are taken, or exchanges.
        settings: Compute and training settings.
        folder: Where the bundle goes; must not exist.
        test: Exchanges held out; a fifth of the source when None.
        base: Causal backbone with tied embeddings, changed in place; smollm2 when None.
        options: What may be varied.
        minutes: Wall-time budget of the fine-tuning; `settings.train.minutes` when None.
        seed: Of everything random; `settings.compute.seed` when None.
        hooks: What else happens in the loop, such as tracking.
        checkpoint: Where the state of the run is kept, so that it survives a kill; clear it once the bundle is safe.

    Raises:
        TrainingError: There are too few exchanges, or none fits into `options.tokens`.
        ModelError: The base cannot speak.
    """
    options = options or DialogueOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    exchanges = list(source) if isinstance(source, Sequence) else exchanges_of(source, seed=seed)
    train, held = parted(exchanges) if test is None else (exchanges, list(test))
    own = base is None
    base = base or load_backbone(BASE, settings)
    speaker = Speaker.of_backbone(base, settings)
    lessons, exam = (_lessons(base, part, options) for part in (train, held))
    asked = held[: options.examined]
    before = answers(speaker, asked, options.answer)
    adapt(base, Lora(rank=options.rank, alpha=2.0 * options.rank), seed=seed)
    plan = FitSettings(
        epochs=settings.train.epochs,
        minutes=settings.train.minutes if minutes is None else minutes,
        rate=options.rate,
        weight_decay=0.0,
        accumulate=options.accumulate,
        checks=2,
        patience=3,
    )
    report = _learn(base, lessons, exam, plan, settings, seed, hooks, checkpoint)
    after = answers(speaker, asked, options.answer)
    card = Card(
        task=TASK,
        name="Answers to customers, from evidence",
        data={"exchanges": len(train), "held_out": len(held), "examined": len(asked)},
        settings=plan.describe() | asdict(options),
        seed=seed,
        before=_marks(asked, before, report.before),
        after=_marks(asked, after, report.best),
        notes=f"{report}. Grounded: nothing said that the evidence does not hold. Right: grounded, and the fact is said. "
        "Loss: nats a token of held-out answers.",
    )
    if not own:
        merge(base)
    return save_bundle(folder, card, backbone=base, onnx=False, delta_of=BASE if own else "")


def answers(generator: Generator, exchanges: Sequence[Exchange], most: int = 80) -> list[str]:
    """What a generator answers to each question; empty where it fails."""
    said = []
    with progress.span("Answering held-out questions", len(exchanges), "questions") as span:
        for exchange in exchanges:
            prompt = answer_prompt(exchange.question, exchange.evidence, exchange.language)
            try:
                said.append("".join(generator.stream(prompt, most=most, seconds=_PATIENT)).strip())
            except ModelError:
                said.append("")
            span.advance()
    return said


def _learn(
    base: Backbone,
    lessons: Drawn[Guesses],
    exam: Drawn[Guesses],
    plan: FitSettings,
    settings: Settings,
    seed: int,
    hooks: Sequence[Hook],
    checkpoint: Checkpoint | None,
) -> FitReport:
    device = pick_device(settings.compute)
    size = base.model.get_input_embeddings().weight.shape[0]
    model = LanguageModel(base, torch.arange(size), torch.ones(size)).to(device)
    model.decoder.requires_grad_(False)  # its words are the embeddings, and it is not saved
    held = list(exam.epoch(np.random.default_rng(0)))

    def validate() -> float:
        with autocast(device, plan.bfloat16):
            return -mean_loss(model, held, guess)

    return fit(
        model,
        lessons,
        guess,
        plan,
        validate=validate if held else None,
        hooks=hooks,
        checkpoint=checkpoint,
        seed=seed,
        name="Learning to answer",
    )


def _lessons(base: Backbone, exchanges: Sequence[Exchange], options: DialogueOptions) -> Drawn[Guesses]:
    """Prompts with their answers, of which the tokens of the answer and its end are to be guessed."""
    tokenizer = base.tokenizer
    end = min(ends_of(tokenizer) - {tokenizer.pad_token_id}, default=tokenizer.eos_token_id)
    rows: list[tuple[list[int], int]] = []
    for exchange in exchanges:
        prompt = chat_tokens(tokenizer, answer_prompt(exchange.question, exchange.evidence, exchange.language))
        answer = [*tokenizer(exchange.answer, add_special_tokens=False).input_ids, end]
        if len(prompt) + len(answer) <= options.tokens:
            rows.append(([*prompt, *answer], len(prompt)))
    if not rows:
        raise TrainingError(
            f"None of {len(exchanges)} exchanges fits into {options.tokens} tokens.",
            where="dialogue",
            cure="Give more or shorter exchanges, or raise tokens.",
        )

    def make(chosen: Ints, _: np.random.Generator) -> Guesses:
        taken = [rows[int(row)] for row in chosen]
        tokens = pad([ids for ids, _ in taken], int(tokenizer.pad_token_id or 0))
        width = tokens.ids.shape[1]
        places = [line * width + at for line, (ids, start) in enumerate(taken) for at in range(start - 1, len(ids) - 1)]
        at: Tensor = torch.tensor(places)
        return Guesses((tokens.ids, tokens.mask, torch.zeros_like(tokens.ids)), at, tokens.ids.flatten()[at + 1])

    lengths = np.array([len(ids) for ids, _ in rows], dtype=np.int64)
    return Drawn(lengths, options.batch, make)


def _marks(exchanges: Sequence[Exchange], said: Sequence[str], score: float | None) -> dict[str, Any]:
    from shopkeeper.trust.grounding import unsupported

    grounded = [bool(text) and not unsupported(text, one.evidence) for text, one in zip(said, exchanges, strict=True)]
    correct = [right(text, one) for text, one in zip(said, exchanges, strict=True)]
    marks: dict[str, Any] = {"loss": {"value": -(score or 0.0)}}
    for name, values in (("grounded", grounded), ("right", correct)):
        if values:
            low, high = bootstrap_interval(values)
            marks[name] = {"value": float(np.mean(values)), "low": low, "high": high}
    return {"held-out questions": marks}
