"""How long an order may still be changed: what the shop's terms say, as numbers that the assistant's tools obey."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from shopkeeper.errors import SettingsError
from shopkeeper.store.orders import Order, OrderStatus

FILE: Final = "terms.toml"
"""File in the shop's home that holds its terms, where they differ from the defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a customer may do with an order.

    Attributes:
        return_days: Days after delivery within which an order may be returned.
        address_hours: Hours after ordering within which the address may be changed.
        cancel_packed: May an order be cancelled once it is packed? Shipped ones never are.
    """

    return_days: int = 30
    address_hours: int = 2
    cancel_packed: bool = False

    def refusal(self, tool: str, order: Order, moment: datetime) -> str | None:
        """Why a tool may not touch an order now: key of a sentence, or None where it may.

        Args:
            tool: ``cancel``, ``return`` or ``address``.
            order: Which one.
            moment: The time now.
        """
        if tool == "cancel":
            open_to = {OrderStatus.PLACED, OrderStatus.PACKED} if self.cancel_packed else {OrderStatus.PLACED}
            return None if order.status in open_to else "cannot_cancel"
        if tool == "address":
            inside = order.status is OrderStatus.PLACED and moment <= self.until(tool, order)
            return None if inside else "cannot_address"
        inside = order.status is OrderStatus.DELIVERED and moment <= self.until(tool, order)
        return None if inside else "cannot_return"

    def until(self, tool: str, order: Order) -> datetime:
        """The last moment for a return or another address."""
        if tool == "address":
            return order.placed + timedelta(hours=self.address_hours)
        return (order.delivered or order.placed) + timedelta(days=self.return_days)


def read_terms(home: Path) -> Terms:
    """The terms of the shop in `home`; the defaults where it has no file.

    Raises:
        SettingsError: The file is not TOML, names something unknown, or a value has the wrong type.
    """
    path = home / FILE
    if not path.exists():
        return Terms()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"This is not valid TOML: {error}.", where=str(path), cure="Mend the file.") from error
    kinds = {field.name: type(getattr(Terms(), field.name)) for field in fields(Terms)}
    for name, value in values.items():
        if name not in kinds:
            raise SettingsError(
                "There is no such term.", where=f"{path}: {name}", cure=f"Known are {', '.join(kinds)}."
            )
        if type(value) is not kinds[name] or (kinds[name] is int and value < 0):
            raise SettingsError(
                f"{value!r} is no {kinds[name].__name__} of at least 0.",
                where=f"{path}: {name}",
                cure="Mend the value.",
            )
    return Terms(**values)
