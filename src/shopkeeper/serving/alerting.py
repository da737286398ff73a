"""Alerts about opinions through /v1: what rose, why, what posts say, and what people think of the alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, Field

from shopkeeper.records import Decision, Passage, now
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import Strict
from shopkeeper.store.database import SqlStore
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import TASK, alert_of, answer, raised_since, row_of
from shopkeeper.tasks.listen.outbox import retry
from shopkeeper.tasks.listen.steps import steps_of

router = APIRouter(prefix="/v1/alerts", tags=["opinions"], dependencies=needs(Scope.ADMIN))

_FEEDBACK = {
    "false": {"summary": "Nothing was wrong", "value": {"label": "false"}},
    "mute": {"summary": "Silence one series", "value": {"label": "mute", "series": "topic:delivery", "days": 14}},
}


class SeriesOut(BaseModel):
    """A series that rose."""

    by: str
    name: str
    negative: bool


class StepOut(BaseModel):
    """One telling of an alert: `delivered` maps each channel to its state (waiting, done, dead), attempts and last error."""

    time: datetime
    severity: float
    level: Literal["high", "medium", "low"]
    delivered: dict[str, dict[str, Any]]


class OpinionAlertOut(BaseModel):
    """An alert; `chance` is that of so many posts or more, `label` what a human said of it.

    It is told once for each of `steps`: when it is raised, and again whenever it reaches a higher level.
    """

    id: str
    raised: datetime
    start: datetime
    end: datetime
    ended: bool
    series: list[SeriesOut]
    detector: str
    posts: int
    weighed: float
    expected: float
    chance: str
    negative: float
    authors: int
    risk: str
    severity: float
    level: Literal["high", "medium", "low"]
    evidence: list[str]
    headline: dict[str, str]
    summary: dict[str, str]
    label: str
    steps: list[StepOut]


class OpinionAlertsOut(BaseModel):
    """Alerts, the latest first."""

    alerts: list[OpinionAlertOut]


class EvidenceOut(BaseModel):
    """A post behind an alert."""

    id: str
    text: str
    title: str
    source: str
    author: str
    item: str
    time: datetime | None


class OpinionAlertDetailOut(OpinionAlertOut):
    """An alert with its posts; posts that were erased are not among them."""

    posts_shown: list[EvidenceOut]


class FeedbackIn(Strict):
    """What a human says of an alert."""

    label: Literal["right", "false", "mute"]
    series: str = Field("", max_length=400, description="For mute: one series, e.g. topic:delivery; empty for all.")
    days: float = Field(7.0, gt=0, le=366, description="For mute: for how long.")


@router.get("", responses={200: {"model": OpinionAlertsOut}}, summary="Alerts about opinions")
async def list_opinion_alerts(
    request: Request,
    days: Annotated[float, Query(gt=0, le=3_660)] = 30,
    lasting: bool = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> Json:
    """Alerts of the last days, the latest first; with `lasting` only those that still rise."""
    desk = desk_of(request)

    def found() -> Json:
        alerts = alerts_of(desk.shop.store, days=days, lasting=lasting, limit=limit)
        return Json({"alerts": alerts})

    return await desk.run(found)


@router.get("/{alert}", responses={200: {"model": OpinionAlertDetailOut}}, summary="One alert with its posts")
async def read_opinion_alert(request: Request, alert: str) -> Json:
    """What rose, and the posts that say it best."""
    desk = desk_of(request)

    def found() -> Json:
        document, passages = alert_with_posts(desk.shop.store, alert)
        shown = [
            {
                "id": passage.id,
                "text": passage.text,
                "title": passage.title,
                "source": passage.source,
                "author": passage.author,
                "item": passage.item,
                "time": passage.time,
            }
            for passage in passages
        ]
        return Json({**document, "posts_shown": shown})

    return await desk.run(found)


@router.post("/{alert}/feedback", responses={200: {"model": OpinionAlertOut}}, summary="Say what an alert was worth")
async def answer_opinion_alert(
    request: Request, alert: str, body: Annotated[FeedbackIn, Body(openapi_examples=_FEEDBACK)]
) -> Json:
    """Right or false, which moves the thresholds of its series, or mute: those series are silent for some days."""
    desk, actor = desk_of(request), actor_of(request)

    def noted() -> Json:
        answer(desk.shop.store, alert, body.label, series=body.series, days=body.days, rater=actor)
        return Json(alert_with_posts(desk.shop.store, alert)[0])

    return await desk.run(noted)


@router.post("/{alert}/retry", responses={200: {"model": OpinionAlertOut}}, summary="Deliver an alert again")
async def retry_opinion_alert(request: Request, alert: str) -> Json:
    """Let deliveries that were given up be tried again."""
    desk = desk_of(request)

    def again() -> Json:
        retry(desk.shop.store, row_of(desk.shop.store, alert).id)
        return Json(alert_with_posts(desk.shop.store, alert)[0])

    return await desk.run(again)


def alerts_of(store: SqlStore, *, days: float, lasting: bool = False, limit: int = 50) -> list[dict[str, Any]]:
    """Alerts of the last days as JSON, the latest first."""
    labels = _labels(store)
    found = [
        document
        for document in raised_since(store, now() - timedelta(days=days))
        if not (lasting and document.body["ended"])
    ]
    found.sort(key=lambda document: document.time, reverse=True)
    return [alert_document(document, labels.get(document.id)) for document in found[:limit]]


def alert_with_posts(store: SqlStore, alert: str) -> tuple[dict[str, Any], list[Passage]]:
    """An alert as JSON, and those of its posts that are still there.

    Raises:
        NotFoundError: There is no such alert.
    """
    found = alert_document(row_of(store, alert), _labels(store).get(alert))
    return found, posts_of(store, [found])[alert]


def posts_of(store: SqlStore, alerts: Sequence[Mapping[str, Any]]) -> dict[str, list[Passage]]:
    """The posts of each alert that are still there, by the alert's id, read at once; alerts as `alerts_of` gives them."""
    passages = store.words.get(list(dict.fromkeys(post for alert in alerts for post in alert["evidence"])))
    return {alert["id"]: [passages[post] for post in alert["evidence"] if post in passages] for alert in alerts}


def alert_document(document: Document, decision: Decision | None) -> dict[str, Any]:
    """An alert as JSON, with what a human said of it."""
    alert = alert_of(document)
    return {
        "id": alert.id,
        **alert.body(),
        "series": [{"by": one.by, "name": one.name, "negative": one.negative} for one in alert.series],
        "chance": alert.chance,
        "level": alert.level,
        "label": decision.label if decision else "",
        "steps": [step.body() for step in steps_of(document)],
    }


def _labels(store: SqlStore) -> dict[str, Decision]:
    return {decision.subject: decision for decision in store.labels.decided(TASK)}
