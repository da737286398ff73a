"""A mapping compiled once into functions that read one field out of a row; what the file lacks costs nothing per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

T = TypeVar("T")
Row = Mapping[str, Any]
Read = Callable[[Row], T]

ID_LIMIT = 200
"""Most characters of an identifier, as the store has it."""


class Cells:
    """Makes readers of fields.

    Args:
        mapping: Which column holds what.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self.mapping = mapping
        self.used = mapping.used

    def has(self, name: str) -> bool:
        """Is there a column or a constant for this field?"""
        return bool(self.mapping.column(name)) or name in self.mapping.constants

    def column(self, name: str) -> str:
        """The field's column, for a `Reject`; the field's own name when it has none."""
        return self.mapping.column(name) or name

    def raw(self, name: str) -> Read[Any]:
        """The cell as it is, the constant where it is empty, else None."""
        column, constant = self.mapping.column(name), self.mapping.constants.get(name)
        if not column:
            return lambda _: constant

        def read(row: Row) -> Any:
            value = row.get(column)
            return constant if value is None or value == "" else value

        return read

    def first(self, name: str) -> Read[Any]:
        """`raw`; of several values in one cell the first."""
        read = self.raw(name)

        def single(row: Row) -> Any:
            value = read(row)
            if type(value) is str:
                return value
            return (value[0] if value else None) if isinstance(value, (list, tuple)) else value

        return single

    def text(self, name: str, clean: Callable[[Any], str]) -> Read[str]:
        """A text field, "" when empty."""
        read = self.first(name)

        def parse(row: Row) -> str:
            value = read(row)
            return "" if value is None else clean(value)

        return parse

    def identifier(self, name: str) -> Read[str]:
        """A text field of at most `ID_LIMIT` characters; the reader raises `Reject` for longer ones."""
        read, column = self.text(name, values.token), self.column(name)

        def parse(row: Row) -> str:
            value = read(row)
            if len(value) > ID_LIMIT:
                raise Reject("id too long", column, value)
            return value

        return parse

    def parsed(self, name: str, parse: Callable[[Any], T], reason: str) -> Read[T | None]:
        """A field of any type, None when empty; the reader raises `Reject` with `reason` for what makes no sense."""
        read, column = self.first(name), self.column(name)

        def parsed(row: Row) -> T | None:
            value = read(row)
            if value is None or (value != value):  # NaN stands for nothing
                return None
            try:
                return parse(value)
            except (ValueError, TypeError) as error:
                raise Reject(reason, column, value) from error

        return parsed

    def amount(self, name: str, reason: str = "unparsable price") -> Read[tuple[float, str] | None]:
        """An amount that is not negative, with its currency; None when empty; the reader raises `Reject`."""
        read, column = self.parsed(name, values.price, reason), self.column(name)

        def amount(row: Row) -> tuple[float, str] | None:
            found = read(row)
            if found is not None and found[0] < 0:
                raise Reject("negative price", column, row.get(column))
            return found

        return amount

    def listed(self, name: str) -> Read[tuple[str, ...]]:
        """A field of several values, from one column or several."""
        columns = self.mapping.columns.get(name, ())
        if len(columns) == 1:
            read = self.raw(name)
            return lambda row: values.many(read(row))
        if not columns:
            always = values.many(self.mapping.constants.get(name))
            return lambda _: always
        return lambda row: tuple(dict.fromkeys(part for column in columns for part in values.many(row.get(column))))
