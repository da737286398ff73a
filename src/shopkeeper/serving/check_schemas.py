"""What the checks of the whole shop give: items, visitors and raters to look at, by the ids that decisions take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from shopkeeper.serving.guard_schemas import ReasonOut, reason_document
from shopkeeper.tasks.guard.catalogue_doubt import Doubt
from shopkeeper.tasks.guard.review_check import ReviewCheck
from shopkeeper.tasks.guard.visitor_check import VisitorCheck


class RaterOut(BaseModel):
    """A customer whose ratings seem dishonest: a question of the task `reviewer`, answered `fake` or `genuine`."""

    customer: str
    suspicion: float
    ratings: int
    reasons: list[ReasonOut]


class AttackOut(BaseModel):
    """An item whose stars suspects moved: a question of the task `reviewed-item`, answered `attacked` or `sound`.

    `stars` is its mean with the suspects, `honest` without; `chance` how probable it is that so many met there by chance, and
    `week` the most ratings by suspects within seven days.
    """

    item: str
    stars: float
    honest: float
    suspects: list[str]
    ratings: int
    chance: float
    week: int
    text: dict[str, str]


class ReviewsOut(BaseModel):
    """Suspects, the most suspicious first, and attacked items, the most moved first."""

    suspects: list[RaterOut]
    attacks: list[AttackOut]


class ItemDoubtOut(BaseModel):
    """A doubt about an item, which is a question of the task `catalogue`; `proposal` is what would mend it, where known."""

    kind: Literal["category", "title", "price", "double"]
    item: str
    other: str
    score: float
    proposal: str
    text: dict[str, str]


class CatalogueOut(BaseModel):
    """Doubts by kind, within each the surest first."""

    doubts: list[ItemDoubtOut]


class VisitorOut(BaseModel):
    """A visitor to look at: a question of the task `visitor`, answered `robot` or `person`; `label` is the answer so far.

    `rules` says what is plain about them; those who are `flagged` by a rule or a human are left out of what is learnt.
    """

    visitor: str
    score: float
    rules: list[str]
    flagged: bool
    label: str
    text: dict[str, str]


class RefundOut(BaseModel):
    """A charged ad click of a flagged visitor, in the campaign's currency."""

    campaign: str
    click: str
    amount: float
    time: datetime


class VisitorsOut(BaseModel):
    """Suspects, the highest score first, and the ad clicks to give back, the earliest first."""

    days: float
    suspects: list[VisitorOut]
    refunds: list[RefundOut]


def reviews_document(check: ReviewCheck, limit: int) -> dict[str, Any]:
    """What was found among raters as JSON, `limit` of each kind at most."""
    return {
        "suspects": [
            {
                "customer": one.customer,
                "suspicion": one.suspicion,
                "ratings": one.ratings,
                "reasons": [reason_document(reason) for reason in one.reasons],
            }
            for one in check.suspects[:limit]
        ],
        "attacks": [
            {
                "item": one.item,
                "stars": one.stars,
                "honest": one.honest,
                "suspects": list(one.suspects),
                "ratings": one.ratings,
                "chance": one.chance,
                "week": one.week,
                "text": dict(one.reason.text),
            }
            for one in check.attacks[:limit]
        ],
    }


def doubts_document(doubts: Sequence[Doubt]) -> list[dict[str, Any]]:
    """Doubts about items as JSON."""
    return [
        {
            "kind": one.kind,
            "item": one.item,
            "other": one.other,
            "score": one.score,
            "proposal": one.proposal,
            "text": dict(one.text),
        }
        for one in doubts
    ]


def visitors_document(check: VisitorCheck, limit: int) -> dict[str, Any]:
    """What was found among visitors as JSON: `limit` suspects at most, and all refunds."""
    return {
        "suspects": [
            {
                "visitor": one.visitor,
                "score": one.score,
                "rules": list(one.rules),
                "flagged": check.flags(one),
                "label": check.decided.get(one.visitor, ""),
                "text": dict(one.text),
            }
            for one in check.findings.suspects[:limit]
        ],
        "refunds": [
            {"campaign": one.campaign, "click": one.click, "amount": one.amount, "time": one.time}
            for one in check.refunds
        ],
    }
