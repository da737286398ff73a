"""A lexicon of synonyms: a user's file of groups of words that mean the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.tables import CsvReader, JsonlReader, ParquetReader, Reader

_LIMIT = 100_000  # characters of a group
_SAME = ("=", "synonym")


def read_lexicon(path: Path, column: str = "words") -> dict[str, tuple[str, ...]]:
    """Words of the same meaning by word (lower case), from a CSV, TSV, JSONL or Parquet file with one group a row.

    A group is a list, or one text whose words are parted by ``|``. Where the file has a column ``kind``, only rows that
    say ``=`` or ``synonym`` there are groups of synonyms; lists such as the Cilin hold related words as well. A word
    that stands in several groups gets the words of all of them.

    Args:
        path: The file.
        column: Name of the column that holds the groups.

    Raises:
        InputError: The file cannot be read, has no such column, a row is broken, or no group has two words.
    """
    others: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for number, row in _rows(path):
        if isinstance(row, Reject):
            raise InputError(f"This row cannot be read ({row.reason}: {row.value}).", where=f"{path}, row {number}")
        if column not in row:
            raise InputError(
                f"There is no column {column!r}.", where=str(path), cure=f"Name one of: {', '.join(map(str, row))}."
            )
        if row.get("kind", _SAME[0]) not in _SAME:
            continue
        words = _words(row[column], f"{path}, row {number}, column {column}")
        for word in words:
            others[word.lower()].update((other, None) for other in words if other.lower() != word.lower())
    lexicon = {word: tuple(same) for word, same in others.items() if same}
    if not lexicon:
        raise InputError(
            "No row holds two words of the same meaning.",
            where=str(path),
            cure=f"Put the words of a group into the column {column!r}, as a list or parted by |.",
        )
    return lexicon


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | Reject]]:
    reader: Reader
    match path.suffix.lower():
        case ".csv":
            reader = CsvReader(path, _LIMIT, ",")
        case ".tsv":
            reader = CsvReader(path, _LIMIT, "\t")
        case ".jsonl":
            reader = JsonlReader(path, _LIMIT)
        case ".parquet":
            reader = ParquetReader(path, _LIMIT)
        case other:
            raise InputError(
                f"A lexicon cannot be read from a file that ends in {other!r}.",
                where=str(path),
                cure="Use .csv, .tsv, .jsonl or .parquet.",
            )
    try:
        yield from reader.rows()
    finally:
        reader.close()


def _words(cell: object, where: str) -> list[str]:
    parts = cell.split("|") if isinstance(cell, str) else cell
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"{cell!r} is no group of words.", where=where, cure="Write a list, or words parted by |.")
    return list(dict.fromkeys(word for part in parts if (word := part.strip())))
