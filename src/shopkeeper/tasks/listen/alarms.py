"""The watch over what is read: counts every reading, raises alerts, keeps them up to date, and lets them end.

Two looks at the same readings raise nothing twice: an alert whose series, or whose posts, rise again within the cool-down is
prolonged. Readings and alerts in the store are all there is; a watch that starts anew counts the last five weeks again.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from shopkeeper.records import now as clock
from shopkeeper.settings import ListenSettings
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import Alert, alert_of, amend, feedback, updated
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.reading import Reading, reading_of
from shopkeeper.tasks.listen.summary import headline, summary
from shopkeeper.tasks.listen.surges import Surge, Surges
from shopkeeper.tasks.listen.together import ALIKE, Matter, complains, matters, overlap, series_of

_HISTORY: Final = timedelta(weeks=5)
_FRESH: Final = timedelta(days=2)
_OVER: Final = timedelta(hours=1)
_KEPT: Final = 300
"""Last posts that are remembered of each series."""
_COPIED: Final = 200_000
"""Posts whose copies are counted."""
_EVIDENCE: Final = 12
_BATCH: Final = 5_000
_MOST_SERIES: Final = 40
"""Series that one alert names at most."""


class Alarms:
    """Watches readings, thread-safe.

    Args:
        store: Where readings are, and alerts and decisions go.
        settings: False alarms a week and the cool-down.
        channels: Names of the channels by which each new alert is to be delivered; see `listen.outbox`.
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
        self._names = names
        self._every = every
        self._looked: datetime | None = None
        self._cool_down = timedelta(hours=settings.cool_down_hours)
        self._surges = Surges(false_alarms=settings.false_alarms)
        self._recent: dict[Series, deque[Reading]] = {}
        self._copies: OrderedDict[str, int] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.RLock()
        self._current: dict[str, Alert] = {}
        self._recount(moment or clock())

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
                self._write(alert)
            self._let_end(time, touched)
            return raised

    def ready(self, moment: datetime | None = None) -> datetime | None:
        """None where surges can be told; else from when on they can."""
        with self._lock:
            return self._surges.ready(moment or clock())

    def hourly(self, series: Series, start: datetime, end: datetime) -> tuple[list[float], list[float | None]]:
        """Counts of a series in each hour, and what was to be expected, None where that cannot be told."""
        with self._lock:
            seen, usual = self._surges.hourly(series, start, end)
        return seen.tolist(), [None if math.isnan(value) else value for value in usual.tolist()]

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
        for document in self._store.alerts.scan(time - _HISTORY):
            alert = alert_of(document)
            for series in alert.series:
                self._surges.mask(series, alert.start, alert.end)
            if not alert.ended or time - alert.end <= self._cool_down:
                self._current[alert.id] = alert
        self._store.labels.propose(alert.question() for alert in self._current.values())

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
        return self._told(alert, matter, surge)

    def _prolonged(self, alert: Alert, matter: Matter) -> Alert:
        """The alert as it stands now; what was seen at its height is kept."""
        names = matter.names()
        surge = next((one for one in matter.surges if one.series == alert.series[0]), None) or matter.surges[0]
        also = [series for series in names if series not in alert.series]
        longer = updated(
            alert,
            start=min(alert.start, surge.start),
            end=max(alert.end, surge.end),
            ended=False,
            series=(*alert.series, *also)[:_MOST_SERIES],
        )
        return self._told(longer, matter, surge) if surge.score > alert.score else longer

    def _told(self, alert: Alert, matter: Matter, surge: Surge) -> Alert:
        readings = sorted(matter.posts.values(), key=lambda reading: (reading.sentiment, reading.time))
        originals = list({reading.duplicate_of or reading.post: reading for reading in reversed(readings)}.values())[
            ::-1
        ]
        passages = self._store.words.get([reading.post for reading in originals])
        there = [reading.post for reading in originals if reading.post in passages]
        words, places = summary([f"{passages[post].title}\n{passages[post].text}".strip() for post in there])
        evidence = dict.fromkeys([*(there[place] for place in places), *there, *matter.posts])
        risks = Counter(reading.risk for reading in readings if reading.risk).most_common(1)
        count = max(len(readings), 1)
        negative = sum(complains(reading, surge.series.by, surge.series.name) for reading in readings) / count
        return updated(
            alert,
            detector=surge.detector,
            posts=surge.posts,
            weighed=round(surge.seen, 2),
            expected=round(surge.expected, 2),
            score=round(surge.score, 2),
            negative=round(1.0 if surge.series.negative else negative, 4),
            authors=len({reading.author or reading.post for reading in readings}),
            risk=risks[0][0] if risks and risks[0][1] >= count / 4 else "",
            evidence=tuple(evidence)[:_EVIDENCE],
            summary=words,
            headline=headline(
                alert.series[0],
                self._title(alert.series[0]),
                posts=surge.posts,
                expected=surge.expected,
                span=surge.end - surge.start,
            ),
        )

    def _title(self, series: Series) -> tuple[str, str]:
        item = self._store.catalogue.get([series.name]).get(series.name) if series.by in ("item", "entity") else None
        return (item.title, item.title) if item else self._names().get(series.name, (series.name, series.name))

    def _let_end(self, time: datetime, touched: set[str]) -> None:
        for name, alert in list(self._current.items()):
            if name not in touched and not alert.ended and time - alert.end > _OVER:
                self._write(updated(alert, ended=True))
            elif alert.ended and time - alert.end > self._cool_down:
                del self._current[name]

    def _write(self, alert: Alert) -> None:
        if self._current.get(alert.id) == alert:
            return
        if amend(self._store, alert.id, lambda before: self._row(alert, before)) is None:
            self._store.labels.propose([alert.question()])
        self._current[alert.id] = alert

    def _row(self, alert: Alert, before: Document | None) -> Document:
        """The row of an alert; whom it reached so far stays as it is."""
        waiting: Mapping[str, object] = {channel: {"state": "waiting"} for channel in self._channels}
        delivered = before.body.get("delivered", {}) if before else waiting
        return Document(
            alert.id,
            before.time if before else alert.raised,
            {**alert.body(), "delivered": delivered},
            before.open if before else bool(waiting),
        )
