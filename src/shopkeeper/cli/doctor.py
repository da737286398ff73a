"""What stands in the way: memory, disk, versions, data, models, each with what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shopkeeper.errors import ShopkeeperError
from shopkeeper.models.registry import Registry
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

_LIBRARIES = ("torch", "transformers", "onnxruntime", "tantivy", "usearch", "lightgbm", "sqlalchemy", "fastapi")
_TASKS = ("relevance", "search", "recommend", "purchase")
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, whether that is good, and what to do if not. Fatal ones stop the shop from opening."""

    check: str
    good: bool
    found: str
    cure: str = ""
    fatal: bool = False


def examine(settings: Settings) -> list[Finding]:
    """Run all checks; none changes anything."""
    return [*_machine(settings), *_versions(), *_data(settings), *_models(settings)]


def _machine(settings: Settings) -> Iterator[Finding]:
    memory = _memory()
    yield Finding(
        "memory", memory >= 4 * _GIB, f"{memory / _GIB:.1f} GiB available",
        "" if memory >= 4 * _GIB else "Training needs about 4 GiB; lower train.batch or train elsewhere.",
    )  # fmt: skip
    place = settings.home if settings.home.exists() else Path()
    free = shutil.disk_usage(place).free
    yield Finding(
        "disk", free >= 2 * _GIB, f"{free / _GIB:.1f} GiB free",
        "" if free >= 2 * _GIB else "Models, vectors and the log need about 2 GiB; make room.",
    )  # fmt: skip
    yield Finding("processor", True, f"{os.cpu_count()} cores")
    right = sys.version_info >= (3, 11)
    yield Finding(
        "python", right, sys.version.split()[0], "" if right else "Install Python 3.11 or newer.", fatal=not right
    )


def _versions() -> Iterator[Finding]:
    for library in _LIBRARIES:
        try:
            yield Finding(library, True, version(library))
        except PackageNotFoundError:
            yield Finding(library, False, "missing", f"pip install {library}", fatal=True)


def _data(settings: Settings) -> Iterator[Finding]:
    if not settings.home.exists():
        yield Finding("shop", False, f"{settings.home} does not exist", "Run: shopkeeper init", fatal=True)
        return
    try:
        store = open_store(settings.store_url)
    except ShopkeeperError as error:
        yield Finding("store", False, error.what, error.cure, fatal=True)
        return
    try:
        counts = {
            "products": store.catalogue.count(),
            "events": store.events.count(),
            "passages": store.words.count(),
            "judgements": store.labels.count(),
        }
    finally:
        store.close()
    cures = {
        "products": "Run: shopkeeper import products FILE",
        "events": "Run: shopkeeper import events FILE (search and similar items work without)",
    }
    for name, count in counts.items():
        needed = name in cures
        yield Finding(name, count > 0 or not needed, f"{count:,}", cures.get(name, "") if count == 0 else "")


def _models(settings: Settings) -> Iterator[Finding]:
    registry = Registry(settings.bundles)
    for task in _TASKS:
        live = registry.live(task)
        found = f"{live.card.version} is live" if live else "not trained"
        yield Finding(f"model: {task}", live is not None, found, "" if live else "Run: shopkeeper train")


def _memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not every system tells
        return 8 * _GIB
