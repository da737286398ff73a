"""The desk where alerts about what people write are read and answered, with charts drawn on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import InputError
from shopkeeper.records import now
from shopkeeper.serving.alerting import alerts_of, posts_of
from shopkeeper.serving.desk import Desk
from shopkeeper.tasks.listen.alerts import answer
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.reading import BY
from shopkeeper.web import charts
from shopkeeper.web.actions import Form, posted
from shopkeeper.web.charts import Chart
from shopkeeper.web.helpdesk import door_of
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.staff import Staff, check_token
from shopkeeper.web.view import render
from shopkeeper.web.visits import Trail, Visit

router = APIRouter(prefix="/desk/opinions", route_class=PageRoute, include_in_schema=False)

_NOTHING = Trail({}, (), "")
_DAYS: Final = 30
PERIODS: Final[Mapping[int, int]] = {2: 1, 7: 6, 30: 24}
"""Hours of a step for each period in days."""
_CHARTS: Final = 8
_ALERTS, _MOST_ALERTS = 20, 1_000
_POSTS: Final = 4
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("What people write", "舆情"),
    "alerts": ("Alerts", "预警"),
    "none": ("No alert in the last 30 days.", "最近 30 天没有预警。"),
    "charts": ("What is written about most", "讨论最多的"),
    "split": ("By", "按"),
    "days": ("days", "天"),
    "quiet": ("Nothing was written about that in this time.", "这段时间没有相关内容。"),
    "all": ("posts", "条数"),
    "bad": ("complaints", "投诉"),
    "usual": ("expected", "预期"),
    "within": ("where 95 in 100 counts lie", "95% 的正常范围"),
    "mark": ("alert", "预警"),
    "unknown": ("What is usual is not known yet: that takes two days of posts.", "还不知道通常水平：需要两天的内容。"),
    "note": (
        "Copies of a post count by the logarithm of their number, as they do for alerts. Times are of",
        "转载按数量的对数计，与预警一致。时区：",
    ),
    "step_1": ("Each point is an hour.", "每个点为一小时。"),
    "step_6": ("Each point is six hours.", "每个点为六小时。"),
    "step_24": ("Each point is a day.", "每个点为一天。"),
    "table": ("As a table", "表格"),
    "time": ("from", "起始时间"),
    "between": ("usual range", "正常范围"),
    "top": ("at most", "最高"),
    "rose": ("rose to", "升级为"),
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
}
BY_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "topic": ("topics", "话题"),
    "brand": ("brands", "品牌"),
    "item": ("products", "商品"),
    "source": ("sources", "来源"),
    "entity": ("names", "名称"),
    "risk": ("risks", "风险"),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One of the charts.

    Attributes:
        series: What is counted.
        name: In the visitor's language.
        total: Posts in the period, copies by the logarithm of their number.
        most: Of the highest step.
        alerts: Those about it that were raised in the period.
        chart: As drawn.
    """

    series: Series
    name: str
    total: float
    most: float
    alerts: Sequence[Mapping[str, Any]]
    chart: Chart


@dataclass(frozen=True, slots=True)
class View:
    """What the charts are of: one of `BY`, and one of `PERIODS` in days."""

    by: str
    days: int

    @classmethod
    def asked(cls, request: Request) -> View:
        """What the address asks for; topics of a week where it makes no sense."""
        by, days = request.query_params.get("by", ""), request.query_params.get("days", "")
        return cls(by if by in BY else BY[0], int(days) if days in map(str, PERIODS) else 7)

    def address(self, **changes: Any) -> str:
        """The page with something else chosen."""
        other = replace(self, **changes)
        return f"/desk/opinions?by={other.by}&days={other.days}#charts"


@router.get("")
async def opinions(request: Request) -> Response:
    """Alerts and charts; the door for those who have not come in."""
    staff = door_of(request).known(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    return await page(request, lambda desk, visit: _page(desk, visit, staff, View.asked(request)))


@router.post("/{alert}")
async def say(request: Request, alert: str) -> Response:
    """What a human says of an alert."""
    form = await posted(request)
    staff = door_of(request).known(request)
    if staff is None:
        return RedirectResponse("/desk", 303)
    check_token(staff, form.get("token", ""))
    return await page(request, lambda desk, _: _said(desk, staff, alert, form))


def _page(desk: Desk, visit: Visit, staff: Staff, view: View) -> Response:
    store = desk.shop.store
    zone = ZoneInfo(desk.shop.settings.listen.zone)
    place = int(visit.language == "zh")
    found = alerts_of(store, days=_DAYS, limit=_MOST_ALERTS)
    posts = posts_of(store, found[:_ALERTS])
    alerts = [{**one, "shown": posts[one["id"]][:_POSTS]} for one in found[:_ALERTS]]
    return render(
        "desk_opinions.html",
        desk,
        visit,
        _NOTHING,
        here=view.address().partition("#")[0],
        staff=staff,
        alerts=alerts,
        topics=_topics(desk, visit.language, view, found, zone),
        view=view,
        by={name: BY_WORDS[name][place] for name in BY},
        periods=PERIODS,
        w={key: both[place] for key, both in WORDS.items()},
        zone=zone,
        local=lambda moment: datetime.fromisoformat(moment).astimezone(zone),
        frame=charts,
    )


def _topics(desk: Desk, language: str, view: View, alerts: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> list[Topic]:
    """What was written about most, over whole hours."""
    hours = PERIODS[view.days]
    end = now().replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=view.days)
    watch = desk.shop.alarms
    largest = watch.largest(view.by, start, end, _CHARTS)
    courses = watch.courses([*largest, *(replace(one, negative=True) for one in largest)], start, end, hours)
    names = _names(desk, largest)
    topics = []
    for place, series in enumerate(largest):
        every, bad = courses[place], courses[place + len(largest)]
        about = [
            one
            for one in alerts
            if datetime.fromisoformat(one["raised"]) >= start
            and any((other["by"], other["name"]) == (series.by, series.name) for other in one["series"])
        ]
        moments = [datetime.fromisoformat(one["raised"]) for one in about]
        topics.append(
            Topic(
                series,
                names.get(series.name, (series.name, series.name))[language == "zh"],
                float(every.seen.sum()),
                float(every.seen.max(initial=0)),
                about,
                charts.chart(every, bad, start, hours, moments, zone),
            )
        )
    return topics


def _names(desk: Desk, series: Sequence[Series]) -> Mapping[str, tuple[str, str]]:
    """English and Chinese names of topics and risks, titles of products."""
    if all(one.by in ("topic", "risk") for one in series):
        return desk.shop.listen.names()
    items = desk.shop.store.catalogue.get([one.name for one in series if one.by in ("item", "entity")])
    return {name: (item.title, item.title) for name, item in items.items()}


def _said(desk: Desk, staff: Staff, alert: str, form: Form) -> Response:
    label = form.get("label", "")
    if label not in ("right", "false", "mute"):
        raise InputError("That is no answer to an alert.", where="label", cure="Press one of the buttons.")
    answer(desk.shop.store, alert, label, rater=staff.name)
    return RedirectResponse("/desk/opinions", 303)
