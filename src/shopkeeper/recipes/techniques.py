"""What the settings ask of fine-tuning: names become objects here, once, and lie over a recipe's own method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from shopkeeper.errors import SettingsError, TrainingError
from shopkeeper.models.adapters import RATES, adapter_named
from shopkeeper.recipes.method import Method
from shopkeeper.settings import TrainSettings
from shopkeeper.store.feeds.lexicon import read_lexicon
from shopkeeper.training.adversarial import AWP, FGM, PGD, FreeLB
from shopkeeper.training.augmentation import Augmentation, delete, insert, one_of, swap, synonyms
from shopkeeper.training.averaging import ExponentialAverage, StochasticWeightAveraging
from shopkeeper.training.class_contrast import Contrast
from shopkeeper.training.hooks import Hook
from shopkeeper.training.optimisers import (
    Optimiser,
    Schedule,
    adafactor,
    adamw,
    constant,
    lion,
    sgd,
    warm_cosine,
    warm_inverse_sqrt,
    warm_linear,
)
from shopkeeper.training.slips import homophones, typos

T = TypeVar("T")

ATTACKS: Mapping[str, Callable[[], Hook]] = {"fgm": FGM, "pgd": PGD, "freelb": FreeLB, "awp": AWP}
AVERAGES: Mapping[str, Callable[[], Hook]] = {"swa": StochasticWeightAveraging, "ema": ExponentialAverage}
OPTIMISERS: Mapping[str, Optimiser] = {"adamw": adamw, "sgd": sgd, "adafactor": adafactor, "lion": lion}
SCHEDULES: Mapping[str, Schedule] = {
    "cosine": warm_cosine,
    "linear": warm_linear,
    "inverse-sqrt": warm_inverse_sqrt,
    "constant": constant,
}
_NONE = "none"


def with_techniques(method: Method, asked: TrainSettings) -> Method:
    """A recipe's method with what the settings ask for; settings left at their defaults change nothing.

    Raises:
        SettingsError: A name is unknown, or synonyms are asked for without a lexicon.
        InputError: An adapter or a lexicon is not understood.
    """
    hooks = list(method.hooks)
    for key, known in (("adversarial", ATTACKS), ("average", AVERAGES)):
        if name := getattr(asked, key):
            hooks = [hook for hook in hooks if hook not in known.values()]
            if name != _NONE:
                hooks.append(_named(name, known, key))
    adapter, rate, head_rate = method.adapter, asked.rate or method.rate, method.head_rate
    if asked.adapter:
        adapter = adapter_named(asked.adapter)
        if adapter is not None and not asked.rate:
            rate = RATES[type(adapter)]
            head_rate *= method.rate / rate  # the head learns as it would without
    layers = {-2: method.open_layers, -1: None}.get(asked.layers, asked.layers)
    return replace(
        method,
        hooks=tuple(hooks),
        adapter=adapter,
        open_layers=layers,
        optimiser=_named(asked.optimiser, OPTIMISERS, "optimiser") if asked.optimiser else method.optimiser,
        schedule=_named(asked.schedule, SCHEDULES, "schedule") if asked.schedule else method.schedule,
        rate=rate,
        head_rate=head_rate,
        layer_decay=asked.layer_decay if asked.layer_decay != 1.0 else method.layer_decay,
        smoothing=asked.smoothing or method.smoothing,
        agree=asked.r_drop or method.agree,
        mix=asked.mixup or method.mix,
        augment=augmentation(asked) or method.augment,
        refit=asked.refit or method.refit,
        solve=asked.solve or method.solve,
        gradual=asked.gradual or method.gradual,
        noise=asked.noise or method.noise,
        clean=asked.clean or method.clean,
        members=asked.members if asked.members > 1 else method.members,
        weight_decay=asked.weight_decay if asked.weight_decay >= 0 else method.weight_decay,
        dropout=asked.dropout if asked.dropout >= 0 else method.dropout,
        contrast=Contrast(steps=asked.contrast) if asked.contrast > 0 else method.contrast,
    )


def refuse(asked: TrainSettings, names: Sequence[str], recipe: str) -> None:
    """Say so where settings are changed that a recipe has no use for, in place of leaving them out in silence.

    Raises:
        TrainingError: One of `names` is not at its default. The recipe is skipped, others go on.
    """
    plain = TrainSettings()
    for name in names:
        if getattr(asked, name) != getattr(plain, name):
            raise TrainingError(
                f"{recipe} has no use for this.",
                where=f"train.{name}",
                cure=f"Leave it at {getattr(plain, name)!r} for {recipe}, or name the recipes that it is for.",
            )


def augmentation(asked: TrainSettings) -> Augmentation | None:
    """One of the changes that the settings name, drawn anew for each text; None when they name none."""
    names = [name.strip() for name in asked.augment.split(",") if name.strip()]
    if not names:
        return None
    return one_of(*(_change(name, asked.lexicon) for name in names))


def _change(name: str, lexicon: str) -> Augmentation:
    if name in ("synonyms", "insert"):
        if not lexicon:
            raise SettingsError(
                "Synonyms need a lexicon.", where="train.lexicon", cure="Name a file of synonym groups, one a row."
            )
        return (synonyms if name == "synonyms" else insert)(read_lexicon(Path(lexicon)))
    plain: dict[str, Callable[[], Augmentation]] = {
        "delete": delete,
        "swap": swap,
        "typos": typos,
        "homophones": homophones,
    }
    return _named(name, plain | {"synonyms": delete, "insert": delete}, "augment")()


def _named(name: str, known: Mapping[str, T], setting: str) -> T:
    if name not in known:
        raise SettingsError(
            f"{name!r} is not known.", where=f"train.{setting}", cure=f"Choose among {', '.join(known)}."
        )
    return known[name]
