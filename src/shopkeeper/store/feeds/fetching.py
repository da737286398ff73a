"""Pictures and videos that items name by address, brought into the media folder; see `downloading` for who is asked."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.records import Item
from shopkeeper.store.feeds.downloading import (
    Hosts,
    NoAnswerError,
    Patience,
    Public,
    Resolve,
    download,
    is_public,
    parse,
)
from shopkeeper.store.feeds.downloading import resolve as system_resolve
from shopkeeper.store.feeds.rejects import Reject, RejectsFile
from shopkeeper.store.feeds.report import ImportReport, StrictImportError
from shopkeeper.store.media import LARGEST_PICTURE, LARGEST_VIDEO, PICTURES, VIDEOS, content_of, keep
from shopkeeper.store.protocols import Store

FOLDER = "fetched"
"""Where in the media folder downloads go."""
BATCH = 200
"""Items that are written together."""

_AT_ONCE = 8
_PER_HOST = 2
_PATIENCE_WITH_HOST = 5


def fetch_media(
    store: Store,
    media: Path,
    hosts: Sequence[str],
    *,
    rejects: Path,
    strict: bool = False,
    patience: Patience | None = None,
    resolve: Resolve = system_resolve,
    public: Public = is_public,
) -> ImportReport:
    """Download what items name by address, and name the file in its place.

    A file is called after a hash of its address and what its content is. What was fetched before is not fetched again,
    so a run that was cut off goes on where it was. Addresses on other hosts stay as they are and are counted as skipped.

    Args:
        store: Whose items name addresses.
        media: The shop's media folder.
        hosts: Who may be asked, see `Hosts`; nobody when empty.
        rejects: Where addresses are listed that could not be fetched; their items keep them.
        strict: Change no item when any address cannot be fetched.
        patience: How long one download may take.
        resolve: Finds the IP addresses of a host.
        public: Says which IP addresses may be asked.

    Raises:
        StrictImportError: `strict`, and an address could not be fetched.
        InputError: A host is written wrongly.
        StoreError: The media folder or the store cannot be written.
    """
    run = _Run(store, media, Hosts(hosts), rejects, patience or Patience(), resolve, public)
    if strict:
        checked = run.report(write=False)
        if checked.rejected:
            raise StrictImportError(checked)
    return run.report(write=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An address, and whether a video is expected there."""

    url: str
    moving: bool

    @property
    def stem(self) -> str:
        """Path of the file without its ending."""
        return f"{FOLDER}/{hashlib.blake2b(self.url.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"

    def takes(self, content: str) -> bool:
        """Is this what is expected? A moving GIF may be either."""
        return content in VIDEOS or content == ".gif" if self.moving else content in PICTURES


class _Run:
    """All addresses of a shop on their way to files."""

    def __init__(
        self,
        store: Store,
        media: Path,
        hosts: Hosts,
        rejects: Path,
        patience: Patience,
        resolve: Resolve,
        public: Public,
    ) -> None:
        self._store = store
        self._media = media
        self._hosts = hosts
        self._rejects = rejects
        self._patience = patience
        self._resolve = resolve
        self._public = public
        self._turns: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(_PER_HOST))
        self._silent: Counter[str] = Counter()
        self._failed: set[_Wanted] = set()

    def report(self, *, write: bool) -> ImportReport:
        """Fetch everything, and change the items when `write`."""
        began = time.perf_counter()
        skipped: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for item in self._store.catalogue.scan():
            reasons = Counter(map(self._left_alone, _addresses(item)))
            if wanted := reasons.pop("", 0):
                counts[item.id] = wanted
            skipped += reasons
        self._silent.clear()
        self._failed.clear()
        self._media.mkdir(parents=True, exist_ok=True)
        added = 0
        with (
            RejectsFile(self._rejects, self._media) as bad,
            progress.span("fetch media", counts.total(), "files") as span,
            ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool,
        ):
            there = {f"{FOLDER}/{path.stem}": path.suffix for path in (self._media / FOLDER).glob("[!.]*")}
            ids = list(counts)
            for start in range(0, len(ids), BATCH):
                items = list(self._store.catalogue.get(ids[start : start + BATCH]).values())
                fetched: dict[_Wanted, str] = {}
                left = sum(counts[item.id] for item in items)
                for one, outcome in self._fetch(pool, items, there):
                    if isinstance(outcome, Reject):
                        bad.add(0, outcome)
                    else:
                        fetched[one] = outcome
                        added += 1
                    left -= 1
                    span.advance(rejected=bad.count)
                span.advance(max(0, left))
                if write:
                    self._store.catalogue.put(_renamed(item, fetched) for item in items)
        return ImportReport(
            file="urls",
            kind="media",
            format="urls",
            rows=added + bad.count,
            added=added,
            updated=0,
            unchanged=0,
            removed=0,
            rejected=bad.count,
            reasons=dict(bad.reasons.most_common()),
            skipped=dict(skipped.most_common()),
            rejects=self._rejects if bad.count else None,
            seconds=time.perf_counter() - began,
        )

    def _left_alone(self, wanted: _Wanted) -> str:
        """Why an address is not asked; empty where it is."""
        try:
            target = parse(wanted.url)
        except Reject as reject:
            return reject.reason
        return "" if self._hosts.allow(target.host, target.port, target.scheme) else "host not listed"

    def _fetch(
        self, pool: ThreadPoolExecutor, items: Sequence[Item], there: dict[str, str]
    ) -> Iterator[tuple[_Wanted, str | Reject]]:
        """Each new address of the items with the path of its file, or why there is none, as they come."""
        unique = dict.fromkeys(wanted for item in items for wanted in _addresses(item))
        waiting = {}
        try:
            for wanted in unique:
                if wanted in self._failed or self._left_alone(wanted):
                    continue
                ending = there.get(wanted.stem, "")
                if wanted.takes(ending):
                    yield wanted, wanted.stem + ending
                else:
                    host = parse(wanted.url).host
                    waiting[pool.submit(self._in_turn, wanted, host, self._turns[host])] = wanted
            for future in as_completed(waiting):
                wanted, outcome = waiting[future], future.result()
                if isinstance(outcome, Reject):
                    self._failed.add(wanted)
                else:
                    there[wanted.stem] = outcome.removeprefix(wanted.stem)
                yield wanted, outcome
        finally:
            for future in waiting:
                future.cancel()

    def _in_turn(self, wanted: _Wanted, host: str, turn: threading.Semaphore) -> str | Reject:
        """Fetch one file, few at a time from one host; a host that keeps silent is left alone."""
        with turn:
            if self._silent[host] >= _PATIENCE_WITH_HOST:
                return Reject("host given up", "address", wanted.url)
            try:
                path = self._save(wanted)
            except NoAnswerError as error:
                self._silent[host] += 1
                return Reject("no answer", "address", f"{wanted.url}: {error}")
            except Reject as reject:
                self._silent[host] = 0
                told = wanted.url if reject.value in ("", wanted.url) else f"{wanted.url}: {reject.value}"
                return Reject(reject.reason, "address", told)
            self._silent[host] = 0
            return path

    def _save(self, wanted: _Wanted) -> str:
        most = LARGEST_VIDEO if wanted.moving else LARGEST_PICTURE
        with closing(
            download(wanted.url, self._hosts, most, patience=self._patience, resolve=self._resolve, public=self._public)
        ) as chunks:
            head = next(chunks, b"")
            content = content_of(head)
            if not wanted.takes(content):
                raise Reject("not a video inside" if wanted.moving else "not a picture inside")
            path = wanted.stem + content
            try:
                keep(self._media, path, chain((head,), chunks), durable=True)
            except InputError as error:
                raise Reject("cannot be put there", value=error.what) from error
            return path


def _addresses(item: Item) -> Iterator[_Wanted]:
    """What an item names by address, each once."""
    for names, moving in ((item.images, False), (item.videos, True)):
        yield from (_Wanted(name, moving) for name in dict.fromkeys(names) if "://" in name)


def _renamed(item: Item, fetched: Mapping[_Wanted, str]) -> Item:
    """The item with files in place of addresses."""
    images = tuple(fetched.get(_Wanted(name, moving=False), name) for name in item.images)
    videos = tuple(fetched.get(_Wanted(name, moving=True), name) for name in item.videos)
    return replace(item, images=images, videos=videos)
