"""The shop's media folder: what may lie in it, and how files get there.

Nothing is read or written outside of the folder, whatever a name says, and no file of the shop is removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import unicodedata
import uuid
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from shopkeeper.errors import InputError, NotFoundError, StoreError

PICTURES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""Endings of pictures that are taken in, and what they are served as."""
VIDEOS = {".mkv": "video/x-matroska", ".mov": "video/quicktime", ".mp4": "video/mp4", ".webm": "video/webm"}
"""The same of videos."""
SERVED = {**PICTURES, **VIDEOS, ".svg": "image/svg+xml"}
"""What the storefront may send; drawings come from the shop's own hand only."""
LARGEST_PICTURE = 20_000_000
"""Bytes of a picture."""
PIXELS = 50_000_000
"""Pixels of a picture, known from its header before anything is decoded."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP")
"""What of pictures is opened; everything else is refused before a decoder sees it."""
LARGEST_VIDEO = 200_000_000
"""Bytes of a video."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\\:*?"<>|]')
_PART_BYTES = 200
_STEM_BYTES = 150
_ENDING = 6
_NO_ROOM_FOR_NAME = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}


def confined(media: Path, path: str) -> Path:
    """The file that a path means inside of the media folder; links are followed before looking.

    Raises:
        NotFoundError: It is not there, is hidden, neither picture nor video, or lies outside.
    """
    missing = NotFoundError("There is no such picture.", where="media", cure="Check the path.")
    if "\x00" in path:
        raise missing
    try:
        root = media.resolve()
        file = (root / path).resolve()
        inside = file.is_relative_to(root) and not _hidden(file.relative_to(root))
        found = inside and file.suffix.lower() in SERVED and file.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, a ring of links, no text
        raise missing from None
    if not found:
        raise missing
    return file


def safe_path(name: str) -> str:
    """A relative path that every file system and browser takes, from one that a stranger chose.

    Parts that need a change get a hash of what they were, so that different names stay different.

    Raises:
        InputError: The name is absolute, climbs up, or means a hidden file.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or re.match(r"[A-Za-z]:[\\/]", name) or not parts or ".." in parts:
        raise InputError("The path leads outside.", where=name[:200], cure="Give paths below the folder.")
    if any(part.startswith(".") for part in parts):
        raise InputError("The file is hidden.", where=name[:200], cure="Give it a name that does not begin with a dot.")
    return "/".join(_safe_part(unicodedata.normalize("NFC", part)) for part in parts)


def content_of(head: bytes) -> str:
    """What the first bytes of a file say that it is, as an ending of `PICTURES` or `VIDEOS`; empty for all else.

    At least 12 bytes are looked at; ``ftyp`` boxes are told apart by their brands (ISO/IEC 14496-12).
    """
    for start, ending in (
        (b"\xff\xd8\xff", ".jpg"),
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"GIF87a", ".gif"),
        (b"GIF89a", ".gif"),
    ):
        if head.startswith(start):
            return ending
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return ".bmp"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return ".webm" if b"webm" in head[:64] else ".mkv"
    if head[4:8] == b"ftyp":
        return _branded(head[8:12])
    return ".mov" if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip") else ""


def keep(
    media: Path, path: str, chunks: Iterable[bytes], *, durable: bool = False
) -> Literal["added", "updated", "unchanged"]:
    """Write a file into the media folder, whole or not at all; one that says the same already is not touched.

    Args:
        media: The folder; made where it is missing.
        path: Where in it, see `safe_path`.
        chunks: The content; what they raise goes through, and then nothing is written.
        durable: Be sure that it is on the disk before it gets its name.

    Raises:
        InputError: The path leads outside through a link, or a folder stands where a file is to be or the other way round.
        StoreError: The disk is full or cannot be written.
    """
    root = media.resolve()
    try:
        target = (root / path).parent.resolve() / PurePosixPath(path).name
        if not target.is_relative_to(root):
            raise InputError("The path leads outside.", where=path, cure="Remove the link in the media folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with _Draft(target, durable=durable) as draft:
            for chunk in chunks:
                draft.write(chunk)
            return draft.finish()
    except OSError as error:
        if error.errno in _NO_ROOM_FOR_NAME:
            raise InputError("A file of that name cannot be made there.", where=path, cure="Rename it.") from error
        raise StoreError(
            f"The media folder cannot be written ({error.strerror or error}).",
            where=str(media),
            cure="Check its rights and the room on the disk.",
        ) from error


def draft_name() -> str:
    """A hidden name that nothing else has, for a file until it is whole."""
    return f".part-{uuid.uuid4().hex}"


class _Draft:
    """A file on its way to its name. As long as it says what stands there already, nothing is written."""

    def __init__(self, target: Path, *, durable: bool) -> None:
        self._target = target
        self._durable = durable
        self._part = target.with_name(draft_name())
        self._old: IO[bytes] | None = None
        self._new: IO[bytes] | None = None
        self._same = 0

    def __enter__(self) -> _Draft:
        """Open what stands there."""
        if self._target.is_file():
            self._old = self._target.open("rb")
        else:
            self._new = self._part.open("xb")
        return self

    def write(self, chunk: bytes) -> None:
        """Add to the content."""
        if self._new is None and self._old is not None:
            if self._old.read(len(chunk)) == chunk:
                self._same += len(chunk)
                return
            self._new = self._begin(self._old)
        assert self._new is not None
        self._new.write(chunk)

    def finish(self) -> Literal["added", "updated", "unchanged"]:
        """Give it its name."""
        if self._new is None and self._old is not None:
            if not self._old.read(1):
                return "unchanged"
            self._new = self._begin(self._old)
        assert self._new is not None
        self._new.flush()
        if self._durable:
            os.fsync(self._new.fileno())
        self._part.replace(self._target)
        return "added" if self._old is None else "updated"

    def __exit__(self, *_: object) -> None:
        """Close, and leave no half of it behind."""
        for file in (self._old, self._new):
            if file is not None:
                file.close()
        self._part.unlink(missing_ok=True)

    def _begin(self, old: IO[bytes]) -> IO[bytes]:
        """A new file that begins as the old one did."""
        file = self._part.open("xb")
        old.seek(0)
        left = self._same
        while left > 0 and (chunk := old.read(min(left, 1 << 20))):
            file.write(chunk)
            left -= len(chunk)
        return file


def _branded(brand: bytes) -> str:
    if brand in (b"avif", b"avis"):
        return ".avif"
    if brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"M4A ", b"crx "):
        return ""
    return ".mov" if brand == b"qt  " else ".mp4"


def _safe_part(part: str) -> str:
    clean = _UNSAFE.sub("_", part).strip(" .") or "_"
    if clean == part and len(part.encode()) <= _PART_BYTES:
        return part
    digest = hashlib.blake2b(part.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    ending = PurePosixPath(clean).suffix
    ending = ending if 1 < len(ending) <= _ENDING else ""
    stem = clean.removesuffix(ending).encode()[:_STEM_BYTES].decode(errors="ignore")
    return f"{stem}-{digest}{ending}"


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
