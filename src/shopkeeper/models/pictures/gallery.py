"""The pictures and videos of items as vectors, kept on disk: a restart encodes only files that are new or changed."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.pictures import colours
from shopkeeper.models.pictures.images import PictureEncoder, Pixels, open_picture, squared
from shopkeeper.models.pictures.videos import open_video
from shopkeeper.models.text import Floats
from shopkeeper.progress import span
from shopkeeper.records import Item
from shopkeeper.store.media import confined

log = logging.getLogger(__name__)

PICTURES, VIDEOS = 3, 1
"""How many of an item's are looked at: the first ones show it best."""
_KEY_BYTES = 16
_CHUNK = 64
_COLOURS = len(colours.NAMED)
_SIGN = 8


@dataclass(frozen=True, slots=True)
class Shots:
    """What the pictures and videos of some items show: one row a picture or frame, items in order.

    Attributes:
        item: int64 (m,), rising: place of the item among those asked for.
        vectors: float32 (m, d), unit length.
        colours: float32 (m, 24), see `colours.histogram`.
        signs: uint64 (m,), see `sign`.
        prints: uint64 (m,), equal for equal pixels and, but for one case in 10^19, for nothing else.
        moving: bool (m,), frames of a video.
        count: Number of items asked for.
    """

    item: NDArray[np.int64]
    vectors: Floats
    colours: Floats
    signs: NDArray[np.uint64]
    prints: NDArray[np.uint64]
    moving: NDArray[np.bool_]
    count: int

    def __len__(self) -> int:
        """Number of pictures and frames."""
        return len(self.item)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Bool (count,): of which items anything is seen."""
        found = np.zeros(self.count, dtype=np.bool_)
        found[self.item] = True
        return found

    @property
    def first(self) -> NDArray[np.int64]:
        """int64 (items seen,): row of the main picture, or else first frame, of each item of which anything is seen."""
        return np.flatnonzero(np.diff(self.item, prepend=-1) > 0)


class Gallery:
    """Reads and encodes the files that items name, relative to the media folder.

    The cache is append-only: one record a picture or frame, and an empty one for a file that cannot be opened, so that it
    is not tried again until it changes. Its key is the file's path, size and time of change, and whether it moves. Records
    torn by a crash are cut off at the next opening.

    Args:
        encoder: Encodes pictures.
        media: The shop's media folder; what lies outside of it is not read.
        file: The cache; its name should hold the encoder's name.
        threads: Files that are opened at the same time.
    """

    def __init__(self, encoder: PictureEncoder, media: Path, file: Path, *, threads: int = 1) -> None:
        self.encoder = encoder
        self.media = media
        self._file = file
        self._threads = max(1, threads)
        self._record = np.dtype(
            [
                ("key", f"V{_KEY_BYTES}"), ("part", np.uint8), ("parts", np.uint8), ("sign", np.uint64), ("print", np.uint64),
                ("colours", np.float16, (_COLOURS,)), ("vector", np.float16, (encoder.dimension,)),
            ]
        )  # fmt: skip
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        self._lock = FileLock(file.with_suffix(".lock"))
        with self._lock:
            self._repair()
        self._stored = self._map()
        self._place: dict[bytes, tuple[int, int]] = {}
        for place, (key, part, parts) in enumerate(
            zip(self._stored["key"], self._stored["part"], self._stored["parts"], strict=True)
        ):
            if part == 0:
                self._place[key.tobytes()] = (place, int(parts))

    @property
    def record_bytes(self) -> int:
        """What one picture or frame takes on disk."""
        return self._record.itemsize

    def shots(self, items: Sequence[Item]) -> Shots:
        """What is seen of items; encodes, with progress, what no cache holds yet."""
        named = [(row, path, moving) for row, item in enumerate(items) for path, moving in self.files(item)]
        keys = [_key(path, moving) for _, path, moving in named]
        missing: dict[bytes, tuple[Path, bool]] = {}
        for key, (_, path, moving) in zip(keys, named, strict=True):
            if key is not None and key not in self._place:
                missing[key] = (path, moving)
        with span("encoding pictures", len(missing), "files") as progress:
            waiting = list(missing.items())
            for start in range(0, len(waiting), _CHUNK):
                piece = waiting[start : start + _CHUNK]
                self._append([key for key, _ in piece], [file for _, file in piece])
                progress.advance(len(piece))
        places: list[int] = []
        rows: list[int] = []
        moved: list[bool] = []
        for key, (row, _, moving) in zip(keys, named, strict=True):
            first, parts = self._place.get(key, (0, 0)) if key is not None else (0, 0)
            places += range(first, first + parts)
            rows += [row] * parts
            moved += [moving] * parts
        found = self._stored[np.array(places, dtype=np.int64)]
        vectors = found["vector"].astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return Shots(
            item=np.array(rows, dtype=np.int64),
            vectors=np.divide(vectors, lengths, out=vectors, where=lengths > 0),
            colours=found["colours"].astype(np.float32),
            signs=found["sign"].copy(),
            prints=found["print"].copy(),
            moving=np.array(moved, dtype=np.bool_),
            count=len(items),
        )

    def files(self, item: Item) -> Iterator[tuple[Path, bool]]:
        """The files of an item that are looked at and lie in the media folder; True with those that move."""
        for names, most, moving in ((item.images, PICTURES, False), (item.videos, VIDEOS, True)):
            local = [path for name in names if (path := inside(self.media, name)) is not None]
            yield from ((path, moving) for path in local[:most])

    def _append(self, keys: Sequence[bytes], files: Sequence[tuple[Path, bool]]) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            opened = list(pool.map(lambda file: self._open(*file), files))
        pixels = [frame for frames in opened for frame in frames]
        vectors = self.encoder.encode(pixels) if pixels else np.zeros((0, self.encoder.dimension), dtype=np.float32)
        records = np.zeros(sum(max(1, len(frames)) for frames in opened), dtype=self._record)
        place = frame = 0
        added: dict[bytes, tuple[int, int]] = {}
        for key, frames in zip(keys, opened, strict=True):
            parts = len(frames)
            piece = records[place : place + max(1, parts)]
            piece["key"] = np.frombuffer(key, dtype=f"V{_KEY_BYTES}")
            piece["parts"] = parts
            if parts:
                piece["part"] = np.arange(parts)
                piece["vector"] = vectors[frame : frame + parts]
                piece["colours"] = colours.histogram(frames)
                piece["sign"] = [sign(one) for one in frames]
                piece["print"] = [
                    int.from_bytes(hashlib.blake2b(one.tobytes(), digest_size=8).digest()) for one in frames
                ]
            added[key] = (place, parts)
            place, frame = place + max(1, parts), frame + parts
        with self._lock:  # another process may have added records of its own
            first = self._file.stat().st_size // self._record.itemsize
            with self._file.open("ab") as handle:
                handle.write(records.tobytes())
        self._stored = self._map()
        self._place.update({key: (first + place, parts) for key, (place, parts) in added.items()})

    def _repair(self) -> None:
        """Cut off what a crash left half written: part of a record, or records of a file whose others are missing."""
        width = self._record.itemsize
        whole = self._file.stat().st_size // width
        os.truncate(self._file, whole * width)
        stored = self._map()
        begun = np.flatnonzero(stored["part"] == 0)
        if len(begun) and begun[-1] + max(int(stored["parts"][begun[-1]]), 1) > whole:
            os.truncate(self._file, int(begun[-1]) * width)

    def _open(self, path: Path, moving: bool) -> list[Pixels]:
        """Its pixels; none of a file that cannot be opened."""
        side = self.encoder.side
        try:
            if moving:
                return list(open_video(path, side)[0])
            return [squared(open_picture(path), side)]
        except InputError as error:
            log.warning("a file of an item is left out", extra={"reason": str(error)})
            return []

    def _map(self) -> NDArray[np.void]:
        if self._file.stat().st_size == 0:
            return np.empty(0, dtype=self._record)
        return np.memmap(self._file, dtype=self._record, mode="r")


def samples(items: Iterable[Item], media: Path, side: int, most: int) -> list[Pixels]:
    """Main pictures of the first items that have one which can be opened, uint8 (side, side, 3) each."""
    found: list[Pixels] = []
    for item in items:
        for path in (path for name in item.images[:1] if (path := inside(media, name)) is not None):
            try:
                found.append(squared(open_picture(path), side))
            except InputError:
                continue
        if len(found) >= most:
            break
    return found


def sign(pixels: Pixels) -> int:
    """64 bits that near copies share: is each cell of a grid of 8 x 8 brighter than the one to its right?

    Krawetz (2013), "Kind of like that" (difference hash). Resized and recompressed copies differ in a few bits.
    """
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    rows = np.array_split(np.arange(grey.shape[0]), _SIGN)
    columns = np.array_split(np.arange(grey.shape[1]), _SIGN + 1)
    cells = np.array(
        [[grey[row[0] : row[-1] + 1, column[0] : column[-1] + 1].mean() for column in columns] for row in rows]
    )
    bits = (cells[:, :-1] > cells[:, 1:] + 0.5).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def inside(media: Path, name: str) -> Path | None:
    """The file that a relative path means inside of the media folder; None for addresses and whatever lies outside."""
    if "://" in name:
        return None
    try:
        return confined(media, name.removeprefix("/media/").lstrip("/"))
    except NotFoundError:
        return None


def _key(path: Path, moving: bool) -> bytes | None:
    try:
        about = path.stat()
    except OSError:
        return None
    told = f"{path}\n{about.st_size}\n{about.st_mtime_ns}" + ("\nmoving" if moving else "")
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()
