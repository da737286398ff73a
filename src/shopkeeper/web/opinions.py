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
        by=BY,
        periods=PERIODS,
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
