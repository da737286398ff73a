"""Whom and what posts can name: products by title and code, brands, sellers, and companies of a file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.tasks.listen.phrases import LONGEST, Phrases

_SELLERS: Final = ("seller", "shop", "store", "merchant", "卖家", "店铺", "商家")
_CLAUSE: Final = re.compile(r"[,(（【\[|,，;；]")
_SUFFIX: Final = re.compile(
    r"(?:股份有限公司|有限责任公司|集团有限公司|有限公司|集团|,? (?:inc|ltd|plc|corp|co|gmbh|ag|sa|llc)\.?)$",
    re.IGNORECASE,
)
_SHORTEST_CODE, _SHORTEST_TITLE_WORDS, _SHORTEST_TITLE_HAN = 5, 2, 4


def known_names(items: Iterable[Item], file: str = "") -> Phrases:
    """Everything that can be named; keys read ``kind:name``.

    A product is named by its whole title or the part before the first comma or bracket, by a code with a digit in it, or
    by its id where that looks like one. What names several products names none of them. A company is known by its name
    in the file and, where that is longer than two characters, without "Ltd" and the like; after a tab or ``=`` a line
    may list further names, parted by ``|``.

    Raises:
        InputError: The file cannot be read.
    """
    products: defaultdict[str, set[str]] = defaultdict(set)
    others: dict[tuple[str, str], None] = {}
    for item in items:
        for form in _of_product(item):
            products[form.casefold()].add(item.id)
        if len(item.brand) > 1:
            others[item.brand, f"brand:{item.brand}"] = None
        for name, value in item.attributes.items():
            if name.casefold() in _SELLERS and len(value) > 1:
                others[value, f"seller:{value}"] = None
    for form, name in companies(file) if file else ():
        others[form, f"company:{name}"] = None
    single = ((form, f"item:{next(iter(ids))}") for form, ids in products.items() if len(ids) == 1)
    return Phrases([*single, *others])


def companies(file: str) -> Iterator[tuple[str, str]]:
    """Written forms of the names in a file, each with the name that it stands for.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The names cannot be read: {error}.", where=file, cure="Write one name a line, in UTF-8."
        ) from error
    for line in lines:
        name, _, further = line.replace("\t", "=", 1).partition("=")
        name = name.strip()
        if name and not name.startswith("#"):
            short = _SUFFIX.sub("", name).strip()
            forms = [name, *(form.strip() for form in further.split("|")), short if len(short) > 2 else ""]
            yield from ((form, name) for form in dict.fromkeys(forms) if form)


def _of_product(item: Item) -> Iterator[str]:
    short = _CLAUSE.split(item.title)[0].strip()
    for form in {item.title.strip(), short}:
        han = sum("一" <= letter <= "鿿" for letter in form)
        if len(form) <= LONGEST and (han >= _SHORTEST_TITLE_HAN or len(form.split()) >= _SHORTEST_TITLE_WORDS):
            yield form
    for code in (item.id, *item.codes):
        if len(code) >= _SHORTEST_CODE and any(map(str.isdigit, code)) and not (code.isdigit() and len(code) < 8):
            yield code
