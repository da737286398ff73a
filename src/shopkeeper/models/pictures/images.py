"""Pictures as arrays: opened safely, brought to one size, and what an encoder of pictures can do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.store.media import FORMATS, LARGEST_PICTURE, PIXELS

Pixels = NDArray[np.uint8]

_THINNEST = 50
"""How many times longer than wide, or wider than long, a picture may be."""
_CORNER = 0.06
"""Share of each side that a corner takes up, from which the colour around a picture is read."""


class PictureEncoder(Protocol):
    """Turns pictures into unit vectors whose dot product is their likeness."""

    @property
    def name(self) -> str:
        """Name and version."""
        ...

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        ...

    @property
    def side(self) -> int:
        """Pixels of a side of the squares that it reads."""
        ...

    def encode(self, pictures: Sequence[Pixels] | Pixels) -> Floats:
        """Encode pictures.

        Args:
            pictures: uint8 (n, side, side, 3), red green blue; see `squared`.

        Returns:
            float32 (n, d), rows of length 1; the same picture gives the same vector in any company.
        """
        ...


def open_picture(source: Path | bytes, where: str = "") -> Image.Image:
    """A picture from a file or its bytes, upright, in red, green and blue; of moving pictures the first frame.

    Args:
        source: A file, or what one holds.
        where: What an error calls it; the file's name when empty.

    Raises:
        InputError: It is too large, no picture, of a kind that is not opened, cut short or a decompression bomb.
    """
    where = where or (source.name if isinstance(source, Path) else "picture")
    try:
        data = source if isinstance(source, bytes) else _read(source, where)
    except OSError as error:
        raise InputError(
            f"The picture cannot be read: {error.strerror or error}.",
            where=where,
            cure="Check the path and its rights.",
        ) from error
    if len(data) > LARGEST_PICTURE:
        raise InputError(
            f"The picture has {len(data) / 1e6:.0f} MB.",
            where=where,
            cure=f"Send at most {LARGEST_PICTURE // 10**6} MB.",
        )
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(picture.size, where)
        if picture.format == "JPEG":
            picture.draft("RGB", (512, 512))  # a large photo is decoded at an eighth of its size at once
        picture.load()
        return _on_white(_upright(picture))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            "The picture says that it is far too large.",
            where=where,
            cure=f"Send one of at most {PIXELS // 10**6} million pixels.",
        ) from error
    except Exception as error:  # decoders raise anything on broken files
        raise InputError(
            f"This is not a picture that can be opened ({type(error).__name__}).",
            where=where,
            cure=f"Send a whole {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file.",
        ) from error


def squared(picture: Image.Image, side: int) -> Pixels:
    """The whole picture in a square, uint8 (side, side, 3); bands beside it have the colour of its corners."""
    width, height = picture.size
    scale = side / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if size == (side, side):
        return np.array(small, dtype=np.uint8)
    canvas = np.empty((side, side, 3), dtype=np.uint8)
    pixels = np.asarray(small, dtype=np.uint8)
    canvas[:] = _surroundings(pixels)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = pixels
    return canvas


def _read(path: Path, where: str) -> bytes:
    size = path.stat().st_size
    if size > LARGEST_PICTURE:
        raise InputError(
            f"The picture has {size / 1e6:.0f} MB.", where=where, cure=f"Send at most {LARGEST_PICTURE // 10**6} MB."
        )
    return path.read_bytes()


def _check_size(size: tuple[int, int], where: str) -> None:
    width, height = size
    if width * height > PIXELS:
        raise InputError(
            f"The picture has {width} x {height} pixels.",
            where=where,
            cure=f"Send one of at most {PIXELS // 10**6} million pixels.",
        )
    if min(size) < 1 or max(size) > _THINNEST * min(size):
        raise InputError(
            f"The picture is a strip of {width} x {height} pixels.", where=where, cure="Send a whole photo."
        )


def _upright(picture: Image.Image) -> Image.Image:
    """As the camera was held; as it is, where its notes about that are broken."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - the notes are a format of their own, with faults of their own
        return picture


def _on_white(picture: Image.Image) -> Image.Image:
    """Red, green and blue; what is transparent shows white, as on a shop's page."""
    if picture.mode.startswith("I;16"):  # Pillow would cut off what is above 255 instead of scaling it
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        ground = Image.new("RGBA", seen.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, seen).convert("RGB")
    return picture.convert("RGB")


def _surroundings(pixels: Pixels) -> Pixels:
    """The middle colour of the four corners, uint8 (3,)."""
    height, width = pixels.shape[:2]
    down, across = max(1, int(height * _CORNER)), max(1, int(width * _CORNER))
    corners = [pixels[:down, :across], pixels[:down, -across:], pixels[-down:, :across], pixels[-down:, -across:]]
    middle: Pixels = np.median(np.concatenate([corner.reshape(-1, 3) for corner in corners]), axis=0).astype(np.uint8)
    return middle
