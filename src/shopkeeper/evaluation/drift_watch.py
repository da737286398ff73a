"""Tells people, once, that payments are no longer those the guard learnt from: looked at each day, told through the outbox.

A drift begins when the score, or half of the features, has moved. It is told then, once more if the score moves later, and
not again while it lasts. It ends when nothing has moved any more over a whole period, or another model is live.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shopkeeper.evaluation.drift import SCORE, Drift, moved_since
from shopkeeper.records import now
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.guard.task import GuardTask
from shopkeeper.tasks.listen.alerts import EVENT
from shopkeeper.tasks.listen.messages import Message
from shopkeeper.tasks.listen.steps import Step, escalated, steps_of, with_steps

DRIFT: Final = "guard.drift"
"""The type that receivers of alerts see."""
_SCORE, _FEATURES = 0.6, 0.3
"""Severity where the score has moved, and where only features have."""
_SHARE: Final = 0.5
"""Share of features that must have moved where the score has not: counts over 30 days grow for weeks after the first payments,
which alone moves up to a third of them."""
_NAMED: Final = 10
_KEPT: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlarm:
    """A drift that people were told of.

    Attributes:
        id: Of its row among the alerts.
        model: Name and version of what judges.
        raised: When it was noticed.
        seen: When it was seen last.
        ended: Nothing has moved any more, or another model is live.
        severity: As of the alerts, from 0 to 1, at its worst.
        moved: Columns that have moved, when it was seen last.
        columns: The farthest moved of them, at most ten: name, population stability index, limit.
        steps: When and whom it was told.
    """

    id: str
    model: str
    raised: datetime
    seen: datetime
    ended: bool
    severity: float
    moved: int
    columns: tuple[tuple[str, float, float], ...]
    steps: tuple[Step, ...] = ()

    def body(self) -> dict[str, Any]:
        """As JSON values, without id and steps; `current` reads them."""
        return {
            "model": self.model,
            "raised": self.raised.isoformat(),
            "seen": self.seen.isoformat(),
            "ended": self.ended,
            "moved": self.moved,
            "columns": [{"name": name, "psi": psi, "limit": limit} for name, psi, limit in self.columns],
        }

    @property
    def headline(self) -> dict[str, str]:
        """What is the matter, by language."""
        score = next((f"{psi:.2f}" for name, psi, _ in self.columns if name == SCORE), "")
        moved = {
            "en": f"{self.moved} columns have moved" + (f", the score among them (PSI {score})" if score else ""),
            "zh": f"{self.moved} 个特征发生漂移" + (f"，包括风险评分（PSI {score}）" if score else ""),
        }
        return {
            "en": f"Payments differ from those that {self.model} learnt from: {moved['en']}.",
            "zh": f"支付数据已偏离 {self.model} 的训练数据：{moved['zh']}。",
        }

    def message(self) -> Message:
        """What the outbox is to tell."""
        farthest = ", ".join(f"{name} {psi:.2f}" for name, psi, _ in self.columns)
        summary = {
            "en": f"PSI: {farthest}. Train again: shopkeeper train fraud",
            "zh": f"PSI：{farthest}。请重新训练：shopkeeper train fraud",
        }
        return Message(self.id, DRIFT, self.severity, self.headline, summary, self.body())


def watch(
    store: SqlStore, task: GuardTask, channels: Sequence[str], days: float = 7, moment: datetime | None = None
) -> DriftAlarm | None:
    """Look at the last days' payments, and leave in the alerts what is to be told; `Outbox.deliver` tells it.

    Args:
        store: Where alerts are.
        task: The guard, with the bundle it judges by.
        channels: Names of those that shall tell it; see `Outbox.names`.
        days: How far back to look, and how long nothing may have moved before a drift is over.
        moment: Now, for tests.

    Returns:
        The drift that lasts, if any. A period without payments says nothing: what lasted lasts.
    """
    time = now() if moment is None else moment
    found = moved_since(task, days, time)
    severity = _severity(found)
    before = current(store)
    over = bool(found) and not severity and before is not None and time - before.seen >= timedelta(days=days)
    if before is not None and (over or before.model != task.bundle.name):
        _write(store, replace(before, ended=True), time, ())
        before = None
    if not severity:
        return before
    moved = [column for column in found if column.moved]
    farthest = sorted(moved, key=lambda column: column.name != SCORE)[:_NAMED]
    key = f"{task.bundle.name}:{time.date()}"
    alarm = DriftAlarm(
        id=before.id if before else hashlib.blake2b(key.encode(), digest_size=8).hexdigest(),
        model=task.bundle.name,
        raised=before.raised if before else time,
        seen=max(before.seen, time) if before else time,
        ended=False,
        severity=max(before.severity, severity) if before else severity,
        moved=len(moved),
        columns=tuple((column.name, column.psi, column.limit) for column in farthest),
    )
    return _alarm(_write(store, alarm, time, channels))


def current(store: SqlStore) -> DriftAlarm | None:
    """The drift that lasts, as it was seen last; None where there is none."""
    rows = [row for row in store.alerts.scan(now() - _KEPT) if row.body.get(EVENT) == DRIFT and not row.body["ended"]]
    return _alarm(max(rows, key=lambda row: row.time)) if rows else None


def _severity(found: Sequence[Drift]) -> float:
    """How grave it is, 0 where it is no drift."""
    moved = [column for column in found if column.moved]
    if any(column.name == SCORE for column in moved):
        return _SCORE
    return _FEATURES if moved and len(moved) >= _SHARE * (len(found) - 1) else 0.0


def _write(store: SqlStore, alarm: DriftAlarm, time: datetime, channels: Sequence[str]) -> Document:
    """Write the row: whom it reached so far stays as it is, and where it became graver it is to be told again."""
    row = alarm.message().row(alarm.raised)

    def written(before: Document | None) -> Document:
        nonlocal row
        steps = steps_of(before) if before else ()
        row = with_steps(row, steps if alarm.ended else escalated(steps, alarm.severity, time, channels))
        return row

    store.alerts.amend(alarm.id, written)
    return row


def _alarm(row: Document) -> DriftAlarm:
    body = row.body
    return DriftAlarm(
        id=row.id,
        model=body["model"],
        raised=datetime.fromisoformat(body["raised"]),
        seen=datetime.fromisoformat(body["seen"]),
        ended=body["ended"],
        severity=body["severity"],
        moved=body["moved"],
        columns=tuple((one["name"], one["psi"], one["limit"]) for one in body["columns"]),
        steps=steps_of(row),
    )
