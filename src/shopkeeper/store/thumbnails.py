"""Pictures made smaller, for pages that show many; made when first asked for."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageOps

from shopkeeper.errors import InputError, StoreError
from shopkeeper.store.media import FORMATS, LARGEST_PICTURE, PIXELS, confined, draft_name

WIDTHS = (160, 320, 640)
"""Pixels across that a thumbnail may have."""

_FOLDER = ".thumbs"


def thumbnail(media: Path, path: str, width: int) -> Path:
    """A picture made smaller, as WebP under ``.thumbs``; made when first asked for and when the picture has changed.

    Args:
        media: The media folder.
        path: A picture in it.
        width: Pixels across, one of `WIDTHS`; smaller pictures stay as small as they are.

    Raises:
        NotFoundError: There is no such picture, see `confined`.
        InputError: The width is not one of `WIDTHS`, or the picture cannot be opened.
        StoreError: The thumbnail cannot be written.
    """
    if width not in WIDTHS:
        raise InputError(
            f"{width} is no width of a thumbnail.", where="w", cure=f"Choose one of {', '.join(map(str, WIDTHS))}."
        )
    file = confined(media, path)
    root = media.resolve()
    target = root / _FOLDER / str(width) / f"{file.relative_to(root)}.webp"
    part = target.with_name(draft_name())
    try:
        about = file.stat()
        if _is_of(target, about):
            return target
        if about.st_size > LARGEST_PICTURE:
            raise InputError(
                f"The picture has {about.st_size / 1e6:.0f} MB.",
                where=path,
                cure=f"At most {LARGEST_PICTURE // 10**6} MB.",
            )
        small, profile = _smaller(file, width, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            small.save(part, "WEBP", quality=80, method=4, icc_profile=profile)
            os.utime(part, ns=(about.st_mtime_ns, about.st_mtime_ns))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"A thumbnail cannot be written ({error.strerror or error}).",
            where=str(target.parent),
            cure="Check the rights of the media folder and the room on the disk.",
        ) from error
    return target


def _smaller(file: Path, width: int, where: str) -> tuple[Image.Image, bytes | None]:
    """The picture upright, at most `width` across, and its colour profile where that still fits."""
    try:
        with Image.open(file, formats=FORMATS) as picture:
            across, down = picture.size
            if across * down > PIXELS:
                raise InputError(
                    f"The picture has {across} x {down} pixels.",
                    where=where,
                    cure=f"At most {PIXELS // 10**6} million.",
                )
            picture.draft("RGB", (2 * width, 2 * width * max(1, -(-down // across))))
            profile = picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA", "P") else None
            seen = ImageOps.exif_transpose(picture)
            clear = seen.mode in ("RGBA", "LA", "PA") or "transparency" in seen.info
            seen = seen.convert("RGBA" if clear else "RGB")
    except InputError:
        raise
    except Exception as error:  # decoders raise anything on broken files
        raise InputError(
            f"This is not a picture that can be opened ({type(error).__name__}).",
            where=where,
            cure=f"Put a whole {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file in its place.",
        ) from error
    if seen.width <= width:
        return seen, profile
    height = max(1, round(seen.height * width / seen.width))
    return seen.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0), profile


def _is_of(target: Path, about: os.stat_result) -> bool:
    """Was the thumbnail made of the picture as it is now? It has the picture's time."""
    with suppress(FileNotFoundError):
        made = target.stat()
        return made.st_mtime_ns == about.st_mtime_ns and made.st_size > 0
    return False
