"""What can be read off the pixels of a picture: its colours in words and as a histogram, and simple traits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.models.pictures.images import Pixels
from shopkeeper.models.text import Floats

NAMED = {
    "black": (25, 25, 28), "charcoal": (62, 64, 68), "grey": (128, 128, 130), "silver": (192, 194, 197),
    "white": (247, 247, 246), "beige": (222, 206, 178), "cream": (245, 236, 214), "brown": (110, 72, 44),
    "tan": (190, 148, 104), "red": (200, 34, 38), "maroon": (112, 22, 34), "orange": (238, 126, 34),
    "yellow": (244, 212, 60), "gold": (202, 164, 74), "green": (52, 142, 70), "olive": (112, 112, 52),
    "turquoise": (58, 182, 178), "blue": (40, 92, 190), "navy": (28, 40, 84), "light blue": (150, 196, 230),
    "purple": (116, 60, 148), "lavender": (190, 172, 218), "pink": (240, 150, 178), "magenta": (206, 44, 128),
}  # fmt: skip
"""Colours that are named, as red, green, blue."""

_SMALL = 48
"""Side of the picture that colours are counted on."""
_GROUND = 14.0
"""Distance in CIELAB from the border's colour below which a pixel is background."""
_FEW = 0.05
"""Share of the pixels that must be foreground; a picture with less is all foreground."""
_WORTH = 0.12
"""Share of the foreground from which a colour is one of the picture's."""
_SHARP = 12.0
"""Distance to a named colour that halves its share in a soft count."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What a picture shows, readable.

    Attributes:
        colours: Names and shares of the foreground, largest first, see `NAMED`.
        brightness: Mean lightness of the foreground in [0, 1].
        saturation: Mean chroma of the foreground, 0 grey and about 1 as strong as it gets.
        texture: Mean change of lightness from pixel to pixel in the foreground, in [0, 1]: plain near 0, patterned above .1.
        fill: Share of the picture that is foreground.
        plain: Is the background one colour, as in a studio?
    """

    colours: tuple[tuple[str, float], ...]
    brightness: float
    saturation: float
    texture: float
    fill: float
    plain: bool


def looks(pixels: Pixels) -> Looks:
    """Readable features of one picture, uint8 (h, w, 3)."""
    lab = to_lab(_shrunk(pixels))
    front, plain = _foreground(lab)
    seen = lab[front]
    shares = _soft(seen).mean(axis=0)
    order = np.argsort(-shares, kind="stable")
    names = list(NAMED)
    named = tuple((names[place], round(float(shares[place]), 3)) for place in order if shares[place] >= _WORTH)
    change = np.abs(np.diff(lab[..., 0], axis=1))[front[:, 1:] & front[:, :-1]]
    return Looks(
        colours=named,
        brightness=round(float(seen[:, 0].mean()) / 100, 3),
        saturation=round(float(np.hypot(seen[:, 1], seen[:, 2]).mean()) / 100, 3),
        texture=round(float(change.mean()) / 100, 3) if len(change) else 0.0,
        fill=round(float(front.mean()), 3),
        plain=plain,
    )


def histogram(pictures: Sequence[Pixels] | Pixels) -> Floats:
    """Square roots of the shares of the named colours in the foreground, float32 (n, 24): rows of length 1.

    Square roots make the dot product of two rows the Bhattacharyya coefficient of the two distributions.
    """
    out = np.zeros((len(pictures), len(NAMED)), dtype=np.float32)
    for row, pixels in enumerate(pictures):
        lab = to_lab(_shrunk(pixels))
        front, _ = _foreground(lab)
        out[row] = np.sqrt(_soft(lab[front]).mean(axis=0))
    return out


def to_lab(pixels: Pixels) -> NDArray[np.float32]:
    """CIELAB under D65 of sRGB pixels uint8 (..., 3): float32, lightness 0 to 100 first (CIE 15:2004)."""
    linear = _LINEAR[pixels]
    xyz = linear @ _TO_XYZ.T
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (841 / 108) * xyz + 4 / 29)
    light = 116 * root[..., 1] - 16
    red, blue = 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])
    return np.stack([light, red, blue], axis=-1).astype(np.float32)


def _shrunk(pixels: Pixels) -> Pixels:
    """Every so many-th pixel, so that neither side is longer than twice `_SMALL`."""
    return pixels[:: max(1, pixels.shape[0] // _SMALL), :: max(1, pixels.shape[1] // _SMALL)]


def _foreground(lab: NDArray[np.float32]) -> tuple[NDArray[np.bool_], bool]:
    """Which pixels are not of the border's colour, and whether the border has one colour."""
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    middle = np.median(border, axis=0)
    plain = bool(np.mean(np.linalg.norm(border - middle, axis=1) < _GROUND) > 0.7)
    if not plain:
        return np.ones(lab.shape[:2], dtype=np.bool_), False
    front = np.linalg.norm(lab - middle, axis=2) >= _GROUND
    if front.mean() < _FEW:
        return np.ones(lab.shape[:2], dtype=np.bool_), True
    return front, True


def _soft(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each pixel is of each named colour: float32 (pixels, colours), rows adding up to 1."""
    distance = np.linalg.norm(seen[:, None, :] - _NAMED_LAB[None], axis=2)
    near = np.exp2(-(distance - distance.min(axis=1, keepdims=True)) / _SHARP * 2)
    return np.asarray(near / near.sum(axis=1, keepdims=True), dtype=np.float32)


def _linear() -> NDArray[np.float32]:
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear()
_TO_XYZ = (
    np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    / np.array([[0.95047], [1.0], [1.08883]])
).astype(np.float32)
_NAMED_LAB = to_lab(np.array(list(NAMED.values()), dtype=np.uint8))
