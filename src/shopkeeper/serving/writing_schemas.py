"""What the pen's endpoints take and give."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from shopkeeper.evaluation.copy_report import CopyReport, VariantReport
from shopkeeper.records import Decision
from shopkeeper.serving.schemas import Strict
from shopkeeper.tasks.write.briefs import Brief, Copy, Written, read_subject
from shopkeeper.tasks.write.desk import Published

KindName = Literal["title", "bullets", "description", "ad", "seo", "reviews", "push", "email"]
Language = Literal["", "en", "zh"]


class WriteIn(Strict):
    """What is to be written about which items."""

    kind: KindName
    items: list[str] = Field(min_length=1, max_length=50)
    language: Language = ""
    tone: Literal["plain", "warm", "brisk"] = "plain"
    limit: int = Field(0, ge=0, le=5_000)
    candidates: int = Field(4, ge=1, le=12)
    segment: str = Field("", max_length=60)
    propose: bool = Field(True, description="Put what may be published into the review queue.")

    def brief(self) -> Brief:
        """The brief."""
        return Brief(
            kind=self.kind,
            language=self.language,
            tone=self.tone,
            limit=self.limit,
            candidates=self.candidates,
            segment=self.segment,
        )


class DecideIn(Strict):
    """What a human decided about a copy; `text` only for edits."""

    subject: str = Field(min_length=1, max_length=200)
    decision: Literal["approve", "edit", "refuse", "unapprove"]
    text: str = Field("", max_length=5_000)


class ObjectionOut(BaseModel):
    """Why a candidate is refused."""

    kind: str
    text: str
    why: dict[str, str]


class CopyOut(BaseModel):
    """A candidate; without objections it may be published. `click` is 1 for as many clicks as usual on its shelf."""

    subject: str
    text: str
    lead: str
    tone: str
    source: str
    score: float
    click: float | None
    ease: float
    objections: list[ObjectionOut]


class WrittenOut(BaseModel):
    """What was written about one item, best first, and what was refused."""

    item: str
    language: str
    copies: list[CopyOut]
    refused: list[CopyOut]
    note: dict[str, str] | None


class WrittenAllOut(BaseModel):
    """What was written, and how many copies are new in the queue."""

    written: list[WrittenOut]
    proposed: int


class DecisionOut(BaseModel):
    """A copy in the queue, or what became of it: publish, refuse, edited, unpublished or withdrawn."""

    subject: str
    item: str
    kind: str
    segment: str
    language: str
    text: str
    score: float
    label: str
    rater: str
    time: str | None


class DecisionsOut(BaseModel):
    """Copies in the queue."""

    copies: list[DecisionOut]


class PublishedOut(BaseModel):
    """A published copy. Send `properties` along with the event of showing it, so that variants can be compared."""

    subject: str
    kind: str
    language: str
    variant: str
    text: str
    propensity: float
    properties: dict[str, str]


class PublishedAllOut(BaseModel):
    """The copy chosen for this visitor, and all that are in force."""

    item: str
    chosen: PublishedOut | None
    variants: list[PublishedOut]


class VariantOut(BaseModel):
    """How one variant did; rates and differences come with 95 % intervals."""

    variant: str
    visitors: int
    clicks: int
    orders: int
    click_rate: list[float]
    order_rate: list[float]
    more_clicks: list[float] | None
    more_orders: list[float] | None


class CopyReportOut(BaseModel):
    """The variants of one text."""

    item: str
    kind: str
    language: str
    variants: list[VariantOut]


class CopyReportsOut(BaseModel):
    """All comparisons."""

    reports: list[CopyReportOut]


def copy_document(copy: Copy) -> dict[str, Any]:
    """A candidate as JSON."""
    return {
        "subject": copy.subject,
        "text": copy.text,
        "lead": copy.lead,
        "tone": copy.tone,
        "source": copy.source,
        "score": copy.score,
        "click": copy.click,
        "ease": copy.ease,
        "objections": [{"kind": one.kind, "text": one.text, "why": dict(one.why)} for one in copy.objections],
    }


def written_document(written: Written) -> dict[str, Any]:
    """What was written about an item as JSON."""
    return {
        "item": written.item,
        "language": written.language,
        "copies": [copy_document(copy) for copy in written.copies],
        "refused": [copy_document(copy) for copy in written.refused],
        "note": dict(written.note) if written.note else None,
    }


def decision_document(decision: Decision) -> dict[str, Any]:
    """A copy of the queue as JSON."""
    item, kind, segment, language, _ = read_subject(decision.subject)
    return {
        "subject": decision.subject,
        "item": item,
        "kind": kind,
        "segment": segment,
        "language": language,
        "text": decision.text,
        "score": decision.score,
        "label": decision.label,
        "rater": decision.rater,
        "time": decision.time.isoformat() if decision.time else None,
    }


def published_document(one: Published, properties: dict[str, Any]) -> dict[str, Any]:
    """A published copy as JSON."""
    return {
        "subject": one.subject,
        "kind": one.kind,
        "language": one.language,
        "variant": one.variant,
        "text": one.text,
        "propensity": one.propensity,
        "properties": properties,
    }


def report_document(report: CopyReport) -> dict[str, Any]:
    """A comparison as JSON."""
    return {
        "item": report.item,
        "kind": report.kind,
        "language": report.language,
        "variants": [_variant(one) for one in report.variants],
    }


def _variant(one: VariantReport) -> dict[str, Any]:
    def flat(value: tuple[float, tuple[float, float]] | None) -> list[float] | None:
        return None if value is None else [value[0], *value[1]]

    return {
        "variant": one.variant,
        "visitors": one.visitors,
        "clicks": one.clicks,
        "orders": one.orders,
        "click_rate": flat(one.click_rate),
        "order_rate": flat(one.order_rate),
        "more_clicks": flat(one.more_clicks),
        "more_orders": flat(one.more_orders),
    }
