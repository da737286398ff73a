"""The shop's trained models by task and version, and which version of each is live.

``<folder>/<task>/v3/`` is a bundle; ``<folder>/<task>/live.json`` names the live one and those before it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from shopkeeper.errors import InputError, ModelError, NotFoundError
from shopkeeper.models.bundle import Bundle, write_card

_TASK = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"v[1-9][0-9]{0,8}")
_LIVE = "live.json"
_NEXT = "next.json"


class Registry:
    """Versions of bundles; safe across processes.

    Args:
        folder: Made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, bundle: Path) -> str:
        """Take in a saved bundle under the next version of its task; it is copied, checked, and not yet live.

        Args:
            bundle: Folder of a saved bundle; it stays as it is.

        Returns:
            The version, ``v1``, ``v2`` and so on; a number is never given twice.

        Raises:
            ModelError: The folder is no bundle.
        """
        card = Bundle.open(bundle).card
        task = self._task(card.task)
        task.mkdir(parents=True, exist_ok=True)
        aside = task / f".{uuid.uuid4().hex}"
        try:
            shutil.copytree(bundle, aside)
            with self._locked(task):
                version = self._next_version(task)
                write_card(aside, replace(card, version=version))
                aside.rename(task / version)
        except OSError as error:
            raise ModelError(f"The bundle cannot be taken in: {error}.", where=str(task)) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return version

    def tasks(self) -> list[str]:
        """Tasks that have at least one version, in order."""
        if not self._folder.is_dir():
            return []
        names = sorted(path.name for path in self._folder.iterdir() if path.is_dir() and _TASK.fullmatch(path.name))
        return [name for name in names if self.versions(name)]

    def versions(self, task: str) -> list[str]:
        """Versions of a task, oldest first."""
        folder = self._task(task)
        if not folder.is_dir():
            return []
        names = [path.name for path in folder.iterdir() if path.is_dir() and _VERSION.fullmatch(path.name)]
        return sorted(names, key=lambda name: int(name[1:]))

    def open(self, task: str, version: str) -> Bundle:
        """One version, live or not.

        Raises:
            NotFoundError: There is no such version.
            ModelError: Its files are damaged.
        """
        return Bundle.open(self._existing(task, version))

    def live_version(self, task: str) -> str | None:
        """Version that serves now; cheap enough to ask at every request."""
        live = self._read(self._task(task) / _LIVE).get("live")
        return str(live) if live else None

    def live(self, task: str) -> Bundle | None:
        """The bundle that serves now, None when none was promoted."""
        version = self.live_version(task)
        return None if version is None else self.open(task, version)

    def history(self, task: str) -> list[tuple[str, str]]:
        """Every promotion and rollback as (version, UTC time), oldest first."""
        entries = self._read(self._task(task) / _LIVE).get("history", [])
        return [(str(entry["version"]), str(entry["at"])) for entry in entries]

    def promote(self, task: str, version: str) -> None:
        """Make a version live; its files are checked first.

        Raises:
            NotFoundError: There is no such version.
            ModelError: Its files are damaged.
        """
        self.open(task, version)
        with self._locked(self._task(task)):
            self._existing(task, version)
            state = self._read(self._task(task) / _LIVE)
            earlier = [name for name in state.get("earlier", []) if name != version]
            if state.get("live") not in (None, version):
                earlier.append(state["live"])
            self._point(task, version, earlier, state)

    def rollback(self, task: str) -> str:
        """Make the version live that was live before this one, and return it.

        Raises:
            NotFoundError: No other version was live before.
        """
        with self._locked(self._task(task)):
            state = self._read(self._task(task) / _LIVE)
            present = self.versions(task)
            earlier = [name for name in state.get("earlier", []) if name in present]
            if not earlier:
                raise NotFoundError(
                    "There is no earlier version to go back to.",
                    where=task,
                    cure=f"Promote one of: {', '.join(present) or 'none'}.",
                )
            version = str(earlier[-1])
            Bundle.open(self._existing(task, version))
            self._point(task, version, earlier[:-1], state)
        return version

    def remove(self, task: str, version: str) -> None:
        """Delete a version that is not live.

        Raises:
            NotFoundError: There is no such version.
            InputError: It is live.
        """
        with self._locked(self._task(task)):
            folder = self._existing(task, version)
            if version == self.live_version(task):
                raise InputError(
                    "The live version cannot be removed.", where=f"{task} {version}", cure="Promote another one first."
                )
            gone = folder.with_name(f".{uuid.uuid4().hex}")
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _point(self, task: str, version: str, earlier: list[str], state: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        history = [*state.get("history", []), {"version": version, "at": now}]
        _replace(self._task(task) / _LIVE, {"live": version, "earlier": earlier, "history": history})

    def _next_version(self, task: Path) -> str:
        given = int(self._read(task / _NEXT).get("given", 0))
        taken = [int(name[1:]) for name in self.versions(task.name)]
        number = max([given, *taken]) + 1
        _replace(task / _NEXT, {"given": number})
        return f"v{number}"

    def _task(self, task: str) -> Path:
        if _TASK.fullmatch(task) is None:
            raise InputError(
                f"{task!r} is not a task's name.", where="task", cure="Use small letters, digits, - and _."
            )
        return self._folder / task

    def _existing(self, task: str, version: str) -> Path:
        folder = self._task(task) / version
        if _VERSION.fullmatch(version) is None or not folder.is_dir():
            raise NotFoundError(
                f"There is no version {version!r} of {task}.",
                where=str(self._folder),
                cure=f"There are: {', '.join(self.versions(task)) or 'none'}.",
            )
        return folder

    @contextmanager
    def _locked(self, task: Path) -> Iterator[None]:
        task.mkdir(parents=True, exist_ok=True)
        with FileLock(task / ".lock", timeout=60):
            yield

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise ModelError(
                f"The registry's file cannot be read: {error}.", where=str(path), cure="Delete it and promote again."
            ) from error
        return content if isinstance(content, dict) else {}


def _replace(path: Path, content: dict[str, Any]) -> None:
    """Replace a file whole: a reader sees the old content or the new one."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
