"""The desk where alerts about what people write are read and answered, with charts drawn on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import InputError
from shopkeeper.records import now
from shopkeeper.serving.alerting import alert_with_posts, alerts_of
from shopkeeper.serving.desk import Desk
from shopkeeper.tasks.listen.alerts import answer
from shopkeeper.tasks.listen.series import heard, series
from shopkeeper.tasks.listen.words import RISKS, names_of, topics_for
from shopkeeper.web.actions import Form, posted
from shopkeeper.web.helpdesk import door_of
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.staff import Staff, check_token
from shopkeeper.web.view import render
from shopkeeper.web.visits import Trail, Visit

router = APIRouter(prefix="/desk/opinions", route_class=PageRoute, include_in_schema=False)

_NOTHING = Trail({}, (), "")
_DAYS: Final = 30
_CHARTED: Final = timedelta(days=7)
_STEP: Final = timedelta(hours=3)
_CHARTS: Final = 8
_ALERTS: Final = 20
_POSTS: Final = 4
_WIDTH, _HEIGHT = 280, 60
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("What people write", "舆情"),
    "alerts": ("Alerts", "预警"),
    "none": ("No alert in the last 30 days.", "最近 30 天没有预警。"),
    "charts": ("Topics of the last seven days", "最近七天的话题"),
    "quiet": ("Nothing was written in the last seven days.", "最近七天没有内容。"),
    "all": ("posts", "全部"),
    "bad": ("complaints", "投诉"),
    "lasts": ("lasts", "持续中"),
    "over": ("over", "已结束"),
    "high": ("serious", "严重"),
    "medium": ("worth a look", "值得关注"),
    "low": ("minor", "轻微"),
    "posts": ("posts", "条"),
    "copies": ("without copies", "去重后"),
    "expected": ("expected", "通常"),
    "authors": ("authors", "位作者"),
    "chance": ("chance", "偶然概率"),
    "evidence": ("Posts", "相关内容"),
    "right": ("Right", "属实"),
    "false": ("Nothing was wrong", "误报"),
    "mute": ("Mute for a week", "静音一周"),
    "said": ("Answered", "已反馈"),
    "most": ("most in three hours", "三小时最多"),
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One topic over seven days.

    Attributes:
        name: In the visitor's language.
        posts: How many.
        most: Of the highest step.
        every: Points of a polyline, for all posts.
        bad: The same for complaints.
    """

    name: str
    posts: int
    most: int
    every: str
    bad: str


@router.get("")
async def opinions(request: Request) -> Response:
    """Alerts and charts; the door for those who have not come in."""
    staff = door_of(request).known(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    return await page(request, lambda desk, visit: _page(desk, visit, staff))


@router.post("/{alert}")
async def say(request: Request, alert: str) -> Response:
    """What a human says of an alert."""
    form = await posted(request)
    staff = door_of(request).known(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    check_token(staff, form.get("token", ""))
    return await page(request, lambda desk, _: _said(desk, staff, alert, form))


def points(values: Sequence[float], most: float) -> str:
    """Points of a polyline, as wide and high as a chart.

    >>> points([0, 1], 2)
    '0.0,60.0 280.0,30.0'
    """
    across = _WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{place * across:.1f},{_HEIGHT * (1 - value / max(most, 1)):.1f}" for place, value in enumerate(values)
    )


def _page(desk: Desk, visit: Visit, staff: Staff) -> Response:
    store = desk.shop.store
    alerts = []
    for found in alerts_of(store, days=_DAYS, limit=_ALERTS):
        _, passages = alert_with_posts(store, found["id"])
        alerts.append({**found, "shown": passages[:_POSTS]})
    place = visit.language == "zh"
    words = {key: both[place] for key, both in WORDS.items()}
    return render(
        "desk_opinions.html",
        desk,
        visit,
        _NOTHING,
        here="/desk/opinions",
        staff=staff,
        alerts=alerts,
        charts=_charts(desk, visit.language, now()),
        w=words,
        width=_WIDTH,
        height=_HEIGHT,
    )


def _charts(desk: Desk, language: str, end: datetime) -> list[Chart]:
    listen = desk.shop.settings.listen
    names = names_of((*RISKS, *topics_for(listen.mode, listen.topics)))
    start = end - _CHARTED
    table = series(heard(desk.shop.store.readings, start, end), "topic", start, end, _STEP, _CHARTS)
    charts = []
    for (key,), part in table.group_by("key", maintain_order=True):
        every, bad = part["posts"].to_list(), part["negative"].to_list()
        most = max(every, default=0)
        name = names.get(str(key), (str(key), str(key)))[language == "zh"]
        charts.append(Chart(name, sum(every), most, points(every, most), points(bad, most)))
    return sorted(charts, key=lambda chart: -chart.posts)


def _said(desk: Desk, staff: Staff, alert: str, form: Form) -> Response:
    label = form.get("label", "")
    if label not in ("right", "false", "mute"):
        raise InputError("That is no answer to an alert.", where="label", cure="Press one of the buttons.")
    answer(desk.shop.store, alert, label, rater=staff.name)
    return RedirectResponse("/desk/opinions", 303)
