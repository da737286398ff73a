"""The steps of an alert: it is told when it is raised, and again whenever it becomes graver than it was ever told to be.

The steps stand in the alert's own row under ``steps``. Each says how grave the alert was, and under ``delivered`` how far each
channel is with telling it: ``state`` (waiting, done, dead), ``attempts``, ``next`` (ISO time) and the last ``error``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from shopkeeper.store.documents import Document

LEVELS: Final = ("low", "medium", "high")
_LEAST: Final = (0.0, 0.3, 0.5)
"""The least severity of each level."""


@dataclass(frozen=True, slots=True)
class Step:
    """One telling of an alert.

    Attributes:
        time: When it was decided on.
        severity: Of the alert then.
        delivered: What each channel has done about it.
    """

    time: datetime
    severity: float
    delivered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def level(self) -> str:
        """One of `LEVELS`."""
        return level_of(self.severity)

    @property
    def waits(self) -> bool:
        """Is some channel still to tell it?"""
        return any(state["state"] == "waiting" for state in self.delivered.values())

    def told(self, channel: str, state: Mapping[str, Any]) -> Step:
        """The step with a new state of one channel."""
        return replace(self, delivered={**self.delivered, channel: state})

    def body(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "time": self.time.isoformat(),
            "severity": self.severity,
            "level": self.level,
            "delivered": {name: dict(state) for name, state in self.delivered.items()},
        }


def level_of(severity: float) -> str:
    """The level of a severity from 0 to 1.

    >>> [level_of(severity) for severity in (0.29, 0.3, 0.5)]
    ['low', 'medium', 'high']
    """
    return LEVELS[sum(severity >= least for least in _LEAST) - 1]


def steps_of(document: Document) -> tuple[Step, ...]:
    """The steps in the row of an alert, the first one first; rows of older versions hold one."""
    body = document.body
    if "steps" not in body:
        return (Step(document.time, body["severity"], body.get("delivered", {})),)
    return tuple(
        Step(datetime.fromisoformat(step["time"]), step["severity"], step["delivered"]) for step in body["steps"]
    )


def with_steps(document: Document, steps: Sequence[Step]) -> Document:
    """The row with other steps; it is open while one of them waits."""
    body = {name: value for name, value in document.body.items() if name != "delivered"}
    return Document(
        document.id,
        document.time,
        {**body, "steps": [step.body() for step in steps]},
        any(step.waits for step in steps),
    )


def escalated(steps: Sequence[Step], severity: float, time: datetime, channels: Sequence[str]) -> tuple[Step, ...]:
    """The steps, and a further one where the severity is of a higher level than any of them.

    Args:
        steps: So far; none for a new alert, whose first step this makes.
        severity: Of the alert now.
        time: Now.
        channels: Names of those that shall tell it.
    """
    told = max((LEVELS.index(step.level) for step in steps), default=-1)
    if LEVELS.index(level_of(severity)) <= told:
        return tuple(steps)
    return (*steps, Step(time, severity, {channel: {"state": "waiting"} for channel in channels}))
