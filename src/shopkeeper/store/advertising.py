"""Campaigns as records: what advertisers pay for, on which pages, how much at most, and what is refused at the door.

`store.campaigns` keeps them, `tasks.advertise.task` shows them. Money is in units of the campaign's currency, days are UTC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from shopkeeper.errors import InputError
from shopkeeper.store import codec
from shopkeeper.store.merchandising import LONGEST_NAME, Rule, Then, When, check_when, check_words

_ITEMS, _SURFACES = 1_000, 50
_LARGEST = 1e9
_CURRENCY = re.compile(r"[A-Z]{3}")
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What an advertiser pays for.

    Attributes:
        items: Ids of the items to show.
        bid: What a click is worth to the advertiser, and the most that one costs.
        currency: Of bid and budgets, three capital letters; also that of the items.
        daily_budget: Most that a day's clicks cost; None for no limit.
        total_budget: Most that all clicks cost; None for no limit.
        when: On which pages and between which times, as with a merchandising rule.
        surfaces: Where: ``search``, ``product`` ...; empty for everywhere.
        daily_cap: Showings to one customer a day at most; None for no limit.
        created: With the next three set by the store; None while the campaign is not saved.
    """

    id: str
    name: str
    advertiser: str
    items: tuple[str, ...]
    bid: float
    currency: str
    daily_budget: float | None = None
    total_budget: float | None = None
    when: When = field(default_factory=When)
    surfaces: tuple[str, ...] = ()
    daily_cap: int | None = None
    paused: bool = False
    created: datetime | None = None
    created_by: str = ""
    changed: datetime | None = None
    changed_by: str = ""

    @property
    def rule(self) -> Rule:
        """A rule that fires where the campaign may show, and does nothing."""
        return Rule(id=self.id, name=self.name, when=self.when, then=Then(), enabled=not self.paused)

    @property
    def content(self) -> Campaign:
        """The same without who wrote it when."""
        return replace(self, created=None, created_by="", changed=None, changed_by="")


def check_campaign(campaign: Campaign) -> Campaign:
    """The campaign itself.

    Raises:
        InputError: It cannot be kept, could never show or cost anything, or ends before it begins.
    """
    codec.check_id(campaign.id, "campaign")
    where = f"campaign {campaign.id!r}"
    if "/" in campaign.id:
        raise InputError("The id has a slash.", where=where, cure="Leave it out: ids stand in addresses.")
    check_words(campaign.name, f"{where}, name", LONGEST_NAME)
    check_when(campaign.when, where)
    for name in (campaign.advertiser, *campaign.items):
        codec.check_id(name, where, "advertiser" if name == campaign.advertiser else "item")
    codec.check_texts((campaign.advertiser, *campaign.items, *campaign.surfaces), "campaign", campaign.id)
    if not 0 < len(campaign.items) <= _ITEMS or len(set(campaign.items)) < len(campaign.items):
        raise InputError(
            f"There are {len(campaign.items)} items, {len(set(campaign.items))} of them different.",
            where=f"{where}, items",
            cure=f"Name 1 to {_ITEMS} items, each once.",
        )
    if not _CURRENCY.fullmatch(campaign.currency):
        raise InputError("This is no currency.", where=f"{where}, currency", cure="Write three capitals, e.g. EUR.")
    for name, amount in (
        ("bid", campaign.bid),
        ("daily_budget", campaign.daily_budget),
        ("total_budget", campaign.total_budget),
    ):
        _check_money(amount, campaign.bid, f"{where}, {name}")
    if len(campaign.surfaces) > _SURFACES or not all(campaign.surfaces):
        raise InputError("A surface has no name, or there are too many.", where=f"{where}, surfaces", cure="Name some.")
    if campaign.daily_cap is not None and campaign.daily_cap < 1:
        raise InputError(
            "It could never be shown.", where=f"{where}, daily_cap", cure="Allow one showing, or leave the cap out."
        )
    return campaign


def check_overlap(campaign: Campaign, others: Iterable[Campaign]) -> None:
    """Refuse a campaign that would bid against another one of its advertiser.

    Raises:
        InputError: Another one shows one of its items at the same time.
    """
    start, end = _period(campaign)
    for other in others:
        shared = sorted(set(campaign.items) & set(other.items))
        begins, ends = _period(other)
        if other.id != campaign.id and other.advertiser == campaign.advertiser and shared:
            if start >= ends or begins >= end:
                continue
            raise InputError(
                f"Campaign {other.id!r} of the same advertiser shows {shared[0]!r} at the same time.",
                where=f"campaign {campaign.id!r}, items",
                cure="Let one end before the other starts, or show each item in one of them.",
            )


def _period(campaign: Campaign) -> tuple[datetime, datetime]:
    return campaign.when.start or _EVER[0], campaign.when.end or _EVER[1]


def _check_money(amount: float | None, bid: float, where: str) -> None:
    if amount is None:
        return
    if not (math.isfinite(amount) and 0 < amount <= _LARGEST):
        raise InputError(f"{amount} is no amount to pay.", where=where, cure="Give a number above 0.")
    if amount < bid:
        raise InputError(f"The budget is below the bid of {bid:g}.", where=where, cure="Raise it, or lower the bid.")
