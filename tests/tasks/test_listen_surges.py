"""Counting, what is usual, and what rises beyond it: known answers, brute force at toy size, odd clocks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shopkeeper.tasks.listen.counts import DAY, QUARTER, Counts, Series
from shopkeeper.tasks.listen.course import band
from shopkeeper.tasks.listen.rhythm import dispersion, fit
from shopkeeper.tasks.listen.surges import Surges
from shopkeeper.tasks.listen.tails import Thresholds, _slow, common_factor, log_tail, scores

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
FIRST = int(START.timestamp()) // QUARTER
A, B = Series("topic", "a"), Series("topic", "b", negative=True)


def moment(slot: int) -> datetime:
    return START + timedelta(seconds=QUARTER * slot)


def rates(series: int, days: int, level: float = 8.0) -> np.ndarray:
    """Posts a quarter-hour with a rhythm of the day and the weekend, float (series, slots)."""
    slots = np.arange(days * DAY)
    rhythm = (1 + 0.7 * np.sin(2 * np.pi * slots / DAY)) * np.where(slots // DAY % 7 >= 5, 1.5, 0.8)
    return np.tile(level / 4 * rhythm, (series, 1))


def filled(counts: np.ndarray, **options: object) -> Surges:
    surges = Surges(**options)
    feed(surges, counts, 0, counts.shape[1])
    return surges


def feed(surges: Surges, counts: np.ndarray, start: int, end: int) -> None:
    there = [(slot, row) for slot in range(start, end) for row in np.flatnonzero(counts[:, slot]).tolist()]
    surges.add(
        [moment(slot) for slot, _ in there],
        [(Series("topic", str(row)),) for _, row in there],
        [float(counts[row, slot]) for slot, row in there],
        moment(end),
    )


@given(st.floats(0, 60), st.floats(0.01, 40), st.floats(0.001, 2))
def test_tails_agree_with_scipy_at_whole_counts(seen: float, usual: float, scatter: float):
    count = float(int(seen))
    size = 1 / scatter
    expected = stats.nbinom.sf(count - 1, size, size / (size + usual)) if count else 1.0
    found = float(log_tail(np.array([count]), np.array([usual]), np.array([scatter]))[0])
    assert found == pytest.approx(-np.log(expected), rel=1e-6, abs=1e-6)
    if count:
        poisson = float(log_tail(np.array([count]), np.array([usual]), np.array([0.0]))[0])
        assert poisson == pytest.approx(-stats.poisson.logsf(count - 1, usual), rel=1e-6, abs=1e-6)


def test_tails_fall_in_between_whole_counts_and_never_end():
    seen = np.linspace(1, 400, 800)
    found = log_tail(seen, np.full(800, 0.5), np.full(800, 0.05))
    assert np.all(np.diff(found) >= 0)
    assert np.all(np.isfinite(log_tail(np.array([1e6]), np.array([1e-3]), np.array([0.0]))))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.floats(0.2, 5), st.floats(0, 1))
def test_the_slow_sum_is_pages_recursion(counts: list[int], usual: float, scatter: float):
    seen, told = np.array([counts], dtype=float), np.full((1, len(counts)), usual)
    sums, run = _slow(seen, told, np.array([[scatter]]))
    size = 1 / max(scatter, 1e-4)
    total, since = 0.0, 0
    for place, count in enumerate(counts):
        gain = count * np.log(1.4 * (size + usual) / (size + 1.4 * usual))
        total = max(0.0, total + min(1.5, gain - size * np.log((size + 1.4 * usual) / (size + usual))))
        since = place + 1 if total == 0 else since
        assert sums[0, place] == pytest.approx(total, abs=1e-6)
    if total > 1e-6:
        assert run[0] == len(counts) - since


def test_level_rhythm_and_growth_are_found_in_spite_of_a_surge():
    rng = np.random.default_rng(1)
    hours = np.arange(28 * 24)
    rhythm = 1 + 0.7 * np.sin(2 * np.pi * hours / 24)
    level = np.array([20.0, 20.0, 2.0])[:, None] * rhythm * np.exp(np.array([0, 0.01, 0])[:, None] * hours / 24)
    counts = rng.poisson(level).astype(float)
    counts[0, 400:448] *= 20
    found = fit(counts, np.ones(counts.shape, dtype=bool), 24 * 4)
    later = 24 * 4 + np.arange(28 * 24, 29 * 24)
    expected = np.array([20.0, 20.0, 2.0])[:, None] * rhythm[:24] * np.exp(np.array([[0], [0.28], [0]]))
    assert np.abs(found.expected(later) / expected - 1).mean(1) == pytest.approx([0, 0, 0], abs=0.15)
    assert found.growth[1] == pytest.approx(0.01, abs=0.006)
    assert found.scatter[1][1] < 0.02


def test_masked_hours_do_not_count():
    counts = np.full((2, 14 * 24), 10.0)
    counts[0, -72:] = 50
    trusted = np.ones(counts.shape, dtype=bool)
    trusted[0, -72:] = False
    level = fit(counts, trusted, 0).expected(np.arange(14 * 24, 15 * 24)).mean(1)
    assert level == pytest.approx([10, 10], rel=0.1)


@pytest.mark.parametrize("scatter", [0.0, 0.1, 0.5])
def test_scatter_is_estimated(scatter: float):
    rng = np.random.default_rng(2)
    usual = np.full((40, 500), 12.0)
    rate = usual * (rng.gamma(1 / scatter, scatter, usual.shape) if scatter else 1)
    found = dispersion(rng.poisson(rate).astype(float), usual, np.ones(usual.shape))
    assert found.mean() == pytest.approx(scatter, rel=0.15, abs=0.02)


def test_what_all_have_in_common_is_no_surge():
    usual = np.full((30, 48), 10.0)
    seen = usual.copy()
    seen[:, 24:] *= 1.6
    seen[3, 40:] *= 5
    factor = common_factor(seen, usual)
    assert factor[:24] == pytest.approx(1)
    assert factor[30:] == pytest.approx(1.6)
    assert common_factor(seen[:4], usual[:4]) == pytest.approx(1), "four series are no crowd"


def test_nothing_is_told_before_two_days_are_known():
    surges = Surges()
    assert surges.look(START) == []
    assert surges.ready(START) == START + timedelta(days=2)
    feed(surges, np.random.default_rng(3).poisson(rates(3, 3)), 0, DAY)
    assert surges.look(moment(DAY)) == []
    assert surges.ready(moment(DAY)) == START + timedelta(days=2)
    assert surges.ready(moment(3 * DAY)) is None


@pytest.fixture(scope="module")
def quiet() -> np.ndarray:
    return np.random.default_rng(4).poisson(rates(20, 24)).astype(float)


def test_a_surge_is_found_where_it_is_and_only_there(quiet: np.ndarray):
    counts = quiet.copy()
    counts[7, 20 * DAY : 20 * DAY + 6] += 15
    surges = filled(counts[:, : 20 * DAY])
    assert surges.look(moment(20 * DAY)) == []
    feed(surges, counts, 20 * DAY, 20 * DAY + 4)
    found = surges.look(moment(20 * DAY + 4))
    assert [surge.series for surge in found] == [Series("topic", "7")]
    assert found[0].seen > 60 > 4 * found[0].expected
    assert found[0].end == moment(20 * DAY + 4)
    assert surges.look(moment(20 * DAY + 4)) == found, "looking again changes nothing"


def test_a_slow_rise_is_found_by_the_sum(quiet: np.ndarray):
    counts = quiet.copy()
    more = np.random.default_rng(5).poisson(
        rates(1, 24)[0] * np.clip((np.arange(24 * DAY) - 20 * DAY) / (2 * DAY), 0, 0.8)
    )
    counts[3] += more
    surges = filled(counts[:, : 20 * DAY])
    found = {}
    for day in np.arange(20, 24, 0.25):
        feed(surges, counts, int((day - 0.25) * DAY) if day > 20 else 20 * DAY, int(day * DAY))
        for surge in surges.look(moment(int(day * DAY))):
            found.setdefault(surge.series.name, (day, surge.detector))
    assert list(found) == ["3"]
    assert found["3"][0] <= 23


def test_few_posts_are_no_surge_and_a_new_name_can_be_one(quiet: np.ndarray):
    surges = filled(quiet[:, : 20 * DAY])
    assert surges.look(moment(20 * DAY)) == []
    now = moment(20 * DAY + 1)
    new, rare = Series("entity", "new"), Series("entity", "rare")
    times = [moment(20 * DAY)] * 14
    surges.add(times, [(new,)] * 10 + [(rare,)] * 4, [1.0] * 14, now)
    assert surges.look(now - timedelta(minutes=15)) == []
    assert [surge.series for surge in surges.look(now)] == [new]


def test_after_a_surge_what_is_usual_is_what_it_was(quiet: np.ndarray):
    counts = quiet.copy()
    counts[2, 18 * DAY : 20 * DAY] *= 6
    surges = filled(counts[:, : 18 * DAY])
    for slot in range(18 * DAY, 21 * DAY, 12):
        feed(surges, counts, slot, slot + 12)
        surges.look(moment(slot + 12))
    (course,) = surges.courses([Series("topic", "2")], moment(18 * DAY), moment(20 * DAY), 1)
    assert course.seen.sum() == counts[2, 18 * DAY : 20 * DAY].sum()
    assert course.expected.sum() == pytest.approx(rates(1, 20)[0, 18 * DAY :].sum(), rel=0.2)


def test_a_week_of_it_is_the_new_usual(quiet: np.ndarray):
    counts = quiet.copy()
    counts[2, 12 * DAY :] *= 3
    surges = filled(counts[:, : 12 * DAY])
    alarmed = []
    for slot in range(12 * DAY, 24 * DAY, 24):
        feed(surges, counts, slot, slot + 24)
        alarmed += [slot // DAY for surge in surges.look(moment(slot + 24)) if surge.series.name == "2"]
    assert alarmed[0] == 12
    assert alarmed[-1] < 23


def test_quiet_streams_alarm_as_seldom_as_was_asked():
    rng = np.random.default_rng(6)
    days = 35
    rate = rates(30, days) * rng.gamma(10, 0.1, (30, days * DAY))
    counts = rng.poisson(rate).astype(float)
    surges = filled(counts[:, : 21 * DAY])
    alarms: dict[str, int] = {}
    count = 0
    for slot in range(21 * DAY, days * DAY, 16):
        feed(surges, counts, slot, slot + 16)
        for surge in surges.look(moment(slot + 16)):
            count += slot - alarms.get(surge.series.name, -(10**6)) > DAY
            alarms[surge.series.name] = slot
    assert count <= 6, "two weeks at one a week"


def test_what_people_said_moves_the_threshold(quiet: np.ndarray):
    counts = quiet.copy()
    counts[7, 20 * DAY - 4 : 20 * DAY] += 5
    surges = filled(counts[:, : 20 * DAY])
    found = surges.look(moment(20 * DAY))
    assert len(found) == 1
    surges.heed({found[0].series: 100.0})
    strict = surges.look(moment(20 * DAY))
    assert not strict or strict[0].excess == pytest.approx(found[0].excess / 4)
    surges.heed({found[0].series: 0.9})
    assert surges.look(moment(20 * DAY))[0].excess == pytest.approx(found[0].excess / 0.9)


def test_late_early_and_ancient_posts_and_a_clock_that_goes_back():
    counts = Counts()
    now = moment(40 * DAY)
    row = np.array([0])
    assert counts.add([now], [(A,)], [1.0], now) == 0
    late, ancient, ahead, far = (now - timedelta(days=20), now - timedelta(days=60), now + timedelta(hours=20), now + timedelta(days=3))  # fmt: skip
    assert counts.add([late, ancient, ahead, far], [(A,)] * 4, [1.0] * 4, now) == 2
    slots = np.array([int(time.timestamp()) // QUARTER for time in (now, late, ahead)])
    assert counts.weighed(row, slots).tolist() == [[1, 1, 1]]
    counts.add([late], [(A, B)], [0.5], now - timedelta(days=10))
    assert counts.weighed(np.array([0, 1]), slots).tolist() == [[1, 1.5, 1], [0, 0.5, 0]]
    assert counts.posts(0, slots) == 4
    counts.advance(now + timedelta(days=400))
    assert not counts.weighed(row, slots).any()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from([A, B]), st.floats(0.1, 5)), max_size=40), st.randoms())
def test_the_order_of_arrival_does_not_matter(posts: list[tuple[int, Series, float]], random):
    def held(order: list[tuple[int, Series, float]]) -> dict[Series, list[float]]:
        counts = Counts()
        counts.add([moment(0)], [(A, B)], [0.0], moment(300))
        for slot, series, weight in order:
            counts.add([moment(slot)], [(series,)], [weight], moment(300))
        slots = FIRST + np.arange(201)
        return {one: counts.weighed(np.array([row]), slots)[0].tolist() for one, row in counts.rows.items()}

    shuffled = list(posts)
    random.shuffle(shuffled)
    first, second = held(posts), held(shuffled)
    assert all(first[series] == pytest.approx(second[series]) for series in (A, B))


def test_silent_series_make_room():
    counts = Counts(most=4)
    names = [Series("topic", str(number)) for number in range(6)]
    counts.add([moment(0)] * 6, [(name,) for name in names], [1.0] * 6, moment(0))
    assert list(counts.rows) == names[:4]
    counts.add([moment(40 * DAY)], [(names[1],)], [2.0], moment(40 * DAY))
    counts.forget_silent()
    assert list(counts.rows) == [names[1]]
    assert counts.weighed(np.array([0]), np.array([FIRST + 40 * DAY])).tolist() == [[2]]


def test_a_few_old_posts_are_no_history():
    counts = Counts()
    counts.add([moment(0)], [(A,)], [1.0], moment(20 * DAY))
    busy = [moment(slot) for slot in range(15 * DAY, 20 * DAY)]
    counts.add(busy, [(A,)] * len(busy), [1.0] * len(busy), moment(20 * DAY))
    hour = (FIRST + 20 * DAY) // 4
    assert hour - counts.since(hour) == 5 * 24


def test_scores_of_the_last_slot_are_those_of_all():
    rng = np.random.default_rng(8)
    usual = np.full((5, 400), 3.0)
    seen = rng.poisson(usual).astype(float)
    seen[2, -3:] += 12
    parts = (np.full((4, 5), 0.05), np.full(5, 0.01), np.full(5, 0.02), 5.0)
    whole, last = scores(seen, usual, *parts), scores(seen, usual, *parts, last=True)
    assert whole.score[:, :, -1] == pytest.approx(last.score[:, :, 0])
    assert last.score[0, 2, 0] > 5 > last.score[0].min()


def test_thresholds_of_more_series_are_higher():
    few, many = (Thresholds.nominal(1.0, series).score for series in (10, 1_000))
    assert all(low < high for low, high in zip(few, many, strict=True))


def test_posts_without_any_series_are_no_trouble():
    surges = Surges()
    surges.add([moment(0)], [()], [1.0], moment(5 * DAY))
    assert surges.look(moment(5 * DAY)) == []


def test_courses_hold_what_was_counted_and_what_was_to_be_expected(quiet: np.ndarray):
    counts = quiet.copy()
    counts[7, 19 * DAY : 19 * DAY + 8] += 15
    surges = filled(counts[:, : 20 * DAY])
    start, end = moment(18 * DAY), moment(20 * DAY)
    (before,) = surges.courses([Series("topic", "7")], start, end, 6)
    assert np.isnan(before.expected).all(), "nobody has looked yet"
    surges.look(end)
    names = [Series("topic", "7"), Series("topic", "3"), Series("brand", "unknown")]
    for hours in (1, 6, 24):
        storm, calm, unknown = surges.courses(names, start, end + timedelta(minutes=50), hours)
        steps = counts[7, 18 * DAY : 20 * DAY].reshape(-1, 4 * hours).sum(1)
        assert storm.seen == pytest.approx(steps)
        assert np.all((storm.low <= storm.expected) & (storm.expected <= storm.high))
        inside = (calm.seen >= calm.low) & (calm.seen <= calm.high)
        assert inside.mean() >= 0.85
        if hours < 24:
            assert storm.seen[24 // hours] > storm.high[24 // hours]
        assert not unknown.seen.any()
    early = surges.courses(names, moment(-2 * DAY), moment(DAY), 24)[0]
    assert np.isnan(early.expected[:2]).all()
    assert early.expected[2] > 0
    assert surges.courses(names, end, end, 1)[0].seen.size == 0
    assert Surges().courses(names, start, end, 1)[0].seen.tolist() == [0.0] * 48


def test_what_is_counted_most_comes_first(quiet: np.ndarray):
    surges = filled(quiet[:, : 3 * DAY])
    surges.add([moment(0)], [(Series("topic", "3", negative=True), Series("brand", "x"))], [900.0], moment(3 * DAY))
    totals = quiet[:, DAY : 2 * DAY].sum(1)
    found = surges.largest("topic", moment(DAY), moment(2 * DAY), 4)
    assert [int(one.name) for one in found] == sorted(range(20), key=lambda row: (-totals[row], str(row)))[:4]
    assert surges.largest("brand", moment(DAY), moment(2 * DAY), 4) == []
    assert surges.largest("source", moment(0), moment(DAY), 4) == []


@given(st.floats(0.05, 300), st.floats(0, 1.5))
def test_the_band_holds_95_in_100(expected: float, spread: float):
    low, high = (float(end[0]) for end in band(np.array([expected]), np.array([spread])))
    size = 1 / max(spread, 1e-6)
    chance = stats.nbinom(size, size / (size + expected))
    assert chance.cdf(low - 1) <= 0.025 <= chance.cdf(low) + 1e-9
    assert chance.cdf(high - 1) <= 0.975 <= chance.cdf(high) + 1e-9
