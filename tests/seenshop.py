"""A small shop whose goods are drawn: three shapes in eight colours, six drawn and one undrawn of each.

What it learns of its pictures is learnt once for all tests.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from shopkeeper import settings as settings_module
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import train
from shopkeeper.records import Item
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

COLOURS = {
    "red": (200, 34, 38), "blue": (40, 92, 190), "green": (52, 142, 70), "yellow": (244, 212, 60),
    "black": (25, 25, 28), "pink": (240, 150, 178), "orange": (238, 126, 34), "purple": (116, 60, 148),
}  # fmt: skip
SHAPES = {"ball": "Toys", "box": "Storage", "kite": "Outdoor"}


def drawing(colour: str, shape: str, seed: int) -> Image.Image:
    """A thing on a light ground; seeds differ in size and place."""
    rng = np.random.default_rng([seed, len(shape)])
    size, left, top = rng.integers(90, 130), *rng.integers(20, 80, size=2)
    image = Image.new("RGB", (224, 224), (240, 240, 238))
    pen, box = ImageDraw.Draw(image), (left, top, left + size, top + size)
    if shape == "ball":
        pen.ellipse(box, fill=COLOURS[colour])
    elif shape == "box":
        pen.rectangle(box, fill=COLOURS[colour])
    else:
        middle = left + size / 2
        pen.polygon(
            [(middle, top), (left + size, top + size * 0.4), (middle, top + size), (left, top + size * 0.4)],
            fill=COLOURS[colour],
        )
    return image


def seen_shop(home: Path, **overrides: object) -> Settings:
    """Put the shop, which has trained ``pictures``, into an empty folder. The last item of each kind has no picture."""
    shutil.copytree(_learnt(), home, dirs_exist_ok=True)
    values = {"models.encoder": "use-multilingual", "serve.keys_required": False, "name": "Seen", **overrides}
    return settings_module.load(home, environ={}, overrides=values)


@cache
def _learnt() -> Path:
    home = Path(tempfile.mkdtemp(prefix="seen-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    settings = settings_module.load(home, environ={}, overrides={"models.encoder": "use-multilingual"})
    settings.media.mkdir(parents=True, exist_ok=True)
    items = []
    for colour in COLOURS:
        for shape, category in SHAPES.items():
            for number in range(7):
                name = f"{colour}-{shape}-{number}"
                images: tuple[str, ...] = ()
                if number < 6:
                    drawing(colour, shape, number).save(settings.media / f"{name}.png")
                    images = (f"{name}.png",)
                title = f"{colour} {shape} number {number}".capitalize()
                attributes = {"colour": colour}
                items.append(
                    Item(
                        id=name,
                        title=title,
                        category=(category,),
                        price=5.0 + number,
                        currency="EUR",
                        images=images,
                        language="en",
                        attributes=attributes,
                    )
                )
    store = open_store(settings.store_url)
    try:
        store.catalogue.put(items)
        outcome = next(train(store, settings, Registry(settings.bundles), ("pictures",), 10.0))
        assert outcome.version, outcome.skipped
    finally:
        store.close()
    return home
