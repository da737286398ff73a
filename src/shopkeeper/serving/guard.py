"""Payments through /v1: judged before they are accepted; alerts and drift for the shop's own people."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request

from shopkeeper.evaluation.drift import drift
from shopkeeper.evaluation.drift_watch import current
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.guard_schemas import (
    AlertOut,
    AlertsOut,
    DriftsOut,
    PaymentIn,
    VerdictIn,
    VerdictOut,
    alert_document,
    drift_document,
    verdict_document,
)
from shopkeeper.serving.replies import Json
from shopkeeper.tasks.shop import Shop

router = APIRouter(prefix="/v1/guard", tags=["guard"])

_PAYMENT = {
    "two": {
        "summary": "Two lines of one payment",
        "value": {
            "events": [
                {
                    "id": f"e-{number}",
                    "kind": "purchase",
                    "customer": "c-17",
                    "item": item,
                    "value": value,
                    "properties": {"payment": "p-9", "device": "d-3", "address": "a-5", "currency": "EUR"},
                }
                for number, (item, value) in enumerate([("sku-100", 39.9), ("sku-7", 128.0)], 1)
            ]
        },
    }
}
_LABEL = {"fraud": {"summary": "It was fraud", "value": {"label": "fraud"}}}


@router.post(
    "/payments", dependencies=needs(Scope.EVENTS), responses={200: {"model": VerdictOut}}, summary="Judge a payment"
)
async def judge_payment(request: Request, body: Annotated[PaymentIn, Body(openapi_examples=_PAYMENT)]) -> Json:
    """Allow, review or refuse a payment, and why. Nothing is written to the log: send the events when it is accepted.

    What is not allowed waits among the alerts. Sending the same payment again counts it once.
    """
    desk = desk_of(request)
    return await desk.run(lambda: Json(verdict_document(desk.shop.guard.judge(body.records()))))


@router.get("/alerts", dependencies=needs(Scope.ADMIN), responses={200: {"model": AlertsOut}}, summary="Alerts")
async def list_alerts(request: Request, limit: Annotated[int, Query(ge=1, le=1_000)] = 50) -> Json:
    """Payments that wait for a human, those that may cost most first."""
    desk = desk_of(request)
    return await desk.run(lambda: Json({"alerts": [alert_document(alert) for alert in desk.shop.guard.alerts(limit)]}))


@router.post(
    "/alerts/{payment:path}",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": AlertOut}},
    summary="Decide about a payment",
)
async def decide_alert(
    request: Request, payment: str, body: Annotated[VerdictIn, Body(openapi_examples=_LABEL)]
) -> Json:
    """Note what a human found out, or a chargeback of a payment that was let through; the next training learns from it."""
    desk, actor = desk_of(request), actor_of(request)
    return await desk.run(lambda: Json(alert_document(desk.shop.guard.decide(payment, body.label, actor))))


@router.get("/drift", dependencies=needs(Scope.ADMIN), responses={200: {"model": DriftsOut}}, summary="Drift")
async def list_drift(request: Request, days: Annotated[float, Query(gt=0, le=365)] = 7) -> Json:
    """How far features and score of the last days' payments have moved from those of training, and the drift that lasts."""
    desk = desk_of(request)
    return Json(await desk.run(_drift, desk.shop, days))


def _drift(shop: Shop, days: float) -> dict[str, Any]:
    found, alarm = drift(shop.guard, days), current(shop.store)
    return {
        "days": days,
        "moved": sum(column.moved for column in found),
        "columns": [
            {
                "name": column.name,
                "psi": column.psi,
                "limit": column.limit,
                "moved": column.moved,
                "before": _number(column.before),
                "after": _number(column.after),
            }
            for column in found
        ],
        "alarm": drift_document(alarm) if alarm else None,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
