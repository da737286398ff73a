"""The fashion photos as a shop would hold them: items with titles and files, what is seen of them, and a fixed split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shopkeeper.models.pictures.encoders import SAMPLES, open_gallery
from shopkeeper.models.pictures.gallery import Gallery, Shots, samples
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Floats
from shopkeeper.recipes.pictures.looks import Parts, parted
from shopkeeper.records import Item
from shopkeeper.settings import Settings

QUESTIONS = {"articleType": "type", "baseColour": "colour", "gender": "gender", "season": "season"}
"""What is asked of a photo: column of the file to attribute of the item."""


@dataclass(frozen=True, slots=True)
class Fashion:
    """4,076 products with a photo each.

    Attributes:
        items: Their attributes are what is asked, so nothing that is learnt from may read them but as labels.
        text: float32 (n, t), vectors of the titles.
        shots: What is seen of them.
        parts: Rows for training, validation and test; byte-identical photos and equal titles stand on one side.
        group: int64 (n,), equal for those.
    """

    items: list[Item]
    text: Floats
    shots: Shots
    parts: Parts
    group: NDArray[np.int64]
    gallery: Gallery


def fashion(data: Path, home: Path, *, quick: bool = False, seed: int = 7) -> Fashion:
    """Write the photos into a shop's media folder, encode them and the titles.

    Args:
        data: Folder of the public data sets.
        home: A scratch shop.
        quick: 600 photos.
        seed: Of the split.
    """
    settings = Settings.model_validate({"home": home, "compute": {"seed": seed}})
    folder = data / "fashion-product-images"
    photos = pl.read_parquet(folder / "images.parquet")[: 600 if quick else None]
    known = {row["id"]: row for row in pl.read_parquet(folder / "catalog.parquet").iter_rows(named=True)}
    settings.media.mkdir(parents=True, exist_ok=True)
    items, digests = [], []
    for number, photo in photos.iter_rows():
        (settings.media / f"{number}.jpg").write_bytes(photo)
        digests.append(hashlib.blake2b(photo, digest_size=8).hexdigest())
        told = known[number]
        attributes = {name: told[column] for column, name in QUESTIONS.items() if told[column]}
        items.append(Item(id=str(number), title=told["title"], images=(f"{number}.jpg",), attributes=attributes))
    gallery = open_gallery(settings, lambda side: samples(items, settings.media, side, SAMPLES))
    shots = gallery.shots(items)
    text = encoders(settings, None, "minilm").passage.encode([item.title for item in items])
    group = _alike([item.title for item in items], digests)
    return Fashion(items, text, shots, parted(np.arange(len(items)), group, items, seed), group, gallery)


def _alike(titles: list[str], digests: list[str]) -> NDArray[np.int64]:
    """Numbers that are equal for items with the same title or the same bytes, at one remove or at many."""
    lead = list(range(len(titles)))

    def root(row: int) -> int:
        while lead[row] != row:
            row = lead[row]
        return row

    for keys in (titles, digests):
        first: dict[str, int] = {}
        for row, key in enumerate(keys):
            lead[root(row)] = root(first.setdefault(key, row))
    return np.array([root(row) for row in range(len(titles))], dtype=np.int64)
