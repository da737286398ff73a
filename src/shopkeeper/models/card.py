"""A bundle's card: what it is, what it was trained on, and what that changed."""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from shopkeeper.errors import ModelError

_LIBRARIES = ("shopkeeper", "torch", "transformers", "tokenizers", "onnxruntime", "numpy")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that shape a model, of those installed."""
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Card:
    """What is known about a bundle. Everything in it is JSON.

    Attributes:
        task: What it is for, e.g. ``relevance``; also its folder in the registry.
        name: A name for people.
        version: Given by the registry.
        created: UTC time, ISO 8601.
        parent: Version it was trained on from, empty for the first.
        base: Name of the pretrained backbone.
        data: Fingerprint of the training data: counts, time range, hash.
        settings: Settings of the training.
        seed: Seed of everything random.
        before: Metrics of the untrained model, by split and name, on the same data as `after`.
        after: Metrics of this one.
        licence: Licence of the weights it started from.
        capabilities: What it can do: ``encoder``, ``scorer``, ``arrays``; filled in when saved.
        libraries: Versions of the libraries that made it.
        notes: Anything a reader should know.
    """

    task: str
    name: str = ""
    version: str = ""
    created: str = field(default_factory=_now)
    parent: str = ""
    base: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    capabilities: tuple[str, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=library_versions)
    notes: str = ""

    def to_json(self) -> str:
        """JSON text; numbers that are not finite become null."""
        return json.dumps(_finite(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "") -> Card:
        """Read what `to_json` wrote; keys of later versions are ignored.

        Raises:
            ModelError: It is not a card.
        """
        try:
            content = json.loads(text)
            known = {f.name for f in fields(cls)}
            values = {key: value for key, value in content.items() if key in known}
            values["capabilities"] = tuple(values.get("capabilities", ()))
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"This is not a bundle's card: {error}.", where=where) from error

    def to_markdown(self, plots: Sequence[str] = ()) -> str:
        """A page for people: the facts, then the metrics before and after side by side, then plots.

        Args:
            plots: Paths of pictures beside the page, e.g. ``plots/learning-curve.png``.
        """
        facts = {
            "Task": self.task,
            "Version": self.version,
            "Created": self.created,
            "Trained on from": self.parent,
            "Backbone": self.base,
            "Licence": self.licence,
            "Capabilities": ", ".join(self.capabilities),
            "Seed": str(self.seed),
        }
        lines = [f"# {self.name or self.task}", "", "| | |", "|---|---|"]
        lines += [f"| {label} | {_cell(value)} |" for label, value in facts.items() if value]
        lines += self._metrics()
        if plots:
            lines += ["", "## Plots", "", *(f"![{PurePosixPath(path).stem}]({path})" for path in plots)]
        for title, values in (("Data", self.data), ("Settings", self.settings), ("Libraries", self.libraries)):
            if values:
                lines += ["", f"## {title}", "", *(f"- {key}: {_cell(value)}" for key, value in _leaves(values))]
        if self.notes:
            lines += ["", "## Notes", "", self.notes]
        return "\n".join(lines) + "\n"

    def _metrics(self) -> list[str]:
        before, after = dict(_leaves(self.before)), dict(_leaves(self.after))
        if not before and not after:
            return []
        rows = [
            f"| {name} | {_figure(before.get(name))} | {_figure(after.get(name))} |"
            for name in dict.fromkeys([*before, *after])
        ]
        return ["", "## Before and after", "", "| Metric | Before | After |", "|---|---:|---:|", *rows]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


def _figure(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else _cell(value)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
