"""A shop in a temporary folder, and short ways to import a text into it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shopkeeper.store import feeds
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.feeds import ImportReport

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that the `bench` package is found however pytest was started


class Bench:
    """A store, a folder, and what the last import refused."""

    def __init__(self, folder: Path, store: SqlStore) -> None:
        self.folder = folder
        self.store = store
        self.rejects = folder / "rejects.jsonl"

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def take(self, kind: str, name: str, content: str | bytes | None = None, **options: Any) -> ImportReport:
        path = self.folder / name if content is None else self.file(name, content)
        run: Callable[..., ImportReport] = getattr(feeds, f"import_{kind}")
        return run(path, self.store, rejects=self.rejects, **options)

    def refused(self) -> list[tuple[int, str, str]]:
        if not self.rejects.exists():
            return []
        lines = map(json.loads, self.rejects.read_text(encoding="utf-8").splitlines())
        return [(line["row"], line["column"], line["reason"]) for line in lines]

    @property
    def items(self) -> dict[str, Any]:
        return {item.id: item for item in self.store.catalogue.scan()}

    @property
    def events(self) -> list[Any]:
        return [event for _, event in self.store.events.scan()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        yield Bench(tmp_path, store)
