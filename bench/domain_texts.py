"""Texts of other walks of life as an office would hold them: a domain, a question, and a file ready for `import labels`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shopkeeper.recipes.texts.labelled_texts import Texts

_LEAST = 40
"""Texts of a department at least; the README's quick check draws the same line."""
THEMES = ("technology", "science", "culture", "global issues", "design", "business", "health", "entertainment")


@dataclass(frozen=True, slots=True)
class Set:
    """Texts of a domain.

    Attributes:
        name: The domain's.
        task: Its question.
        texts: All of them, each once.
        encoder: Backbone for their language.
        minutes: Budget of one fine-tuning, so that a run stays below eight minutes on one core.
        repeats: Splits.
    """

    name: str
    task: str
    texts: Texts
    encoder: str
    minutes: float
    repeats: int


def medicine(data: Path) -> Set:
    """7,157 questions of the eight departments with 40 or more; title and question together."""
    frame = pl.read_parquet(data / "zh_medical_triage" / "internal_medicine.parquet")
    texts = [_joined(title, ask) for title, ask in frame.select("title", "ask").iter_rows()]
    return Set("medicine", "department", _frequent(texts, frame["department"].to_list()), "e5-small", 0.75, 2)


def city(data: Path) -> Set:
    """495 messages to seven offices; subject and message together."""
    frame = pl.read_parquet(data / "zh_city_messages" / "messages.parquet")
    texts = [_joined(topic, detail) for topic, detail in frame.select("topic", "detail").iter_rows()]
    return Set("city", "office", _frequent(texts, frame["category"].to_list(), 1), "e5-small", 0.5, 3)


def education(data: Path) -> Set:
    """Talks with exactly one of the eight most frequent themes among their tags; title and description, no tags."""
    frame = talks(data)
    found = [
        (_joined(name, text), next(iter(themes)))
        for name, text, own in frame.select("name", "description", "tags").iter_rows()
        if len(themes := set(own) & {*THEMES}) == 1
    ]
    return Set(
        "education", "theme", _frequent([text for text, _ in found], [theme for _, theme in found]), "minilm", 0.5, 3
    )


def talks(data: Path) -> pl.DataFrame:
    """All 2,356 talks, in an order that says nothing."""
    return pl.read_parquet(data / "tedtalks" / "talks.parquet").sample(fraction=1.0, shuffle=True, seed=11)


def write_labels(texts: Texts, file: Path) -> Path:
    """The texts as JSON lines for `import labels`."""
    lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in _pairs(texts))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _pairs(texts: Texts) -> Sequence[tuple[str, str]]:
    return list(zip(texts.texts, texts.labels, strict=True))


def _joined(title: str, text: str) -> str:
    return f"{' '.join(title.split())}. {' '.join(text.split())}"


def _frequent(texts: Sequence[str], labels: Sequence[str], least: int = _LEAST) -> Texts:
    once = dict(zip(texts, labels, strict=True))
    counts = Counter(once.values())
    kept = {text: label for text, label in once.items() if counts[label] >= least}
    return Texts(list(kept), list(kept.values()))
