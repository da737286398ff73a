"""What the guard's endpoints take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from shopkeeper.evaluation.drift_watch import DriftAlarm
from shopkeeper.ranking.payments.model import Action
from shopkeeper.records import Decision, Event, Reason
from shopkeeper.serving.alerting import StepOut
from shopkeeper.serving.schemas import EventIn, Strict
from shopkeeper.tasks.guard.task import Verdict
from shopkeeper.tasks.listen.steps import level_of


class PaymentIn(Strict):
    """One payment: its purchase events, which share ``payment`` in their properties."""

    events: list[EventIn] = Field(min_length=1, max_length=200)

    def records(self) -> list[Event]:
        """The events; those without a time happen now."""
        return [event.record() for event in self.events]


class ReasonOut(BaseModel):
    """What speaks against a payment: the feature and its value in `evidence`, a sentence in English and Chinese."""

    kind: str
    evidence: list[str]
    text: dict[str, str]


class VerdictOut(BaseModel):
    """What the guard says; `probability` is null where nothing is labelled yet."""

    payment: str
    score: float
    probability: float | None
    action: Action
    reasons: list[ReasonOut]
    model: str


class AlertOut(BaseModel):
    """A payment that waits for a human, or what the human decided."""

    payment: str
    text: str
    customer: str
    score: float
    label: str
    rater: str


class AlertsOut(BaseModel):
    """Alerts, those that may cost most first."""

    alerts: list[AlertOut]


class VerdictIn(Strict):
    """What became known of a payment."""

    label: Literal["fraud", "genuine"]


class DriftOut(BaseModel):
    """How far a feature, or the score, has moved since training: its population stability index and the limit."""

    name: str
    psi: float
    limit: float
    moved: bool
    before: float | None
    after: float | None


class MovedOut(BaseModel):
    """A column that has moved."""

    name: str
    psi: float
    limit: float


class DriftAlarmOut(BaseModel):
    """A drift that people were told of: since when, when it was seen last, its farthest columns, and whom each step reached."""

    id: str
    model: str
    raised: datetime
    seen: datetime
    level: Literal["high", "medium", "low"]
    moved: int
    columns: list[MovedOut]
    headline: dict[str, str]
    steps: list[StepOut]


class DriftsOut(BaseModel):
    """All columns, the farthest moved first; `alarm` is the drift that `shopkeeper guard watch` has found and that lasts."""

    days: float
    moved: int
    columns: list[DriftOut]
    alarm: DriftAlarmOut | None


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON."""
    return {
        "payment": verdict.payment,
        "score": verdict.score,
        "probability": verdict.probability,
        "action": verdict.action.value,
        "reasons": [reason_document(reason) for reason in verdict.reasons],
        "model": verdict.model,
    }


def alert_document(decision: Decision) -> dict[str, Any]:
    """The alert as JSON."""
    return {
        "payment": decision.subject,
        "text": decision.text,
        "customer": decision.customer,
        "score": decision.score,
        "label": decision.label,
        "rater": decision.rater,
    }


def drift_document(alarm: DriftAlarm) -> dict[str, Any]:
    """A drift that lasts as JSON."""
    return {
        "id": alarm.id,
        "model": alarm.model,
        "raised": alarm.raised,
        "seen": alarm.seen,
        "level": level_of(alarm.severity),
        "moved": alarm.moved,
        "columns": [{"name": name, "psi": psi, "limit": limit} for name, psi, limit in alarm.columns],
        "headline": alarm.headline,
        "steps": [step.body() for step in alarm.steps],
    }


def reason_document(reason: Reason) -> dict[str, Any]:
    """A reason as JSON."""
    return {"kind": reason.kind, "evidence": list(reason.evidence), "text": dict(reason.text)}
