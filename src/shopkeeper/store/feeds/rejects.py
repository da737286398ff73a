"""What could not be imported and why: the `Reject` that parsers raise, and the file that collects them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import orjson

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.values import quote_formula

COLUMNS = ("file", "row", "column", "reason", "value")
_SHOWN = 200


class Reject(Exception):  # noqa: N818 - it is a verdict on one row, not a failure of the program
    """One row, or one cell of it, that cannot be taken.

    Args:
        reason: One of few fixed phrases, so that they can be counted.
        column: Column at fault as the file names it; empty when the whole row is.
        value: The offending value; shortened when written.
        row: Line or record number, when another one than the row at hand.
        fatal: Nothing after this can be read.
        skip: The row is fine but not for us (a page view among shop events); counted, never written as a reject.
    """

    def __init__(
        self,
        reason: str,
        column: str = "",
        value: object = "",
        *,
        row: int = 0,
        fatal: bool = False,
        skip: bool = False,
    ) -> None:
        self.reason = reason
        self.column = column
        self.value = value
        self.row = row
        self.fatal = fatal
        self.skip = skip
        super().__init__(reason)


class _Writer(Protocol):
    def writerow(self, row: Any, /) -> Any: ...


class RejectsFile:
    """Rows that were refused, written as JSONL, or as CSV when the name ends in ``.csv``; made only when needed.

    Args:
        path: Where to write; an older file of that name is replaced.
        source: The file being imported.

    Raises:
        InputError: `path` is the imported file itself or a folder.
    """

    def __init__(self, path: Path, source: Path) -> None:
        if path.is_dir() or (path.exists() and path.samefile(source)):
            raise InputError("Rejected rows cannot be written there.", where=str(path), cure="Name another file.")
        self.path = path
        self.source = source.name
        self.reasons: Counter[str] = Counter()
        self.broken = False
        self._file: IO[str] | None = None
        self._csv: _Writer | None = None

    @property
    def count(self) -> int:
        """How many were refused."""
        return self.reasons.total()

    def __enter__(self) -> Self:
        """Remove what an earlier import left there."""
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def add(self, row: int, reject: Reject) -> None:
        """Write one refusal."""
        self.reasons[reject.reason] += 1
        self.broken |= reject.fatal
        record = (self.source, reject.row or row, reject.column, reject.reason, _shorten(reject.value))
        file = self._file or self._open()
        if self._csv is not None:
            self._csv.writerow([quote_formula(cell) if isinstance(cell, str) else cell for cell in record])
        else:
            file.write(orjson.dumps(dict(zip(COLUMNS, record, strict=True))).decode() + "\n")

    def _open(self) -> IO[str]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8", newline="")
        if self.path.suffix.lower() == ".csv":
            self._csv = csv.writer(self._file, lineterminator="\n")
            self._csv.writerow(COLUMNS)
        return self._file


def _shorten(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = text[: _SHOWN + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
