"""Days and weeks are those of the shop's time zone: Shanghai's weekend, Berlin's summer time, and names that are no zone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper import settings as settings_module
from shopkeeper.errors import SettingsError
from shopkeeper.settings import ListenSettings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.listen.alarms import Alarms
from shopkeeper.tasks.listen.counts import HOUR, QUARTER, Series
from shopkeeper.tasks.listen.reading import Reading
from shopkeeper.tasks.listen.rhythm import WEEK, fit
from shopkeeper.tasks.listen.surges import Surges
from shopkeeper.tasks.listen.wall import WallClock

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "Antarctica/Troll"]  # fmt: skip
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
"""Clocks in Berlin go from two to three."""
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""Clocks in Berlin go from three back to two."""


def hour_of(moment: datetime) -> int:
    return int(moment.timestamp()) // 3_600


def lived(zone: ZoneInfo, start: datetime, hours: int, rate: Callable[[datetime], float]) -> np.ndarray:
    """Rates of the hours from `start` on, by the clock on the wall, float (hours,)."""
    return np.array([rate((start + timedelta(hours=hour)).astimezone(zone)) for hour in range(hours)])


def morning(wall: datetime) -> float:
    """People write between seven and nine, twice as much on Saturdays and Sundays."""
    return (30.0 if 7 <= wall.hour < 9 else 2.0) * (2 if wall.weekday() >= 5 else 1)


def fed(surges: Surges, counts: np.ndarray, start: datetime, first: int, last: int) -> None:
    """Count the hours [first, last) of some series, in equal parts of each quarter."""
    there = [(hour, row) for hour in range(first, last) for row in np.flatnonzero(counts[:, hour]).tolist()]
    surges.add(
        [start + timedelta(hours=hour, seconds=QUARTER * part) for hour, _ in there for part in range(HOUR)],
        [(Series("topic", str(row)),) for _, row in there for _ in range(HOUR)],
        [float(counts[row, hour]) / HOUR for hour, row in there for _ in range(HOUR)],
        start + timedelta(hours=last),
    )


@given(st.sampled_from(ZONES), st.datetimes(datetime(2015, 1, 1), datetime(2034, 1, 1)))
def test_the_hour_of_the_week_is_the_one_on_the_wall(name: str, moment: datetime):
    zone = ZoneInfo(name)
    first = hour_of(moment.replace(tzinfo=UTC))
    local = WallClock(zone).local(first + np.arange(30)) % WEEK
    for place, found in enumerate(local.tolist()):
        wall = datetime.fromtimestamp((first + place) * 3_600, zone)
        assert found == (wall.weekday() - 3) % 7 * 24 + wall.hour, "the first of January 1970 was a Thursday"


def test_a_zone_without_summer_time_is_a_shift():
    rng = np.random.default_rng(1)
    counts = rng.poisson(3, (4, 15 * 24)).astype(float)
    trusted = np.ones(counts.shape, dtype=bool)
    first = hour_of(SPRING)
    there, here = fit(counts, trusted, first, WallClock(SHANGHAI)), fit(counts, trusted, first + 8)
    assert there.rhythm == pytest.approx(here.rhythm)
    assert there.level == pytest.approx(here.level)
    hours = first + np.arange(15 * 24, 16 * 24)
    assert there.expected(hours) == pytest.approx(here.expected(hours + 8))


def test_the_weekend_of_shanghai_is_learnt_sooner_by_its_own_days():
    start = datetime(2026, 1, 5, tzinfo=UTC)
    rate = np.tile(lived(SHANGHAI, start, 24 * 24, morning), (8, 1))
    rng = np.random.default_rng(2)
    seen = rng.poisson(rate[:, : 10 * 24]).astype(float)
    trusted = np.ones(seen.shape, dtype=bool)
    first = hour_of(start)
    later = np.arange(10 * 24, 24 * 24)
    wrong = [
        np.abs(fit(seen, trusted, first, clock).expected(first + later) - rate[:, later]).mean()
        for clock in (WallClock(SHANGHAI), WallClock())
    ]
    assert wrong[0] < 0.9 * wrong[1]


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_after_the_change_of_clocks_the_morning_is_where_people_live_it(change: datetime):
    start = change - timedelta(days=21)
    rate = lived(BERLIN, start, 28 * 24, morning)
    seen = np.random.default_rng(3).poisson(np.tile(rate[: 21 * 24 + 30], (6, 1))).astype(float)
    trusted = np.ones(seen.shape, dtype=bool)
    week = np.arange(23 * 24, 28 * 24)
    first = hour_of(start)
    by_wall, by_utc = (fit(seen, trusted, first, clock).expected(first + week).mean(0) for clock in (WallClock(BERLIN), WallClock()))  # fmt: skip
    assert np.abs(by_wall - rate[week]).mean() < 0.2 * rate[week].mean()
    assert np.abs(by_utc - rate[week]).mean() > 0.4 * rate[week].mean()


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_the_change_of_clocks_is_no_surge_and_hides_none(change: datetime):
    start = change - timedelta(days=21)
    hours = 27 * 24
    rate = np.tile(lived(BERLIN, start, hours, morning), (4, 1))  # too few series to tell what all do
    counts = np.random.default_rng(4).poisson(rate).astype(float)
    storm = 25 * 24
    counts[2, storm : storm + 2] += 60

    def told(zone: ZoneInfo) -> set[tuple[str, int]]:
        surges = Surges(zone=zone)
        fed(surges, counts, start, 0, 21 * 24)
        found = set()
        for hour in range(21 * 24, hours):
            fed(surges, counts, start, hour, hour + 1)
            rising = surges.look(start + timedelta(hours=hour + 1))
            found |= {(surge.series.name, hour // 24) for surge in rising}
        return found

    by_wall = told(BERLIN)
    assert ("2", 25) in by_wall
    assert {day for _, day in by_wall if day < 25} == set(), "the days around the change are quiet"
    assert len(told(ZoneInfo("UTC"))) > len(by_wall), "in UTC each morning comes at another hour than it did"


def test_the_watch_lives_in_the_zone_of_the_settings(tmp_path: Path):
    start = datetime(2026, 1, 5, tzinfo=UTC)
    end = start + timedelta(days=15)
    rng = np.random.default_rng(5)
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        readings = [
            Reading(post=f"p{hour}-{n}", time=start + timedelta(hours=hour, seconds=n), topics=("late",))
            for hour in range(15 * 24)
            for n in range(rng.poisson(morning((start + timedelta(hours=hour)).astimezone(SHANGHAI))))
        ]
        store.readings.put(reading.document() for reading in readings)
        alarms = Alarms(store, ListenSettings(zone="Asia/Shanghai"), moment=end)
        alarms.look(end)
        (course,) = alarms.courses([Series("topic", "late")], end - timedelta(days=1), end, 1)
    busiest = {int(hour) for hour in np.argsort(-course.expected)[:2]}
    assert busiest == {23, 0}, "seven and eight in the morning in Shanghai"


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "Europe", "../etc/passwd", "/etc/passwd", "UTC+8", "\x00"])
def test_a_name_that_is_no_zone(tmp_path: Path, name: str):
    with pytest.raises(SettingsError, match="IANA") as caught:
        settings_module.load(tmp_path, environ={}, overrides={"listen.zone": name})
    assert caught.value.where == "listen.zone"
    assert settings_module.load(tmp_path, environ={"SHOPKEEPER_LISTEN__ZONE": "Asia/Shanghai"}).listen.zone
