"""CSV, TSV, JSONL and Parquet as streams of numbered rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl
import pyarrow.parquet as pq
from pyarrow import ArrowException

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.sources import LINE_LIMIT, TextSource, unreadable
from shopkeeper.store.feeds.values import unquote_formula

Row = tuple[int, "dict[str, Any] | Reject"]
"""Line or record number from 1 as an editor or a viewer counts it, and the cells by column name or what is wrong."""

_BATCH = 4096
_QUOTED = ("'=", "'+", "'-", "'@", "''", "'\t", "'\r")


class Reader(Protocol):
    """A file as rows, read once."""

    @property
    def size(self) -> int:
        """How much there is to read, in `unit`."""
        ...

    @property
    def unit(self) -> str:
        """What `size` and `position` count: bytes or rows."""
        ...

    @property
    def position(self) -> int:
        """How much has been read."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def rows(self) -> Iterator[Row]:
        """The rows; a `Reject` in place of one that cannot be read, a fatal one as the last when reading breaks off."""
        ...


class TextReader:
    """What readers of text files share: size and position in bytes."""

    unit = "bytes"

    def __init__(self, path: Path, limit: int) -> None:
        self._source = TextSource(path)
        self._limit = limit

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._source.size

    @property
    def position(self) -> int:
        """Bytes read."""
        return self._source.position

    def close(self) -> None:
        """Close the file."""
        self._source.close()


class CsvReader(TextReader):
    """Delimited text with a header line. Row numbers are the physical line on which the row begins; the header is 1."""

    def __init__(self, path: Path, limit: int, delimiter: str) -> None:
        super().__init__(path, limit)
        self._delimiter = delimiter

    def rows(self) -> Iterator[Row]:
        """See `Reader.rows`."""
        csv.field_size_limit(LINE_LIMIT)
        reader = csv.reader(self._source.lines(), delimiter=self._delimiter)
        header: list[str] | None = None
        begin = 1
        while True:
            begin = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                yield begin, Reject("malformed CSV", value=str(error))
                continue
            except Reject as reject:
                yield begin, reject
                break
            if not any(cells):
                continue
            if header is None:
                header = _header(cells)
            else:
                yield begin, self._row(header, cells)

    def _row(self, header: list[str], cells: list[str]) -> dict[str, Any] | Reject:
        if len(cells) != len(header):
            if len(cells) > len(header) and not any(cells[len(header) :]):
                cells = cells[: len(header)]
            else:
                return Reject("wrong number of cells", value=f"{len(cells)} instead of {len(header)}: {cells[:3]}")
        if max(map(len, cells)) > self._limit:
            return too_large(dict(zip(header, cells, strict=True)), self._limit)
        row = dict(zip(header, cells, strict=True))
        if self._source.encoding.damaged:
            for column, cell in row.items():
                if self._source.ruined(cell):
                    return Reject("wrong encoding", column, cell)
        for column, cell in row.items():
            if cell[:2] in _QUOTED:
                row[column] = unquote_formula(cell)
        return row


class JsonlReader(TextReader):
    """One JSON object a line. Row numbers are lines."""

    def rows(self) -> Iterator[Row]:
        """See `Reader.rows`."""
        number = 0
        try:
            for number, line in enumerate(self._source.lines(), 1):
                if not line.isspace():
                    yield number, self._row(line)
        except Reject as reject:
            yield number + 1, reject

    def _row(self, line: str) -> dict[str, Any] | Reject:
        if self._source.ruined(line):
            return Reject("wrong encoding", value=line)
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return Reject("malformed JSON", value=f"{error}: {line[:120]}")
        if not isinstance(row, dict):
            return Reject("not a JSON object", value=line)
        return too_large(row, self._limit) if len(line) > self._limit else row


class ParquetReader:
    """Parquet, row group by row group. Row numbers count from 1.

    Raises:
        InputError: The file is cut off or not Parquet at all.
    """

    unit = "rows"

    def __init__(self, path: Path, limit: int) -> None:
        self._limit = limit
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False)
        except OSError as error:
            if path.is_file() and not isinstance(error, PermissionError):
                raise _no_parquet(path, error) from error
            raise unreadable(path, error) from error
        except (ArrowException, ValueError) as error:
            raise _no_parquet(path, error) from error
        self.size = int(self._file.metadata.num_rows)
        self.position = 0

    def rows(self) -> Iterator[Row]:
        """See `Reader.rows`."""
        batches = (
            batch
            for group in range(self._file.num_row_groups)  # one by one, so that damage in one costs no other before it
            for batch in self._file.iter_batches(batch_size=_BATCH, row_groups=[group])
        )
        while True:
            try:
                batch = next(batches)
                frame = pl.DataFrame(pl.from_arrow(batch))
            except StopIteration:
                break
            except (ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
                yield self.position + 1, Reject("truncated file", value=str(error), fatal=True)
                break
            large = self._any_large(frame)
            for row in frame.iter_rows(named=True):
                self.position += 1
                yield self.position, too_large(row, self._limit) if large else row

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _any_large(self, frame: pl.DataFrame) -> bool:
        texts = [name for name, kind in frame.schema.items() if kind == pl.String]
        nested = any(kind.is_nested() for kind in frame.dtypes)
        longest = frame.select(pl.col(texts).str.len_chars().max()).row(0) if texts else ()
        return nested or any(length is not None and length > self._limit for length in longest)


def _header(cells: list[str]) -> list[str]:
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = cell.strip() or f"column {place}"
        names.append(name if name not in names else f"{name} {place}")
    return names


def too_large(row: dict[str, Any], limit: int) -> dict[str, Any] | Reject:
    """The row, or the refusal of its first cell with more than `limit` characters."""
    for column, cell in row.items():
        if _length(cell) > limit:
            return Reject("cell too large", column, f"{_length(cell):,} characters: {str(cell)[:100]}")
    return row


def _length(cell: object) -> int:
    if isinstance(cell, str):
        return len(cell)
    if isinstance(cell, dict):
        return sum(map(_length, cell.values()))
    return sum(map(_length, cell)) if isinstance(cell, (list, tuple)) else 0


def _no_parquet(path: Path, error: Exception) -> InputError:
    return InputError(
        f"This is not a whole Parquet file ({error}).", where=str(path), cure="It may be cut off: fetch it again."
    )
