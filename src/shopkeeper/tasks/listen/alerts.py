"""An alert: what rose, how unlikely that is, how much it matters, and which posts say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Decision
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.steps import level_of

TASK: Final = "opinion"
"""Name of the alerts' questions in the review queue."""
EVENT: Final = "event"
"""What rows of other departments name in the body, and rows of alerts about opinions do not; see `messages.Message`."""
LABELS: Final = ("right", "false", "mute")
GRAVITY: Final[Mapping[str, float]] = {
    "safety": 1.0,
    "fraud": 0.9,
    "legal": 0.9,
    "pr": 0.8,
    "quality": 0.7,
    "delivery": 0.6,
    "service": 0.6,
    "price": 0.5,
}
"""How grave each class of risk is; without one it is 0.5."""
_STRICTER: Final = 1.3
_LOOSER: Final = 0.95
_MUTE: Final = "#mute:"
"""Between the id of an alert and the series of it that is muted, in the subject of a decision."""
_MUTED_DAYS: Final = 7.0
_MOST_DAYS: Final = 366.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Series that rose together.

    Attributes:
        raised: When it was noticed.
        start: When the rise began, as far as can be told.
        end: Until when it was seen to last.
        ended: It rises no longer.
        series: What rose; the most specific name of it first.
        detector: Which of `listen.tails.DETECTORS` was surest.
        posts: Posts of the first series between start and end, copies included.
        weighed: The same, where copies of one post count by the logarithm of their number.
        expected: How many were to be expected.
        score: Minus the natural logarithm of the chance of so many or more.
        negative: Share of complaints among the posts.
        authors: Different authors among the last of them.
        risk: The commonest class of risk among them, empty for none.
        severity: From 0 to 1, see `severity`.
        evidence: Ids of the posts that say it best.
        headline: By language.
        summary: By language: what was read in the posts, and below it some of their own sentences.
    """

    id: str
    raised: datetime
    start: datetime
    end: datetime
    ended: bool = False
    series: tuple[Series, ...]
    detector: str
    posts: int
    weighed: float
    expected: float
    score: float
    negative: float
    authors: int
    risk: str
    severity: float
    evidence: tuple[str, ...] = ()
    headline: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> str:
        """``high``, ``medium`` or ``low``."""
        return level_of(self.severity)

    @property
    def event(self) -> str:
        """The type that receivers see."""
        return "opinion.alert"

    @property
    def chance(self) -> str:
        """The chance of so many posts or more, to a power of ten: ``1e-9``."""
        return f"1e-{self.score / np.log(10):.0f}"

    def body(self) -> dict[str, Any]:
        """As JSON values, without id; `alert_of` is the inverse."""
        found: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        found |= {name: getattr(self, name).isoformat() for name in _TIMES}
        found["series"] = [[one.by, one.name, one.negative] for one in self.series]
        found["evidence"] = list(self.evidence)
        found |= {name: dict(getattr(self, name)) for name in _SPOKEN}
        return found

    def question(self) -> Decision:
        """What a human is asked about it."""
        return Decision(task=TASK, subject=self.id, text=self.headline.get("en", ""), score=self.severity)


_PLAIN: Final = (
    "ended", "detector", "posts", "weighed", "expected", "score", "negative", "authors", "risk", "severity"
)  # fmt: skip
_TIMES: Final = ("raised", "start", "end")
_SPOKEN: Final = ("headline", "summary")


def alert_of(document: Document) -> Alert:
    """The alert in a document of `Alerts`."""
    body = document.body
    values: dict[str, Any] = {name: datetime.fromisoformat(body[name]) for name in _TIMES}
    values |= {name: body[name] for name in (*_PLAIN, *_SPOKEN)}
    return Alert(
        id=document.id,
        series=tuple(Series(by, name, negative) for by, name, negative in body["series"]),
        evidence=tuple(body["evidence"]),
        **values,
    )


def raised_since(store: SqlStore, start: datetime) -> Iterator[Document]:
    """Rows of the alerts about opinions that were raised since, ordered by id; what others have to tell is passed over."""
    return (document for document in store.alerts.scan(start) if EVENT not in document.body)


def row_of(store: SqlStore, alert: str) -> Document:
    """The row of an alert about opinions.

    Raises:
        NotFoundError: There is no such alert.
    """
    document = store.alerts.get([alert]).get(alert)
    if document is None or EVENT in document.body:
        raise NotFoundError(
            "There is no such alert.", where=alert, cure="`shopkeeper alerts list` and GET /v1/alerts name them."
        )
    return document


def severity(*, posts: float, expected: float, negative: float, authors: int, risk: str) -> float:
    """How much an alert matters, from 0 to 1.

    The geometric mean of size (1 at a thousand posts too many), lift (share of posts that were not to be expected) and reach
    (1 at a hundred authors), times what the complaints make of it, times the gravity of the risk.

    >>> severity(posts=1000, expected=0, negative=1.0, authors=100, risk="safety")
    1.0
    >>> severity(posts=20, expected=5, negative=0.1, authors=15, risk="") < 0.3
    True
    """
    excess = max(posts - expected, 0.0)
    size = min(1.0, float(np.log10(1 + excess)) / 3)
    lift = excess / max(posts, 1.0)
    reach = min(1.0, float(np.log10(1 + authors)) / 2)
    spread = float(np.cbrt(size * lift * reach))
    return round(min(1.0, spread * (0.4 + 0.6 * negative) * (0.4 + 0.6 * GRAVITY.get(risk, 0.5))), 4)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What people said of alerts, folded.

    Attributes:
        strictness: Factors on the thresholds of series.
        muted: Series, with and without complaints alike, to the time until which they are silent.
    """

    strictness: Mapping[Series, float]
    muted: Mapping[tuple[str, str], datetime]

    def silent(self, series: Series, now: datetime) -> bool:
        """Is this series muted now?"""
        until = self.muted.get((series.by, series.name))
        return until is not None and now < until


def feedback(store: SqlStore) -> Feedback:
    """Fold all decisions about alerts: "false" makes its series stricter, "right" a little looser, "mute" silences one."""
    decisions = list(store.labels.decided(TASK))
    alerts = {name: alert_of(document) for name, document in store.alerts.get([d.subject for d in decisions]).items()}
    strictness: dict[Series, float] = {}
    muted: dict[tuple[str, str], datetime] = {}
    for decision in decisions:
        if decision.time is None:
            continue
        label, _, days = decision.label.partition(":")
        _, mute, name = decision.subject.partition(_MUTE)
        if mute:
            by, _, key = name.partition(":")
            until = decision.time + timedelta(days=float(days))
            muted[by, key] = max(until, muted.get((by, key), until))
        elif label != "mute" and (alert := alerts.get(decision.subject)) is not None:
            factor = _STRICTER if label == "false" else _LOOSER
            for series in alert.series:
                strictness[series] = strictness.get(series, 1.0) * factor
    return Feedback(strictness, muted)


def answer(
    store: SqlStore, alert: str, label: str, *, series: str = "", days: float = _MUTED_DAYS, rater: str = ""
) -> Decision:
    """Note what a human says of an alert; the next look heeds it. A mute and a judgement stand beside each other.

    Args:
        store: Where the alert is.
        alert: Its id.
        label: ``right``, ``false`` or ``mute``.
        series: For ``mute``: one series of the alert as ``topic:delivery``; empty for all of them.
        days: For ``mute``: for how long.
        rater: Who says so.

    Raises:
        NotFoundError: There is no such alert.
        InputError: The label, the series or the days make no sense.
    """
    found = alert_of(row_of(store, alert))
    names = {f"{one.by}:{one.name}" for one in found.series}
    if label not in LABELS:
        raise InputError(f"{label!r} is no answer to an alert.", where="label", cure=f"Say {', '.join(LABELS)}.")
    if label == "mute":
        if not 0 < days <= _MOST_DAYS:
            raise InputError(
                f"Nothing is muted for {days} days.", where="days", cure="Give a number from above 0 to 366."
            )
        if series and series not in names:
            raise InputError(
                f"The alert is not about {series!r}.", where="series", cure=f"Choose of {', '.join(sorted(names))}."
            )
        for name in [series] if series else sorted(names):
            question = replace(found.question(), subject=f"{alert}{_MUTE}{name}")
            store.labels.propose([question])
            store.labels.decide(TASK, question.subject, f"mute:{days:g}", rater)
        label = f"mute:{days:g}" + (f":{series}" if series else "")
    store.labels.propose([found.question()])
    before = next((one for one in store.labels.decided(TASK) if one.subject == alert), None)
    if before is not None and label.startswith("mute") and before.label in ("right", "false"):
        return before
    return store.labels.decide(TASK, alert, label, rater)


def updated(alert: Alert, **values: Any) -> Alert:
    """The alert with some values replaced and its severity anew."""
    changed = replace(alert, **values)
    return replace(
        changed,
        severity=severity(
            posts=changed.posts,
            expected=changed.expected,
            negative=changed.negative,
            authors=changed.authors,
            risk=changed.risk,
        ),
    )
