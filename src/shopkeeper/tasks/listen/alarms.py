"""The watch over what is read, here or by another process: counts every reading, raises alerts, keeps them up to date, and lets them end.

Two looks at the same readings raise nothing twice: an alert whose series, or whose posts, rise again within the cool-down is
prolonged. Readings and alerts in the store are all there is; a watch that starts anew counts the last five weeks again.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shopkeeper.records import now as clock
from shopkeeper.settings import ListenSettings
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import Alert, alert_of, feedback, raised_since, updated
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.course import Course
from shopkeeper.tasks.listen.reading import Reading, reading_of
from shopkeeper.tasks.listen.steps import escalated, steps_of, with_steps
from shopkeeper.tasks.listen.surges import Surges
from shopkeeper.tasks.listen.telling import Teller
from shopkeeper.tasks.listen.together import ALIKE, Matter, matters, overlap, series_of

_HISTORY: Final = timedelta(weeks=5)
_FRESH: Final = timedelta(days=2)
_OVER: Final = timedelta(hours=1)
_KEPT: Final = 300
"""Last posts that are remembered of each series."""
_COPIED: Final = 200_000
"""Posts whose copies are counted."""
_SEEN: Final = 100_000
"""Latest readings among which those of other processes are looked for; fewer than are known as counted."""
_BATCH: Final = 5_000
_MOST_SERIES: Final = 40
"""Series that one alert names at most."""


class Alarms:
    """Watches readings, thread-safe.

    Args:
        store: Where readings are, and alerts and decisions go.
        settings: False alarms a week, the cool-down and the time zone.
        channels: Names of the channels by which each step of an alert is to be told; see `listen.steps`.
        names: English and Chinese names of topics and risks; see `ListenTask.names`.
        moment: The time now, up to which the stored readings are counted.
        every: Time in which a further look is not worth it.
    """

    def __init__(
        self,
        store: SqlStore,
        settings: ListenSettings,
        *,
        channels: Sequence[str] = (),
        names: Callable[[], Mapping[str, tuple[str, str]]] = dict,
        moment: datetime | None = None,
        every: timedelta = timedelta(minutes=1),
    ) -> None:
        self._store = store
        self._channels = tuple(channels)
        self._teller = Teller(store, names)
        self._every = every
        self._looked: datetime | None = None
        self._cool_down = timedelta(hours=settings.cool_down_hours)
        self._surges = Surges(false_alarms=settings.false_alarms, zone=ZoneInfo(settings.zone))
        self._recent: dict[Series, deque[Reading]] = {}
        self._copies: OrderedDict[str, int] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.RLock()
        self._current: dict[str, Alert] = {}
        time = moment or clock()
        self._since = time - _FRESH
        self._recount(time)

    def observe(self, readings: Iterable[Reading], moment: datetime | None = None) -> None:
        """Count readings; one that was counted lately is not counted again."""
        with self._lock:
            self._observe(readings, moment or clock())

    def look(self, moment: datetime | None = None) -> list[Alert]:
        """Raise, prolong and end alerts; those that are new. Call it after each batch, and once a minute without one."""
        with self._lock:
            time = moment or clock()
            if self._looked is not None and abs(time - self._looked) < self._every:
                return []
            self._looked = time
            self._catch_up(time)
            heard = feedback(self._store)
            self._surges.heed(dict(heard.strictness))
            surges = [surge for surge in self._surges.look(time) if not heard.silent(surge.series, time)]
            raised, touched = [], set()
            for matter in matters(surges, lambda series: self._recent.get(series, ())):
                known = self._known(matter, time)
                alert = self._prolonged(known, matter) if known else self._raised(matter, time)
                touched.add(alert.id)
                if not known:
                    raised.append(alert)
                self._write(alert, time)
            self._let_end(time, touched)
            return raised

    def ready(self, moment: datetime | None = None) -> datetime | None:
        """None where surges can be told; else from when on they can."""
        with self._lock:
            return self._surges.ready(moment or clock())

    def largest(self, by: str, start: datetime, end: datetime, most: int) -> list[Series]:
        """Series with the highest counts in [start, end), the highest first; see `Surges.largest`."""
        with self._lock:
            return self._surges.largest(by, start, end, most)

    def courses(self, series: Sequence[Series], start: datetime, end: datetime, hours: int) -> list[Course]:
        """What was counted and what was to be expected, for charts; see `Surges.courses`."""
        with self._lock:
            return self._surges.courses(series, start, end, hours)

    def _recount(self, time: datetime) -> None:
        fresh: list[Reading] = []
        older: list[Reading] = []
        for document in self._store.readings.scan(time - _HISTORY, time + timedelta(days=1)):
            reading = reading_of(document)
            (fresh if reading.time >= time - _FRESH else older).append(reading)
            if len(older) >= _BATCH:
                self._count(older, time)
                older = []
        self._count(older, time)
        self._observe(sorted(fresh, key=lambda reading: reading.time), time)
        for document in raised_since(self._store, time - _HISTORY):
            alert = alert_of(document)
            for series in alert.series:
                self._surges.mask(series, alert.start, alert.end)
            if not alert.ended or time - alert.end <= self._cool_down:
                self._current[alert.id] = alert
        self._store.labels.propose(alert.question() for alert in self._current.values())

    def _catch_up(self, time: datetime) -> None:
        """Count what others have read: imports and feeds have processes of their own."""
        start = max(time - _FRESH, self._since)
        new = [post for post in self._store.readings.ids(start, _SEEN) if post not in self._counted]
        found = map(reading_of, self._store.readings.get(new).values())
        self._observe(sorted(found, key=lambda reading: reading.time), time)

    def _observe(self, readings: Iterable[Reading], time: datetime) -> None:
        fresh = [reading for reading in readings if not reading.muted and self._first(reading.post)]
        self._count(fresh, time)
        for reading in fresh:
            for series in series_of(reading):
                self._recent.setdefault(series, deque(maxlen=_KEPT)).append(reading)

    def _count(self, readings: Sequence[Reading], time: datetime) -> None:
        kept = [reading for reading in readings if not reading.muted]
        weights = [self._weight(reading) for reading in kept]
        self._surges.add([reading.time for reading in kept], list(map(series_of, kept)), weights, time)

    def _first(self, post: str) -> bool:
        new = post not in self._counted
        self._counted[post] = None
        self._counted.move_to_end(post)
        if len(self._counted) > _COPIED:
            self._counted.popitem(last=False)
        return new

    def _weight(self, reading: Reading) -> float:
        """What the n-th copy adds to 1 + log n."""
        root = reading.duplicate_of or reading.post
        number = self._copies.pop(root, 0) + 1
        self._copies[root] = number
        if len(self._copies) > _COPIED:
            self._copies.popitem(last=False)
        return 1.0 if number == 1 else math.log(number / (number - 1))

    def _known(self, matter: Matter, time: datetime) -> Alert | None:
        """The alert that this belongs to: it is about the same series, or the same posts."""
        first = matter.names()[0]
        for alert in self._current.values():
            if alert.ended and time - alert.end > self._cool_down:
                continue
            shared = overlap(matter.posts, dict.fromkeys(alert.evidence))
            if first in alert.series or (alert.evidence and shared >= ALIKE):
                return alert
        return None

    def _raised(self, matter: Matter, time: datetime) -> Alert:
        names = matter.names()
        surge = next(one for one in matter.surges if one.series == names[0])
        key = f"{names[0].by}:{names[0].name}:{names[0].negative}:{surge.start.isoformat()}:{surge.end.isoformat()}"
        alert = Alert(
            id=hashlib.blake2b(key.encode(), digest_size=8).hexdigest(),
            raised=time,
            start=surge.start,
            end=surge.end,
            series=names[:_MOST_SERIES],
            detector=surge.detector,
            posts=0,
            weighed=0,
            expected=0,
            score=0,
            negative=0,
            authors=0,
            risk="",
            severity=0,
        )
        return self._teller.worded(self._teller.measured(alert, matter, surge), matter, surge)

    def _prolonged(self, alert: Alert, matter: Matter) -> Alert:
        """The alert as it stands now; what was seen at its height is kept."""
        names = matter.names()
        own = next((one for one in matter.surges if one.series == alert.series[0]), None)
        surge = own or matter.surges[0]
        also = [series for series in names if series not in alert.series]
        longer = updated(
            alert,
            start=min(alert.start, surge.start),
            end=max(alert.end, surge.end),
            ended=False,
            series=(*alert.series, *also)[:_MOST_SERIES],
        )
        if own is None:
            return longer
        now = self._teller.measured(longer, matter, own)
        higher = (now.severity, now.score) > (alert.severity, alert.score)
        return self._teller.worded(now, matter, own) if higher else longer

    def _let_end(self, time: datetime, touched: set[str]) -> None:
        for name, alert in list(self._current.items()):
            if name not in touched and not alert.ended and time - alert.end > _OVER:
                self._write(updated(alert, ended=True), time)
            elif alert.ended and time - alert.end > self._cool_down:
                del self._current[name]

    def _write(self, alert: Alert, time: datetime) -> None:
        if self._current.get(alert.id) == alert:
            return
        if self._store.alerts.amend(alert.id, lambda before: self._row(alert, before, time)) is None:
            self._store.labels.propose([alert.question()])
        self._current[alert.id] = alert

    def _row(self, alert: Alert, before: Document | None, time: datetime) -> Document:
        """The row of an alert: whom it reached so far stays as it is, and where it became graver it is to be told again."""
        moment = before.time if before else alert.raised
        steps = steps_of(before) if before else ()
        return with_steps(
            Document(alert.id, moment, alert.body()), escalated(steps, alert.severity, time, self._channels)
        )
