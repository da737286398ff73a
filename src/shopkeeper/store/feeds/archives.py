"""Pictures and videos of a folder or a zip file, read within limits: nothing that a stranger packed costs more."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.sources import unreadable
from shopkeeper.store.media import LARGEST_PICTURE, LARGEST_VIDEO, PICTURES, VIDEOS

CHUNK = 1 << 16
_DIRECTORY_BYTES = 32_000_000
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1 | 0x40
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_GRACE = 1_000_000
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken from one folder or zip file at most.

    Attributes:
        members: Files of it, of any kind.
        picture: Bytes of a picture.
        video: Bytes of a video.
        total: Bytes that a zip file may unpack to.
        ratio: How many times its packed size a member may unpack to, beyond the first megabyte.
    """

    members: int = 100_000
    picture: int = LARGEST_PICTURE
    video: int = LARGEST_VIDEO
    total: int = 50_000_000_000
    ratio: int = 200

    def of(self, name: str) -> int:
        """Most bytes of a file of that name."""
        return self.video if PurePosixPath(name).suffix.lower() in VIDEOS else self.picture


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A picture or video that was found.

    Attributes:
        number: Its place in the listing, from 1.
        name: Path within the folder or zip file, ``/`` between the parts.
        chunks: Reads it; raises `Reject` where a limit is passed or the content is damaged.
    """

    number: int
    name: str
    chunks: Callable[[], Iterator[bytes]]


@dataclass(slots=True)
class Listing:
    """What lies in a folder or zip file.

    Attributes:
        format: ``folder`` or ``zip``.
        files: What can be read.
        refused: Place and reason of what cannot.
        skipped: What is neither picture nor video, to how often.
    """

    format: str
    files: list[MediaFile] = field(default_factory=list)
    refused: list[tuple[int, Reject]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)

    def note(self, number: int, name: str, chunks: Callable[[], Iterator[bytes]] | Reject) -> None:
        """Add a file of any name."""
        if PurePosixPath(name).suffix.lower() not in PICTURES.keys() | VIDEOS.keys():
            self.skipped["no picture or video"] += 1
        elif any(part.startswith(".") and part.strip(".") for part in name.split("/")) or name.startswith("__MACOSX/"):
            self.skipped["hidden file"] += 1
        elif isinstance(chunks, Reject):
            self.refused.append((number, chunks))
        elif name in self._seen:
            self.refused.append((number, Reject("duplicate name", "file", name)))
        else:
            self._seen.add(name)
            self.files.append(MediaFile(number, name, chunks))


@contextmanager
def open_media(source: Path, limits: Limits, *, leave: Path) -> Iterator[Listing]:
    """List a folder or a zip file; its files can be read until the block ends.

    Args:
        source: The folder, or the zip file.
        limits: What is taken at most.
        leave: A folder within that is not looked into, unless it is the source itself.

    Raises:
        InputError: It is not there, is neither, or holds too many files.
    """
    if source.is_dir():
        yield _folder(source, limits, leave)
        return
    try:
        raw = _Counted(source)
    except OSError as error:
        raise unreadable(source, error) from error
    with raw, _archive(raw, source) as archive:
        yield _zip(archive, raw, limits, source)


def _archive(raw: _Counted, source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(raw)
    except _DAMAGED as error:
        raise InputError(
            "This is neither a folder nor a whole zip file.", where=str(source), cure="Give one of the two."
        ) from error


def _folder(source: Path, limits: Limits, leave: Path) -> Listing:
    listing = Listing("folder")
    root = source.resolve()
    left = leave.resolve()
    number = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(folder, name) != left)
        for name in sorted(names):
            number += 1
            if number > limits.members:
                raise _too_many(source, limits)
            path = Path(folder, name)
            listing.note(number, path.relative_to(root).as_posix(), partial(_read_file, path, root, limits))
    return listing


def _read_file(path: Path, root: Path, limits: Limits) -> Iterator[bytes]:
    name = path.relative_to(root).as_posix()
    try:
        if not path.resolve().is_relative_to(root):
            raise Reject("link that leads outside", "file", name)
        if not path.is_file():
            raise Reject("not a file", "file", name)
        with path.open("rb") as file:
            yield from _limited(file, limits.of(name), name)
    except (OSError, RuntimeError) as error:
        raise Reject("unreadable file", "file", f"{name}: {error}") from error


def _zip(archive: zipfile.ZipFile, raw: _Counted, limits: Limits, source: Path) -> Listing:
    listing = Listing("zip")
    members = archive.infolist()
    if len(members) > limits.members:
        raise _too_many(source, limits)
    purse = _Purse(limits.total, source)
    for number, member in enumerate(members, start=1):
        name = _name(member)
        if name.endswith("/"):
            continue
        reason = _forbidden(member)
        if reason:
            listing.note(number, name, Reject(reason, "file", name))
        else:
            listing.note(number, name, partial(_read_member, archive, member, raw, limits, purse))
    return listing


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, raw: _Counted, limits: Limits, purse: _Purse
) -> Iterator[bytes]:
    name = _name(member)
    before, made = raw.taken, 0
    try:
        with archive.open(member) as file:
            for chunk in _limited(file, limits.of(name), name):
                made += len(chunk)
                if made > _GRACE and made > limits.ratio * max(1, raw.taken - before):
                    raise Reject("packed too tightly", "file", name)
                purse.pay(len(chunk))
                yield chunk
    except _DAMAGED as error:
        raise Reject("damaged in the zip file", "file", f"{name}: {error}") from error


def _limited(file: IO[bytes], most: int, name: str) -> Iterator[bytes]:
    """The content, counted as it comes: sizes that a file states are not believed."""
    size = 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > most:
            raise Reject("file too large", "file", f"{name}: more than {most // 10**6} MB")
        yield chunk


def _forbidden(member: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "link in the zip file"
    if kind not in (0, stat.S_IFREG):
        return "not a file"
    if member.flag_bits & _ENCRYPTED:
        return "encrypted"
    return "" if member.compress_type in _METHODS else "unusual compression"


def _name(member: zipfile.ZipInfo) -> str:
    """The name as it was meant: without the mark of UTF-8 it may be that all the same, or GB 18030 from a Chinese PC."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAME and not name.isascii():
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _too_many(source: Path, limits: Limits) -> InputError:
    return InputError(
        f"There are more than {limits.members:,} files in it.", where=str(source), cure="Import it in several parts."
    )


class _Purse:
    """Bytes that the zip file may still unpack to."""

    def __init__(self, total: int, source: Path) -> None:
        self._left = total
        self._total = total
        self._source = source

    def pay(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise InputError(
                f"It unpacks to more than {self._total / 1e9:g} GB.",
                where=str(self._source),
                cure="Import it in several parts.",
            )


class _Counted(io.FileIO):
    """A file that knows how much was read of it, and never gives a directory that would fill the memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.taken = 0
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; the only large reads of a zip file are those of its directory."""
        if size is not None and size > _DIRECTORY_BYTES:
            raise InputError("Too many files are in it.", where=str(self._path), cure="Import it in several parts.")
        data = super().read(-1 if size is None else size) or b""
        self.taken += len(data)
        return data
