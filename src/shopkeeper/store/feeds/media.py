"""Pictures and videos of a folder or a zip file into the media folder, and their paths into the items they show."""

from __future__ import annotations

import re
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.store.feeds.archives import Limits, Listing, MediaFile, open_media
from shopkeeper.store.feeds.fetching import fetch_media
from shopkeeper.store.feeds.rejects import Reject, RejectsFile
from shopkeeper.store.feeds.report import ImportReport, StrictImportError
from shopkeeper.store.media import VIDEOS, content_of, keep, safe_path
from shopkeeper.store.protocols import Store

URLS: Final = "urls"
BATCH = 500
"""Items that are written together."""

_NUMBERED = re.compile(r"(?P<base>.+?)[ _-]+\(?(?P<number>\d{1,3})\)?")
_PLACE = re.compile(r"\d{1,3}")
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]')
Outcome = Literal["added", "updated", "unchanged"]


def import_media(
    source: Path | Literal["urls"],
    store: Store,
    media: Path,
    *,
    rejects: Path,
    strict: bool = False,
    hosts: Sequence[str] = (),
    limits: Limits | None = None,
) -> ImportReport:
    """Import pictures (JPEG, PNG, WebP, GIF, AVIF, BMP) and videos (MP4, MOV, WebM, MKV).

    A file belongs to the items that name its path already; else to the one whose id or code is its name, with or without
    a number (``rake.jpg``, ``rake_2.jpg``, ``rake-2.jpg``), or the name of a folder around it (``rake/front.jpg``). New
    files come after those that an item has, the one without a number first. No file is removed.

    The counts of the report are files: `added` are those that were not there or that an item did not name yet.

    Args:
        source: A folder, a zip file, or ``"urls"``: the addresses that items hold, see `fetch_media`.
        store: Whose items they show.
        media: The shop's media folder; made where it is missing.
        rejects: Where refused files are listed; made only when there are any.
        strict: Write nothing at all when any file is refused.
        hosts: For ``"urls"``: hosts that may be asked.
        limits: What is taken at most; the usual limits when None.

    Raises:
        StrictImportError: `strict`, and files are refused.
        InputError: The source is not there, is neither folder nor zip file, or passes a limit as a whole.
        StoreError: The media folder or the store cannot be written.
    """
    if isinstance(source, str):
        return fetch_media(store, media, hosts, rejects=rejects, strict=strict)
    run = _Run(source, store, media, rejects, limits or Limits())
    if strict:
        checked = run.report(write=False)
        if checked.rejected:
            raise StrictImportError(checked)
    return run.report(write=True)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A file with its path in the media folder, the items it shows, and its place among their files."""

    file: MediaFile
    path: str
    items: tuple[str, ...]
    order: tuple[int, str]

    @property
    def moving(self) -> bool:
        return PurePosixPath(self.path).suffix.lower() in VIDEOS


class _Run:
    """One folder or zip file on its way into the shop."""

    def __init__(self, source: Path, store: Store, media: Path, rejects: Path, limits: Limits) -> None:
        self._source = source
        self._store = store
        self._media = media
        self._rejects = rejects
        self._limits = limits

    def report(self, *, write: bool) -> ImportReport:
        """Import, or only look."""
        began = time.perf_counter()
        tally: Counter[Outcome] = Counter()
        with (
            open_media(self._source, self._limits, leave=self._media) as listing,
            RejectsFile(self._rejects, self._source) as bad,
        ):
            placed = list(self._placed(listing, bad))
            with progress.span("import media" if write else "check media", len(placed), "files") as span:
                for batch in _batches(placed):
                    kept = []
                    for one in batch:
                        try:
                            kept.append((one, self._take(one, write=write)))
                        except Reject as reject:
                            bad.add(one.file.number, reject)
                        span.advance(rejected=bad.count)
                    if write:
                        tally.update(self._tie(kept))
        return ImportReport(
            file=self._source.name,
            kind="media",
            format=listing.format,
            rows=len(listing.files) + len(listing.refused),
            added=tally["added"],
            updated=tally["updated"],
            unchanged=tally["unchanged"],
            removed=0,
            rejected=bad.count,
            reasons=dict(bad.reasons.most_common()),
            skipped=dict(listing.skipped.most_common()),
            rejects=self._rejects if bad.count else None,
            seconds=time.perf_counter() - began,
        )

    def _placed(self, listing: Listing, bad: RejectsFile) -> Iterator[_Placed]:
        """Files with the items they belong to, those of an item together and in order."""
        for number, reject in listing.refused:
            bad.add(number, reject)
        paths: list[tuple[MediaFile, str]] = []
        for file in listing.files:
            try:
                paths.append((file, safe_path(file.name)))
            except InputError as error:
                bad.add(file.number, Reject("unsafe path", "file", f"{file.name}: {error.what}"))
        owners = _Owners(paths, self._store.catalogue.scan())
        found: list[_Placed] = []
        taken: set[str] = set()
        for file, path in paths:
            try:
                if path in taken:
                    raise Reject("duplicate name", "file", file.name)
                items, order = owners.of(file.name, path)
            except Reject as reject:
                bad.add(file.number, reject)
            else:
                taken.add(path)
                found.append(_Placed(file, path, items, order))
        yield from sorted(found, key=lambda one: (one.items[0], one.order))

    def _take(self, one: _Placed, *, write: bool) -> Outcome:
        """Copy one file.

        Raises:
            Reject: It is not what its name says, passes a limit, or cannot be put there.
        """
        chunks = one.file.chunks()
        head = next(chunks, b"")
        content = content_of(head)
        if not content:
            raise Reject("not a picture or video inside", "file", one.file.name)
        if (content in VIDEOS) != one.moving:
            raise Reject("content and ending disagree", "file", f"{one.file.name}: {content}")
        if not write:
            for _ in chunks:
                pass
            return "unchanged"
        try:
            return keep(self._media, one.path, chain((head,), chunks))
        except InputError as error:
            raise Reject("cannot be put there", "file", f"{one.file.name}: {error.what}") from error

    def _tie(self, kept: Sequence[tuple[_Placed, Outcome]]) -> Iterator[Outcome]:
        """Extend the items; what became of each file."""
        of: defaultdict[str, list[_Placed]] = defaultdict(list)
        for one, _ in kept:
            for name in one.items:
                of[name].append(one)
        told: set[str] = set()
        changed: list[Item] = []
        for name, item in self._store.catalogue.get(list(of)).items():
            images, fresh = _extended(item.images, [one for one in of[name] if not one.moving])
            videos, moving = _extended(item.videos, [one for one in of[name] if one.moving])
            told |= fresh | moving
            if (images, videos) != (item.images, item.videos):
                changed.append(replace(item, images=images, videos=videos))
        self._store.catalogue.put(changed)
        yield from ("added" if one.path in told else outcome for one, outcome in kept)


class _Owners:
    """Which items the files belong to, found in one pass over the catalogue.

    Args:
        paths: The files and their paths in the media folder; only what they may mean is remembered of the items.
        items: The catalogue.
    """

    def __init__(self, paths: Sequence[tuple[MediaFile, str]], items: Iterable[Item]) -> None:
        named = {_plain(name) for file, path in paths for name in (file.name, path)}
        wanted = {_folded(key) for file, _ in paths for key, _ in _keys(file.name)}
        self._by_path: defaultdict[str, list[str]] = defaultdict(list)
        self._by_key: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for item in items:
            for path in {_plain(name) for name in (*item.images, *item.videos)} & named:
                self._by_path[path].append(item.id)
            for key in dict.fromkeys((item.id, *item.codes)):
                if _folded(key) in wanted:
                    self._by_key[_folded(key)].append((_normal(key), item.id))

    def of(self, name: str, path: str) -> tuple[tuple[str, ...], tuple[int, str]]:
        """The items of a file, and its place among their files.

        Raises:
            Reject: No item fits, or several do.
        """
        keys = list(_keys(name))
        order = (max(number for _, number in keys), path)
        named = self._by_path.get(path) or self._by_path.get(_plain(name))
        if named:
            return tuple(named), order
        for key, number in keys:
            items = self._called(key)
            if len(items) > 1:
                raise Reject("fits several items", "file", f"{name}: {', '.join(sorted(items)[:5])}")
            if items:
                return tuple(items), (number, path)
        raise Reject("fits no item", "file", name)

    def _called(self, key: str) -> set[str]:
        """Items of that id, else of that code, else of one that differs in case or in signs no file name has."""
        near = self._by_key.get(_folded(key), ())
        ids = {item for _, item in near if _normal(item) == _normal(key)}
        codes = {item for code, item in near if code == _normal(key)}
        return ids or codes or {item for _, item in near}


def _keys(name: str) -> Iterator[tuple[str, int]]:
    """What of a path may name its item, likeliest first, and the file's number then (0 is the main picture)."""
    *folders, last = PurePosixPath(name).parts
    stem = PurePosixPath(last).stem
    numbered = _NUMBERED.fullmatch(stem)
    number = int(numbered["number"]) if numbered else 0
    if _PLACE.fullmatch(stem):  # "rake/2.jpg" is a picture of the rake, even where an item is called "2"
        yield from ((folder, int(stem)) for folder in reversed(folders))
        yield stem, 0
        return
    yield stem, 0
    if numbered:
        yield numbered["base"], number
    yield from ((folder, number) for folder in reversed(folders))


def _extended(names: tuple[str, ...], files: Sequence[_Placed]) -> tuple[tuple[str, ...], set[str]]:
    """The names with the files' paths after them, and the paths that were not among them."""
    paths = {_plain(one.file.name): one.path for one in files}
    kept = tuple(name if (plain := _plain(name)) == paths.get(plain, plain) else paths[plain] for name in names)
    known = {_plain(name) for name in kept}
    fresh = [one.path for one in files if one.path not in known]
    return (*kept, *fresh), {*fresh, *(after for before, after in zip(names, kept, strict=True) if before != after)}


def _batches(placed: Sequence[_Placed]) -> Iterator[list[_Placed]]:
    """Files of some hundred items; those of one item stay together."""
    batch: list[_Placed] = []
    items: set[str] = set()
    for one in placed:
        if len(items) >= BATCH and one.items[0] not in items:
            yield batch
            batch, items = [], set()
        batch.append(one)
        items.update(one.items)
    if batch:
        yield batch


def _plain(path: str) -> str:
    """A path as the shop may have written it, relative to the media folder."""
    return _normal(path.removeprefix("/media/").lstrip("/").removeprefix("./"))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _folded(key: str) -> str:
    return _NOT_IN_NAMES.sub("_", _normal(key)).casefold()
