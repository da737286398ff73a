"""What one picture shows, in words that a shop can use: its colours and traits, and what an item that looks so most likely is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shopkeeper.models.pictures.colours import Looks as Traits
from shopkeeper.models.pictures.colours import looks
from shopkeeper.models.pictures.images import open_picture, squared
from shopkeeper.models.pictures.modes import Modes
from shopkeeper.retrieval.looks import Looks, packed


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture shows.

    Attributes:
        looks: Its place among the shop's pictures, for `Request.looks`.
        traits: Colours with their shares, lightness, strength of colour, texture, background.
        likely: Question (``category`` or an attribute of the shop) to the likeliest value and its probability.
    """

    looks: str
    traits: Traits
    likely: Mapping[str, tuple[str, float]]


def see(picture: bytes, known: Looks) -> Seen:
    """Look at a picture file.

    Args:
        picture: Content of the file.
        known: What was learnt of the shop's pictures.

    Raises:
        InputError: It cannot be opened.
    """
    pixels = squared(open_picture(picture), known.gallery.encoder.side)
    glimpse = known.glimpse(pixels)
    text = np.zeros((1, known.sight.text.reads), dtype=np.float32)
    alone = Modes(text, glimpse, np.zeros_like(glimpse), np.array([[0, 1, 0]], dtype=np.float32))
    said = known.sight.said(alone)
    likely = {name: (values[0], float(shares[0])) for name, (values, shares) in said.items()}
    return Seen(packed(known.sight.picture(glimpse)[0]), looks(pixels), likely)
