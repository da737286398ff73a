"""Which column holds what: guessed from the names, or said by the user in a file or a flag."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import orjson

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.dates import DayOrder
from shopkeeper.store.feeds.synonyms import IGNORED, REQUIRED, SEVERAL, Kind, fields

_LEVEL = re.compile(r"(?:category|categories|cat|level|categorylevel)(\d)(?:name)?|([一二三四])级(?:类目|分类|类别)")
_NOISE = re.compile(r"[\s_\-.:/]+")
_PREFIX = re.compile(r"^(?:g|s):")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How a file's columns become a record's fields.

    Attributes:
        columns: Field to the columns it is read from; several only for codes, images and category levels.
        constants: Field to a value used where the file has none, e.g. ``{"currency": "EUR", "kind": "purchase"}``.
        ignore: Columns to drop. All others that no field uses become attributes (products) or properties (events).
        dates: How ``03/04/2024`` is meant: ``"dmy"``, ``"mdy"``, or "" to refuse such dates.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    dates: DayOrder = ""

    def column(self, name: str) -> str:
        """The (first) column of a field, "" when it has none."""
        found = self.columns.get(name, ())
        return found[0] if found else ""

    @property
    def used(self) -> frozenset[str]:
        """All columns that are read into fields or dropped."""
        return frozenset(column for found in self.columns.values() for column in found) | self.ignore

    def unmapped(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of `columns` that no field uses."""
        return tuple(column for column in columns if column not in self.used)

    def to_json(self) -> dict[str, Any]:
        """As a mapping file holds it; `parse_mapping` reads it back."""
        tree: dict[str, Any] = {
            name: found[0] if len(found) == 1 else list(found) for name, found in self.columns.items()
        }
        if self.constants:
            tree["constants"] = dict(self.constants)
        if self.ignore:
            tree["ignore"] = sorted(self.ignore)
        if self.dates:
            tree["dates"] = self.dates
        return tree


def guess_mapping(columns: Sequence[str], kind: Kind) -> ColumnMapping:
    """The likeliest meaning of columns by their names, in English or Chinese."""
    plain: dict[str, list[str]] = {}
    for column in columns:
        plain.setdefault(_plain(column), []).append(column)
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name, synonyms in fields(kind).items():
        hits = [column for synonym in synonyms for column in plain.get(synonym, ()) if column not in taken]
        if name == "category" and not hits:
            hits = [
                column
                for _, column in sorted(
                    (_level(plain_name), c) for plain_name, cs in plain.items() if _level(plain_name) for c in cs
                )
            ]
        elif name == "category" or name not in SEVERAL[kind]:
            hits = hits[:1]
        if hits:
            found[name] = tuple(hits)
            taken.update(hits)
    ignore = frozenset(column for column in columns if column not in taken and _plain(column) in IGNORED)
    return ColumnMapping(found, ignore=ignore)


def load_mapping(path: Path) -> dict[str, Any]:
    """Read a mapping from a TOML or JSON file; `parse_mapping` and the importers take what it returns.

    Raises:
        InputError: The file cannot be read or is neither.
    """
    try:
        data = path.read_bytes()
        tree = orjson.loads(data) if path.suffix.lower() == ".json" else tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise InputError(f"The mapping cannot be read ({error.strerror}).", where=str(path)) from error
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"The mapping is not valid: {error}.", where=str(path), cure="See docs/import.md.") from error
    if not isinstance(tree, dict):
        raise InputError("A mapping is a table of field to column.", where=str(path), cure="See docs/import.md.")
    return tree


def parse_mapping(tree: Mapping[str, Any], kind: Kind) -> ColumnMapping:
    """Check a mapping as a user writes it: field to column or columns, and ``constants``, ``ignore``, ``dates``.

    Raises:
        InputError: A field does not exist or a value has the wrong type.
    """
    known = fields(kind)
    columns: dict[str, tuple[str, ...]] = {}
    for name, value in tree.items():
        if name in ("constants", "ignore", "dates"):
            continue
        _check_field(name, known)
        listed = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
        if not all(isinstance(column, str) for column in listed) or (not listed and value != []):
            raise InputError("A field is read from a column's name or a list of them.", where=f"mapping.{name}")
        if len(listed) > 1 and name not in SEVERAL[kind]:
            raise InputError("This field is read from one column only.", where=f"mapping.{name}")
        columns[name] = listed
    constants = tree.get("constants", {})
    if not isinstance(constants, Mapping):
        raise InputError("Constants are a table of field to value.", where="mapping.constants")
    for name in constants:
        _check_field(name, known)
    dates, ignore = tree.get("dates", ""), tree.get("ignore", ())
    if dates not in ("dmy", "mdy", ""):
        raise InputError(f"There is no order {dates!r} of dates.", where="mapping.dates", cure='Say "dmy" or "mdy".')
    if isinstance(ignore, str) or not all(isinstance(column, str) for column in ignore):
        raise InputError("Columns to ignore are a list of names.", where="mapping.ignore")
    return ColumnMapping(
        columns, {name: str(value) for name, value in constants.items()}, frozenset(ignore), cast("DayOrder", dates)
    )


def settle(
    columns: Sequence[str], kind: Kind, said: ColumnMapping | Mapping[str, Any] | None, where: str
) -> ColumnMapping:
    """The mapping in force: what was said wins, the rest is guessed among the columns left.

    Raises:
        InputError: It names a column that the file does not have, or a needed field has neither column nor constant.
    """
    mapping = said if isinstance(said, ColumnMapping) else parse_mapping(said or {}, kind)
    for name, wanted in mapping.columns.items():
        for column in wanted:
            if column not in columns:
                near = difflib.get_close_matches(column, columns, n=1)
                cure = f"Did you mean {near[0]!r}?" if near else f"Its columns are: {', '.join(columns)}."
                raise InputError(f"The file has no column {column!r} for {name}.", where=where, cure=cure)
    left = [column for column in columns if column not in mapping.used]
    guessed = guess_mapping(left, kind)
    free = {
        name: found
        for name, found in guessed.columns.items()
        if name not in mapping.columns and name not in mapping.constants
    }
    merged = replace(mapping, columns={**free, **mapping.columns}, ignore=mapping.ignore | guessed.ignore)
    for name in REQUIRED[kind]:
        if not merged.column(name) and name not in merged.constants:
            raise InputError(
                f"No column was recognised as {name}.",
                where=where,
                cure=f'Name it in a mapping, e.g. {name} = "COLUMN". The file\'s columns are: {", ".join(columns)}.',
            )
    return merged


def _check_field(name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        cure = f"Did you mean {near[0]!r}?" if near else f"Fields are: {', '.join(known)}."
        raise InputError("There is no such field.", where=f"mapping.{name}", cure=cure)


def _plain(column: str) -> str:
    return _NOISE.sub("", _PREFIX.sub("", column.strip().casefold()))


def _level(plain: str) -> int:
    """Depth of a category column such as ``category2`` or ``二级类目``, 0 for others."""
    found = _LEVEL.fullmatch(plain)
    if not found:
        return 0
    return int(found[1]) if found[1] else "一二三四".index(found[2]) + 1
