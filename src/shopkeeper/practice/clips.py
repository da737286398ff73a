"""Films some of the practice shop's products: short silent WebM clips, cut as sellers cut them.

A clip begins with a card in the brand's colour, shows the product gliding by and from near, then hands the eye on to other
things of the shop, as advertisements do. So not every frame is about the product: who reads a clip has to find out which are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from shopkeeper import progress
from shopkeeper.practice.goods import Goods
from shopkeeper.practice.pictures import SIDE, scene
from shopkeeper.practice.vocabulary import Vocabulary

RATE = 8
_CARD, _GLIDE, _NEAR, _OTHERS = 6, 10, 4, 6
"""Frames of each part."""
_BITS = 160_000


def film_all(words: Vocabulary, goods: Goods, media: Path, seed: int) -> None:
    """Write ``media/practice/<id>.webm`` for every item that `Goods.filmed` marks; clips that exist are written anew."""
    folder = media / "practice"
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.flatnonzero(goods.filmed).tolist()
    for row in progress.track(rows, "practice: clips", len(rows), "clips"):
        film(frames(words, goods, row, seed), folder / f"{goods.ids[row]}.webm")


def frames(words: Vocabulary, goods: Goods, row: int, seed: int) -> Iterator[Image.Image]:
    """The frames of one clip, 224 x 224, the same for the same seed."""
    rng = np.random.default_rng([seed, 12, row])
    card = Image.new("RGB", (SIDE, SIDE), _brand_colour(int(goods.brand[row])))
    pen = ImageDraw.Draw(card)
    for width in range(3):
        pen.rectangle((40, 84 + 20 * width, 184 - 36 * width, 94 + 20 * width), fill=(250, 250, 250))
    yield from [card] * _CARD
    for step in np.linspace(-0.18, 0.18, _GLIDE):
        yield scene(words, goods, row, seed, across=float(step))
    near = scene(words, goods, row, seed, zoom=1.6)
    yield from [near] * _NEAR
    others = rng.choice(len(goods.ids), 4, replace=False)
    table = Image.new("RGB", (SIDE, SIDE), (240, 240, 240))
    for place, other in enumerate(others.tolist()):
        half = SIDE // 2
        small = scene(words, goods, other, seed).resize((half, half), Image.Resampling.BOX)
        table.paste(small, (place % 2 * half, place // 2 * half))
    yield from [table] * _OTHERS


def film(pictures: Iterator[Image.Image], path: Path) -> None:
    """Write a silent VP8 clip, the same bytes for the same pictures."""
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libvpx", rate=RATE)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = _BITS
        stream.codec_context.thread_count = 1
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode(None))


def _brand_colour(brand: int) -> tuple[int, int, int]:
    red, green, blue = np.random.default_rng([13, brand]).integers(30, 200, 3).tolist()
    return red, green, blue
