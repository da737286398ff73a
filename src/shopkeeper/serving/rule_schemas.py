"""What travels over HTTP, and in files of rules, about merchandising. Lengths and paths are checked by `check_rule`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from shopkeeper.errors import InputError
from shopkeeper.serving.schemas import FiltersIn, Id, Language, OptionalId, Path, Query, Short, Sort, Strict, aware
from shopkeeper.store.merchandising import Banner, Boost, Pin, Rule, Then, When


class WhenIn(Strict):
    """When a rule fires: all that is filled must hold; several values of one field are alternatives."""

    exact: list[Short] = Field(default=[], description="Whole queries.")
    contains: list[Short] = Field(default=[], description="Words or phrases in the query; either of the two is enough.")
    categories: list[Path] = Field(default=[], description="Categories browsed, everything below included.")
    segments: dict[Short, list[Short]] = Field(default={}, description="Attributes of the customer.", max_length=50)
    languages: list[Language] = Field(default=[], max_length=20)
    start: datetime | None = Field(default=None, description="From then on; UTC when no zone is given.")
    end: datetime | None = Field(default=None, description="Before then.")


class PinIn(Strict):
    """An item at a fixed place."""

    item: Id
    position: int = Field(description="Counted from 1 over all pages.")


class BoostIn(Strict):
    """Scores of items that pass are multiplied: above 1 they rise, below 1 they sink, 0 puts them last."""

    filters: FiltersIn
    factor: float


class BannerIn(Strict):
    """A line of plain text above the hits."""

    text: dict[Literal["zh", "en"], str]
    link: str = Field(default="", description="A path of the shop.")


class ThenIn(Strict):
    """What a rule does."""

    pins: list[PinIn] = Field(default=[])
    boosts: list[BoostIn] = Field(default=[])
    hide: list[Id] = Field(default=[])
    filters: FiltersIn = FiltersIn()
    redirect: str = Field(default="", description="A path of the shop to go to instead.")
    banner: BannerIn | None = None
    query: str = Field(default="", description="What is searched for in place of what was typed.")


class RuleIn(Strict):
    """One rule. The last four fields are set by the shop; they may be sent back and are not read."""

    id: Id
    name: str
    when: WhenIn = WhenIn()
    then: ThenIn
    priority: int = Field(default=0, description="Of rules that contradict each other the higher one holds.")
    enabled: bool = True
    created: datetime | None = None
    created_by: str = ""
    changed: datetime | None = None
    changed_by: str = ""

    def record(self) -> Rule:
        """The rule that this describes; `store.merchandising.check_rule` is still to look at it."""
        when, then = self.when, self.then
        return Rule(
            id=self.id,
            name=self.name,
            when=When(
                exact=tuple(when.exact),
                contains=tuple(when.contains),
                categories=tuple(map(tuple, when.categories)),
                segments={name: tuple(values) for name, values in when.segments.items()},
                languages=tuple(when.languages),
                start=aware(when.start),
                end=aware(when.end),
            ),
            then=Then(
                pins=tuple(Pin(item=pin.item, position=pin.position) for pin in then.pins),
                boosts=tuple(Boost(filters=boost.filters.record(), factor=boost.factor) for boost in then.boosts),
                hide=tuple(then.hide),
                filters=then.filters.record(),
                redirect=then.redirect,
                banner=Banner(text={str(tag): text for tag, text in then.banner.text.items()}, link=then.banner.link)
                if then.banner
                else None,
                query=then.query,
            ),
            priority=self.priority,
            enabled=self.enabled,
        )


class RulesIn(Strict):
    """Rules to add or replace, by id."""

    rules: list[RuleIn] = Field(min_length=1, max_length=1_000)

    def records(self) -> list[Rule]:
        """The rules that this describes.

        Raises:
            InputError: An id stands twice.
        """
        seen: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            if rule.id in seen:
                raise InputError(
                    f"The id also stands at index {seen[rule.id]}.",
                    where=f"rules.{index}.id",
                    cure="Send each id once.",
                )
            seen[rule.id] = index
        return [rule.record() for rule in self.rules]


class PreviewIn(Strict):
    """A search as it would be answered at some moment, with rules that are not saved."""

    query: Query = ""
    filters: FiltersIn = FiltersIn()
    sort: Sort = "relevance"
    customer: OptionalId = ""
    language: Language = ""
    time: datetime | None = Field(default=None, description="Now when left out.")
    rules: list[RuleIn] = Field(
        default=[], max_length=1_000, description="Take the place of saved ones of the same id."
    )
    saved: bool = Field(default=True, description="False leaves the saved rules out.")
    limit: int = Field(default=20, ge=1, le=200)


class RulesOut(BaseModel):
    """The rules of the shop."""

    rules: list[RuleIn]
    version: int


class ChangeOut(BaseModel):
    """One write to the rules."""

    number: int
    time: datetime
    actor: str
    rule: str
    before: RuleIn | None
    after: RuleIn | None


class RuleChangesOut(BaseModel):
    """Writes to the rules, newest first."""

    changes: list[ChangeOut]


class PreviewHitOut(BaseModel):
    """One item of a preview; `before` is its place without rules, counted from 1, null when it was not found."""

    item: str
    score: float
    pinned: bool
    before: int | None


class PreviewOut(BaseModel):
    """What a search would become."""

    query: str
    fired: list[dict[str, str]]
    redirect: str
    banner: BannerIn | None
    hits: list[PreviewHitOut]
    total: int
