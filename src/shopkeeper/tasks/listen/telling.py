"""What an alert says: the figures of a surge, and the posts, the summary and the headline that go with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from shopkeeper.store.database import SqlStore
from shopkeeper.tasks.listen.alerts import Alert, updated
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.summary import LANGUAGES, digest, headline, quotes
from shopkeeper.tasks.listen.surges import Surge
from shopkeeper.tasks.listen.together import Matter, complains

_EVIDENCE: Final = 12


class Teller:
    """Puts surges into figures and words.

    Args:
        store: Where the posts and the catalogue are.
        names: English and Chinese names of topics and risks.
    """

    def __init__(self, store: SqlStore, names: Callable[[], Mapping[str, tuple[str, str]]]) -> None:
        self._store = store
        self._names = names

    def measured(self, alert: Alert, matter: Matter, surge: Surge) -> Alert:
        """The alert with the figures of a surge of its first series, and its severity by them."""
        readings = list(matter.posts.values())
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
        )

    def worded(self, alert: Alert, matter: Matter, surge: Surge) -> Alert:
        """The alert with what the posts of a matter say, the angriest first, and a headline."""
        readings = sorted(matter.posts.values(), key=lambda reading: (reading.sentiment, reading.time))
        latest = {reading.duplicate_of or reading.post: reading for reading in reversed(readings)}
        originals = list(latest.values())[::-1]
        passages = self._store.words.get([reading.post for reading in originals])
        there = [reading.post for reading in originals if reading.post in passages]
        texts = [f"{passages[post].title}\n{passages[post].text}".strip() for post in there]
        said = {language: quotes(texts, language) for language in LANGUAGES}
        chosen = sorted({place for _, places in said.values() for place in places})
        evidence = dict.fromkeys([*(there[place] for place in chosen), *there, *matter.posts])
        items = {concern.name for one in readings for concern in one.entities if concern.kind == "item"}
        titles = {name: (item.title, item.title) for name, item in self._store.catalogue.get([*items]).items()}
        names = {**self._names(), **titles}
        told = {language: digest(readings, names, language) for language in LANGUAGES if readings}
        return updated(
            alert,
            evidence=tuple(evidence)[:_EVIDENCE],
            summary={language: f"{text}\n{said[language][0]}".strip() for language, text in told.items()},
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
