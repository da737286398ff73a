"""The words of the practice shop, read from `data/`: departments, product types, brands, attributes, phrases.

Everything said in two languages is a `Both`: index 0 is English, index 1 Chinese. ``*`` in the data marks wordings that
are held out: they never occur in the log, only in evaluation queries.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

EN, ZH = 0, 1
LANGUAGES = ("en", "zh")
DATA = Path(__file__).parent / "data"

Both = tuple[str, str]
Words = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour: its name, another word for it, and how it looks."""

    key: str
    name: Both
    other: Both
    rgb: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Aspect:
    """Something reviews speak about, with praise and complaint in both languages; `types` it applies to, empty for all."""

    key: str
    types: tuple[str, ...]
    good: Words
    bad: Words


@dataclass(frozen=True, slots=True)
class Brand:
    """An invented maker; `tier` from -1 (cheap) to 2 (luxury) moves prices and quality."""

    name: str
    language: int
    tier: int


@dataclass(frozen=True, slots=True)
class Range:
    """Products that share brands, styles and what reviewers speak about; a department holds one or two of them."""

    key: str
    department: Both
    brands: tuple[Brand, ...]
    styles: tuple[str, ...]
    aspects: tuple[Aspect, ...]


@dataclass(frozen=True, slots=True)
class ProductType:
    """One kind of product.

    Attributes:
        names: What people call it, best known first; `rare_names` are held out.
        attributes: Name to possible values (colour keys for ``colour``).
        near: The substitute a customer might accept.
        partners: Complements and their strength: who buys this soon needs those.
        again: Days after which it is used up, 0 for durable goods.
        season: Month of the peak (1 to 12, 0 for none) and its strength.
        draw: The drawing, see `pictures`.
    """

    key: str
    range: Range
    shelf: Both
    names: Words
    rare_names: Words
    price: float
    attributes: Mapping[str, tuple[str, ...]]
    features: tuple[Both, ...]
    uses: tuple[Both, ...]
    asks: tuple[Both, ...]
    rare_asks: tuple[Both, ...]
    near: str
    partners: Mapping[str, float]
    again: int
    season: tuple[float, float]
    draw: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything sayable."""

    types: tuple[ProductType, ...]
    brands: tuple[tuple[str, Brand], ...]  # (range key, brand)
    colours: tuple[Colour, ...]
    names: Mapping[str, Both]
    words: Mapping[str, str]
    units: tuple[Both, ...]
    aspects: tuple[Aspect, ...]
    homophones: Mapping[str, str]
    phrases: tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]

    def say(self, value: str, language: int) -> str:
        """An attribute value or unit in a language; values that are the same in both (``XL``) stay."""
        if language == EN:
            return value
        if value in self.words:
            return self.words[value]
        for english, chinese in self.units:
            if value.endswith(english):
                return value.removesuffix(english) + chinese
        return value


def _both(text: str) -> Both:
    english, chinese = text.split("|")
    return english.strip(), chinese.strip()


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _aspects(table: Mapping[str, Any]) -> tuple[Aspect, ...]:
    return tuple(
        Aspect(
            key,
            _split(row.get("types", "")),
            (tuple(row["en_good"]), tuple(row["zh_good"])),
            (tuple(row["en_bad"]), tuple(row["zh_bad"])),
        )
        for key, row in table.items()
    )


def _brand(text: str, language: int) -> Brand:
    for sign in "+-":
        name, found, tier = text.rpartition(sign)
        if found and tier.isdigit():
            return Brand(name, language, int(sign + tier))
    return Brand(text, language, 0)


def _range(key: str, table: Mapping[str, Any]) -> Range:
    brands = [_brand(text, EN) for text in _split(table["brands_en"])]
    brands += [_brand(text, ZH) for text in _split(table["brands_zh"])]
    return Range(key, (table["en"], table["zh"]), tuple(brands), _split(table["styles"]), _aspects(table["aspects"]))


def _type(
    key: str, row: Mapping[str, Any], family: Range, shelves: Mapping[str, str], palettes: Mapping[str, Any]
) -> ProductType:
    attributes: dict[str, tuple[str, ...]] = {}
    for text in row["attributes"]:
        name, _, values = text.partition(":")
        if name == "colour":
            attributes[name] = tuple(palettes[values or "all"])
        else:
            attributes[name] = tuple(values.split("|")) if values else family.styles
    names, rare = zip(*(_held_out(_split(row[tag])) for tag in LANGUAGES), strict=True)
    asks, rare_asks = _held_out(tuple(row["asks"]))
    month, _, strength = row.get("season", "0,0").partition(",")
    partners = {text.rstrip("!"): 1.0 if text.endswith("!") else 0.45 for text in _split(row["with"])}
    return ProductType(
        key=key, range=family, shelf=_both(shelves[row["shelf"]]), names=names, rare_names=rare,
        price=float(row["price"]), attributes=attributes, features=tuple(map(_both, row["features"])),
        uses=tuple(map(_both, row["uses"])), asks=tuple(map(_both, asks)), rare_asks=tuple(map(_both, rare_asks)),
        near=row["near"], partners=partners, again=int(row.get("again", 0)),
        season=(float(month), float(strength)), draw=row["draw"],
    )  # fmt: skip


def _held_out(values: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    known = tuple(value for value in values if not value.startswith("*"))
    return known, tuple(value[1:] for value in values if value.startswith("*"))


def _colour(key: str, text: str) -> Colour:
    english, chinese, code, other_english, other_chinese = text.split("|")
    rgb = (int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16))
    return Colour(key, (english, chinese), (other_english, other_chinese), rgb)


@cache
def vocabulary() -> Vocabulary:
    """The words as they stand in the package's data files."""
    common = tomllib.loads((DATA / "common.toml").read_text("utf-8"))
    types: list[ProductType] = []
    brands: list[tuple[str, Brand]] = []
    for path in sorted((DATA / "departments").glob("*.toml")):
        table = tomllib.loads(path.read_text("utf-8"))
        family = _range(path.stem, table)
        brands += [(family.key, brand) for brand in family.brands]
        types += [_type(key, row, family, table["shelves"], common["palettes"]) for key, row in table["types"].items()]
    english, chinese = (
        {key: tuple(lines) for key, lines in tomllib.loads((DATA / f"phrases_{tag}.toml").read_text("utf-8")).items()}
        for tag in LANGUAGES
    )
    return Vocabulary(
        types=tuple(types),
        brands=tuple(brands),
        colours=tuple(_colour(key, text) for key, text in common["colours"].items()),
        names={english: (english, chinese) for english, chinese in map(_both, common["names"])},
        words=dict(map(_both, common["words"])),
        units=tuple((english, text.split("|")[1]) for text in common["units"] for english in [text.split("|")[0]]),
        aspects=_aspects(common["aspects"]),
        homophones=common["homophones"],
        phrases=(english, chinese),
    )
