"""How a shop's pictures are learnt: a bridge from words to pictures, and a fusion of words, pictures and video.

Both learn from the catalogue alone: which picture belongs to which words, and what the shop says of its items (category,
attributes). Items that look or read the same stand on one side of the split. Validation stops the learning, chooses the
fusion and what a picture's own look weighs; the test is looked at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shopkeeper.compute.device import set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.intervals import bootstrap_interval
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.pictures.bridge import Span
from shopkeeper.models.pictures.fusion_export import export_fusion
from shopkeeper.models.pictures.gallery import Shots
from shopkeeper.models.pictures.modes import Modes, modes_of
from shopkeeper.models.text import Floats
from shopkeeper.recipes.pictures.bridging import BridgeOptions, Pairs, learn_bridge, reciprocal_ranks, spans
from shopkeeper.recipes.pictures.fusing import Answering, FusionOptions, Questions, correct, learn_fusion, tensors
from shopkeeper.records import Item
from shopkeeper.settings import Settings
from shopkeeper.training.hooks import Hook

Ints = NDArray[np.int64]

LEAST = 60
"""Items with pictures, below which there is nothing to learn."""
_VALID, _TEST = 0.1, 0.15
_FEW = 3
"""Items that training, validation and test need at least."""
_NEAR = 10
_OWN = (0.5, 0.65, 0.8, 0.35, 0.2, 0.9, 1.0, 0.0)
"""Weights that are tried; of equally good ones the first is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """What may be varied."""

    bridge: BridgeOptions = field(default_factory=BridgeOptions)
    fusion: FusionOptions = field(default_factory=FusionOptions)


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows of items, in three parts: items that look or read the same are in the same one."""

    train: Ints
    valid: Ints
    test: Ints


def train_pictures(
    items: Sequence[Item],
    text: Floats,
    titles: Floats,
    shots: Shots,
    encoder: str,
    settings: Settings,
    folder: Path,
    *,
    data: Mapping[str, Any] | None = None,
    minutes: float | None = None,
    options: PictureOptions | None = None,
    hooks: Sequence[Hook] = (),
) -> Bundle:
    """Learn bridge and fusion, and save them as a bundle of task ``pictures`` for `retrieval.looks.Sight`.

    Args:
        items: All items of the shop.
        text: float32 (n, t), encoder vectors of their passages.
        titles: float32 (n, t), of their titles, encoded as queries.
        shots: What is seen of the same items.
        encoder: Name of the encoder of the pictures.
        settings: Seed and threads.
        folder: Where the bundle goes; must not exist.
        data: Fingerprint of the store, for the card.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        options: What may be varied.
        hooks: What else happens while the bridge is learnt.

    Raises:
        TrainingError: Fewer than sixty items have a picture or video that can be opened.
    """
    options = options or PictureOptions()
    seed = settings.compute.seed
    set_threads(settings.compute)
    budget = (settings.train.minutes if minutes is None else minutes) / (1 + len(options.fusion.kinds))
    modes = modes_of(text, shots)
    seen = np.flatnonzero(modes.seen[:, 1])
    if len(seen) < LEAST:
        raise TrainingError(
            f"Only {len(seen)} items have a picture that can be opened, of {LEAST} at least.",
            where="items",
            cure="Import pictures: shopkeeper import media FOLDER",
        )
    group = alike(items, shots)
    parts = parted(seen, group, items, seed)
    if min(len(parts.train), len(parts.valid), len(parts.test)) < _FEW:
        raise TrainingError(
            f"The {len(seen)} pictures are too few or too much the same to hold any out.",
            where="items",
            cure="Import more pictures: shopkeeper import media FOLDER",
        )
    category = np.unique([" > ".join(item.category) for item in items], return_inverse=True)[1].astype(np.int64)
    pairs = Pairs([titles, text], modes.picture, group, category)
    bridge, report = learn_bridge(
        pairs.at(parts.train), pairs.at(parts.valid), options.bridge, minutes=budget, seed=seed, hooks=hooks
    )
    across = spans(bridge)
    modes = modes_of(text, shots, across)
    questions = Questions.of(items, parts.train)
    arrays = {f"text.{name}": value for name, value in across[0].arrays.items()}
    arrays |= {f"picture.{name}": value for name, value in across[1].arrays.items()}
    before: dict[str, Any] = {"chance": {"recall@10": min(1.0, _NEAR / len(parts.test))}}
    after: dict[str, Any] = {"bridge": found_again(pairs.at(parts.test), across, seed)}
    parameters: dict[str, Any] = {
        "encoder": encoder,
        "own": own_weight(pairs.at(parts.valid), questions.labels[parts.valid], across),
        "questions": [],
    }
    notes = [f"bridge: {report}"]
    if questions.names:
        fusion, kind, told = best_fusion(modes, questions, parts, options.fusion, budget, seed)
        before |= {
            f"{name} alone": shares(model, own, questions, parts.test, seed) for name, (model, own) in told.items()
        }
        after["fused"] = shares(fusion, modes, questions, parts.test, seed)
        arrays["fusion"] = np.frombuffer(
            export_fusion(fusion.fusion, tensors(modes.at(parts.train[:4]))), dtype=np.uint8
        )
        for name, head, classes in zip(questions.names, fusion.heads, questions.classes, strict=True):
            assert isinstance(head, torch.nn.Linear)
            arrays[f"head.{len(parameters['questions'])}"] = head.weight.detach().numpy()
            arrays[f"bias.{len(parameters['questions'])}"] = head.bias.detach().numpy()
            parameters["questions"].append([name, list(classes)])
        notes.append(f"fusion: {kind}")
    card = Card(
        task="pictures",
        name="What do words look like?",
        data={**(data or {}), "with pictures": len(seen), "with video": int(modes.seen[:, 2].sum())},
        settings={"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)},
        seed=seed,
        before=before,
        after=after,
        notes="; ".join(notes),
    )
    return save_bundle(folder, card, arrays=arrays, parameters=parameters)


def alike(items: Sequence[Item], shots: Shots) -> Ints:
    """int64 (n,): equal for items with the same title or the very same main picture, at one remove or at many."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(items)
    _, by_title = np.unique([item.title for item in items], return_inverse=True)
    first = shots.first
    _, by_picture = np.unique(shots.prints[first], return_inverse=True)
    titles, pictures = int(by_title.max(initial=-1)) + 1, int(by_picture.max(initial=-1)) + 1
    own = np.concatenate([np.arange(count), shots.item[first]])
    other = np.concatenate([count + by_title, count + titles + by_picture])
    size = count + titles + pictures
    edges = coo_array((np.ones(len(own), dtype=np.int8), (own, other)), shape=(size, size))
    return connected_components(edges, directed=False)[1][:count].astype(np.int64)


def parted(rows: Ints, group: Ints, items: Sequence[Item], seed: int) -> Parts:
    """Training, validation and test by a hash of the first title of each group."""
    name: dict[int, str] = {}
    for row in rows.tolist():
        title = items[row].title
        name[int(group[row])] = min(name.get(int(group[row]), title), title)
    keys = [name[int(group[row])] for row in rows.tolist()]
    test = by_hash(keys, _TEST, f"test {seed}")
    valid = by_hash(keys, _VALID / (1 - _TEST), f"valid {seed}") & ~test
    return Parts(rows[~test & ~valid], rows[valid], rows[test])


def best_fusion(
    modes: Modes,
    questions: Questions,
    parts: Parts,
    options: FusionOptions,
    minutes: float,
    seed: int,
) -> tuple[Answering, str, Mapping[str, tuple[Answering, Modes]]]:
    """The fusion that answers best on validation, its kind, and models of words and of pictures alone to compare with."""

    def learn(kind: Any, own: Modes) -> tuple[Answering, float]:
        model, report = learn_fusion(
            kind, own, questions, parts.train, parts.valid, options, minutes=minutes, seed=seed
        )
        return model, float(report.best or 0.0)

    alone = {name: modes.only(place) for place, name in enumerate(("text", "picture"))}
    told = {name: (learn("concat", own)[0], own) for name, own in alone.items()}
    tried = {kind: learn(kind, modes) for kind in options.kinds}
    kind = max(tried, key=lambda name: tried[name][1])
    return tried[kind][0], kind, told


def shares(model: Answering, modes: Modes, questions: Questions, rows: Ints, seed: int) -> dict[str, Any]:
    """Accuracy of each question on `rows`, with intervals."""
    found = correct(model, modes.at(rows), questions.labels[rows])
    return {name: _mean(values, seed) for name, values in zip(questions.names, found, strict=True) if len(values)}


def found_again(pairs: Pairs, across: tuple[Span, Span], seed: int) -> dict[str, Any]:
    """Recall at 1, 5, 10 and mean reciprocal rank of words to picture and of picture to words among `pairs`."""
    cosines = across[0](pairs.texts[0]) @ across[1](pairs.pictures).T
    same = pairs.group[:, None] == pairs.group[None, :]
    out: dict[str, Any] = {}
    for way, found in (("words to picture", cosines), ("picture to words", cosines.T)):
        inverse = reciprocal_ranks(found, same)
        measured: dict[str, Floats] = {f"recall@{k}": (inverse >= 1 / k).astype(np.float32) for k in (1, 5, _NEAR)}
        out[way] = {name: _mean(values, seed) for name, values in (measured | {"mrr": inverse}).items()}
    return out


def own_weight(pairs: Pairs, labels: Ints, across: tuple[Span, Span]) -> float:
    """What the likeness of pictures weighs against that of words, when a picture is what is searched for.

    Of some weights the one with which the ten nearest items to a photo most often agree with it in what the shop says of
    them.

    Args:
        pairs: n items that nothing was learnt from.
        labels: int64 (n, questions), see `fusing.Questions`; their categories are taken where there are none.
        across: The bridge.
    """
    looks, words = across[1](pairs.pictures), across[0](pairs.texts[-1])
    by_looks, by_words = looks @ looks.T, looks @ words.T
    itself = pairs.group[:, None] == pairs.group[None, :]
    told = labels if labels.shape[1] else pairs.category[:, None]

    def agreement(weight: float) -> float:
        cosines = np.where(itself, -np.inf, weight * by_looks + (1 - weight) * by_words)
        near = np.argsort(-cosines, axis=1, kind="stable")[:, :_NEAR]
        return float((told[near] == told[:, None, :]).mean())

    return max(_OWN, key=agreement)


def _mean(values: Floats, seed: int) -> dict[str, Any]:
    low, high = bootstrap_interval(values, seed=seed)
    return {"value": float(values.mean()), "low": low, "high": high}
