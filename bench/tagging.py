"""Mentions in Chinese product titles: span F1 on the test titles that are not in training, linear and fine-tuned.

Everything is chosen on development titles that are not in training; the test titles are looked at once.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench.contract import Metric, Row
from bench.texts import Titles, titles
from shopkeeper.evaluation.spans import Counts, f1_gain, f1_interval, micro_f1
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.models.tagging.spans import from_bio
from shopkeeper.models.tagging.text_tagger import TextTagger
from shopkeeper.recipes.texts.tagger import TaggerOptions, train_tagger
from shopkeeper.recipes.texts.tagger_baseline import counts
from shopkeeper.settings import Settings
from shopkeeper.training.adversarial import FGM
from shopkeeper.training.hooks import Hook
from shopkeeper.training.tagging import Marked

MINUTES = 4.0  # of each fine-tuned variant but the last, which is what the recipe gives
_PLAIN = TaggerOptions(blend=False, chain=False, lexicon=False)
VARIANTS: Mapping[str, tuple[TaggerOptions, tuple[Hook, ...]]] = {
    "shopkeeper e5-small": (_PLAIN, ()),
    "shopkeeper e5-small + CRF": (replace(_PLAIN, chain=True), ()),
    "shopkeeper e5-small + CRF + lexicon": (TaggerOptions(), ()),
}
EXTRA: Mapping[str, tuple[TaggerOptions, tuple[Hook, ...]]] = {
    "shopkeeper e5-small by pieces + CRF + lexicon": (replace(TaggerOptions(), units="pieces"), ()),
    "shopkeeper e5-small + CRF + lexicon, titles read first": (replace(TaggerOptions(), rehearsal=0.3), ()),
    "shopkeeper e5-small + CRF + lexicon + FGM": (TaggerOptions(), (FGM(),)),
}
"""With ``--set all``: what else was tried."""


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "") -> list[Row]:  # noqa: A002
    """Rows of the linear tagger, of e5-small with one part more each time, and of the blend of the two.

    Args:
        data: Folder of the public data sets.
        quick: The linear tagger, and half a minute of e5-small on 600 titles.
        seed: Of training.
        set: ``all`` adds variants that were tried: pieces, reading the titles first, adversarial training.
    """
    train, dev, test = (marked(part) for part in titles(data))
    if quick:
        train, dev, test = (Marked(p.texts[:600], p.mentions[:600]) for p in (train, dev, test))
    minutes = 0.5 if quick else MINUTES
    variants = {"shopkeeper linear": (TaggerOptions(body=False), ())} | dict(VARIANTS)
    if set == "all":
        variants |= EXTRA
    if quick:
        del variants["shopkeeper e5-small"], variants["shopkeeper e5-small + CRF"]
    rows: list[Row] = []
    linear: Counts | None = None
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, (options, hooks)) in enumerate(variants.items()):
            settings = Settings.model_validate({"home": scratch, "compute": {"seed": seed}, "train": {"epochs": 3}})
            folder = Path(scratch) / str(number)
            began = time.perf_counter()
            bundle = train_tagger(train, dev, settings, folder, minutes=minutes, options=options, hooks=hooks)
            seconds = time.perf_counter() - began
            for row, found in _rows(name, bundle, test, linear, seconds):
                rows.append(row)
                linear = found if linear is None else linear
    return rows


def marked(part: Titles) -> Marked:
    """Titles with tags by character as texts with mentions."""
    return Marked(["".join(tokens) for tokens in part.tokens], [from_bio(tags) for tags in part.tags])


def _rows(name: str, bundle: Bundle, test: Marked, linear: Counts | None, seconds: float) -> list[tuple[Row, Counts]]:
    """The variant by itself, and blended with the linear tagger where the recipe did that."""
    tagger = read_tagger(bundle)
    body = next((member for member in tagger.members if member.name == "backbone"), None)
    taggers = {name: tagger}
    if linear is not None and body is None:
        taggers = {f"{name}, blended with linear": tagger}  # the recipe found that the backbone adds nothing
    elif len(tagger.members) > 1 and body is not None:
        taggers = {name: TextTagger([body]), f"{name}, blended with linear": tagger}
    return [_row(label, counts(one, test), linear, seconds, bundle.card.notes) for label, one in taggers.items()]


def _row(name: str, found: Counts, linear: Counts | None, seconds: float, notes: str) -> tuple[Row, Counts]:
    low, high = f1_interval(found)
    if linear is not None:
        least, most = f1_gain(linear, found)
        gain = micro_f1(found) - micro_f1(linear)
        notes = f"{gain:+.4f} ({least:+.4f} to {most:+.4f}) against linear. {notes}"
    return Row(name, {"span_f1": Metric(micro_f1(found), low, high)}, seconds, notes), found
