"""Numbers and quantities in two texts: do they agree ("10 ft", "120 in."), or does one contradict the other ("6 ft")?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from shopkeeper.retrieval.analysis import normalise

_UNITS: Mapping[str, tuple[str, float]] = {
    name: (kind, factor)
    for kind, factor, names in (
        ("length", 0.001, "mm 毫米"),
        ("length", 0.01, "cm 厘米 公分"),
        ("length", 0.0254, 'in inch inches " ″ 英寸 寸'),
        ("length", 0.3048, "ft foot feet ' 英尺"),
        ("length", 0.9144, "yd yard yards"),
        ("length", 1.0, "m metre metres meter meters 米"),
        ("weight", 0.001, "g gram grams 克"),
        ("weight", 1.0, "kg kilogram kilograms 公斤 千克"),
        ("weight", 0.4536, "lb lbs pound pounds 磅"),
        ("weight", 0.5, "斤"),
        ("volume", 0.001, "ml 毫升"),
        ("volume", 1.0, "l litre litres liter liters 升"),
        ("volume", 3.785, "gal gallon gallons 加仑"),
        ("ounces", 1.0, "oz ounce ounces 盎司"),
        ("power", 1.0, "w watt watts 瓦"),
        ("power", 1000.0, "kw 千瓦"),
        ("voltage", 1.0, "v volt volts 伏"),
        ("current", 1.0, "amp amps 安"),
        ("charge", 1.0, "mah 毫安"),
        ("heat", 1.0, "btu"),
        ("horses", 1.0, "hp 匹"),
        ("memory", 1.0, "gb"),
        ("memory", 1000.0, "tb"),
        ("count", 1.0, "pack packs pk piece pieces pc pcs count ct set 件 个 只 片 套 支 包 盒 条"),
        ("year", 1.0, "年"),
    )
    for name in names.split()
}
"""What each unit measures, and how much of it one is."""
_UNIT = "|".join(re.escape(name) for name in sorted(_UNITS, key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?<![\d.])(?:(?:(\d+)[ -])?(\d+)/(\d+)|(\d+(?:\.\d+)?|\.\d+))(?:[ -]?({_UNIT})(?![a-z]))?(?![\d/])"
)
_NEAR = 0.01  # relative difference of two numbers that are written from one


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text.

    Attributes:
        number: As written.
        kind: What is measured: ``length``, ``weight`` ...; empty for a bare number.
        amount: In the base unit of its kind: metres, kilograms, litres, watts ...; the number where there is none.
    """

    number: float
    kind: str
    amount: float


@lru_cache(maxsize=50_000)
def quantities(text: str) -> tuple[Quantity, ...]:
    """All numbers of a text in order, mixed fractions as one.

    >>> [(found.number, found.kind) for found in quantities("3-1/2 in. 钉子 500克")]
    [(3.5, 'length'), (500.0, 'weight')]
    """
    found = []
    for whole, above, below, plain, unit in _NUMBER.findall(normalise(text)):
        number = float(plain) if plain else float(whole or 0) + float(above) / max(float(below), 1.0)
        kind, factor = _UNITS.get(unit, ("", 1.0))
        found.append(Quantity(number, kind, number * factor))
    return tuple(found)


def agreement(query: str, text: str) -> tuple[float, float]:
    """Share of the query's numbers that the text has, and share of them that it contradicts.

    A quantity is contradicted where the text has quantities of its kind and none of that amount. A bare number agrees
    with the same number under any unit, and contradicts nothing.

    >>> agreement("10 ft ladder", "Ladder, 6 ft"), agreement("1升水壶", "水壶 1000毫升")
    ((0.0, 1.0), (1.0, 0.0))
    """
    asked = quantities(query)
    if not asked:
        return 0.0, 0.0
    held = quantities(text)
    agree = against = 0
    for one in asked:
        rivals = [other for other in held if one.kind and other.kind == one.kind]
        loose = [other for other in held if not one.kind or not other.kind]
        if any(_near(one.amount, other.amount) for other in rivals) or any(
            _near(one.number, other.number) for other in loose
        ):
            agree += 1
        elif rivals:
            against += 1
    return agree / len(asked), against / len(asked)


def _near(first: float, second: float) -> bool:
    return abs(first - second) <= _NEAR * max(abs(first), abs(second))
