"""What is handed to whatever sends the e-mails: JSONL, CSV or Parquet, written aside and put in its place whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq

from shopkeeper.errors import InputError
from shopkeeper.store.feeds import values

Cells = Mapping[str, Any]

FORMATS = ("jsonl", "csv", "parquet")
LETTER: Mapping[str, pl.DataType] = {
    "customer": pl.String(), "language": pl.String(), "request": pl.String(), "time": pl.String(),
    "model": pl.String(), "position": pl.Int64(), "item": pl.String(), "title": pl.String(), "score": pl.Float64(),
    "propensity": pl.Float64(), "reason": pl.String(),
}  # fmt: skip
"""Columns of a letter as a table, one row for each item."""
NOTICE: Mapping[str, pl.DataType] = {
    "customer": pl.String(), "language": pl.String(), "item": pl.String(), "title": pl.String(),
    "price": pl.Float64(), "currency": pl.String(), "link": pl.String(), "since": pl.String(), "batch": pl.String(),
}  # fmt: skip
"""Columns of a notice that an item is back."""

_ROWS = 5_000


def format_of(path: Path) -> str:
    """The format that the ending of a file's name asks for.

    Raises:
        InputError: It is none of `FORMATS`.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InputError(
            f"A file cannot be written as {ending or 'nothing'!r}.",
            where=str(path),
            cure=f"End its name in one of: {', '.join('.' + name for name in FORMATS)}.",
        )
    return ending


def must_be_new(path: Path) -> None:
    """Refuse to write over a file that somebody may not have sent yet.

    Raises:
        InputError: It is there.
    """
    if path.exists():
        raise InputError("The file is there already.", where=str(path), cure="Move it away, or name another one.")


def write_letters(letters: Iterable[Cells], path: Path) -> None:
    """Write letters: one line each in JSONL, one row for each item in the others, the reason in the customer's language.

    Raises:
        InputError: The file cannot be written.
    """
    write_rows(letters if format_of(path) == "jsonl" else _rows(letters), LETTER, path)


def write_rows(rows: Iterable[Cells], columns: Mapping[str, pl.DataType], path: Path) -> None:
    """Write rows in the format that the name asks for; the file stands there whole or not at all.

    Args:
        rows: Values by column; in JSONL they may hold more.
        columns: Names and types.
        path: Where.

    Raises:
        InputError: The file cannot be written.
    """
    write = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}[format_of(path)]
    aside = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(iter(rows), columns, aside)
        settle(aside, path)
    except OSError as error:
        raise InputError(
            f"The file cannot be written ({error.strerror or error}).",
            where=str(path),
            cure="Check the folder, its rights and the room on the disk.",
        ) from error


def settle(aside: Path, path: Path) -> None:
    """Put a file in its place, on disk before anybody sees it there."""
    for target in (aside, None):
        if target is None:
            aside.replace(path)
        handle = os.open(target or path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rows(letters: Iterable[Cells]) -> Iterator[Cells]:
    for letter in letters:
        head = {name: letter[name] for name in ("customer", "language", "request", "time", "model")}
        for position, item in enumerate(letter["items"], 1):
            texts = (reason["text"].get(letter["language"] or "en", "") for reason in item["reasons"])
            yield {
                **head,
                "position": position,
                **{name: item[name] for name in ("item", "title", "score", "propensity")},
                "reason": "; ".join(texts),
            }


def _jsonl(rows: Iterator[Cells], _columns: Mapping[str, pl.DataType], path: Path) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _csv(rows: Iterator[Cells], columns: Mapping[str, pl.DataType], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            cells = (row[name] for name in columns)
            writer.writerow([values.quote_formula(cell) if isinstance(cell, str) else cell for cell in cells])


def _parquet(rows: Iterator[Cells], columns: Mapping[str, pl.DataType], path: Path) -> None:
    schema = pl.DataFrame(schema=columns).to_arrow().schema
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(rows, _ROWS)):
            writer.write_table(pl.DataFrame(batch, schema=columns).to_arrow().cast(schema))
