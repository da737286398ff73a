"""From readings to alerts: grouped, named, told once, ended, answered by people, and none lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Item, Passage, PassageKind
from shopkeeper.settings import ListenSettings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.tasks.listen.alarms import Alarms
from shopkeeper.tasks.listen.alerts import TASK, Alert, alert_of, answer, feedback, severity
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.messages import Notice
from shopkeeper.tasks.listen.notice import Console
from shopkeeper.tasks.listen.reading import Concern, Reading
from shopkeeper.tasks.listen.steps import Step, escalated, level_of, steps_of
from shopkeeper.tasks.listen.summary import digest, headline, quotes
from shopkeeper.tasks.listen.together import named_first, series_of

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 12
STORM = START + timedelta(days=DAYS, hours=3)
LATE = ("The parcel is late again and nobody answers.", "My parcel came a week late.", "Still waiting for my parcel.")
NAMES = {"late": ("late parcels", "包裹延误")}


def post(number: int, time: datetime, text: str) -> Passage:
    return Passage(id=f"p{number}", kind=PassageKind.POST, text=text, time=time, source="forum")


def read(number: int, time: datetime, topic: str, sentiment: float, **more: object) -> Reading:
    return Reading(
        post=f"p{number}",
        time=time,
        topics=(topic,),
        sentiment=sentiment,
        source="forum",
        author=f"a{number % 97}",
        **more,
    )


def ordinary() -> list[Reading]:
    """Twelve days of five topics, some twenty posts an hour in all."""
    rng = np.random.default_rng(3)
    readings = []
    for hour in range(DAYS * 24 + 12):
        for topic in ("late", "price", "taste", "colour", "staff"):
            for _ in range(rng.poisson(4)):
                time = START + timedelta(hours=hour, seconds=float(rng.uniform(0, 3_599)))
                readings.append(read(len(readings), time, topic, float(rng.choice([-0.6, 0.4, 0.7]))))
    return readings


def storm(
    first: int = 100_000, count: int = 40, start: datetime = STORM, risk: str = "delivery", **more: object
) -> list[Reading]:
    return [read(first + n, start + timedelta(seconds=40 * n), "late", -0.9, risk=risk, **more) for n in range(count)]


@pytest.fixture(scope="module")
def past() -> list[Reading]:
    return ordinary()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


def watch(store: SqlStore, readings: list[Reading], now: datetime, **options: object) -> Alarms:
    store.readings.put(reading.document() for reading in readings if reading.time < now)
    return Alarms(
        store, ListenSettings(), moment=now, names=lambda: NAMES, channels=("webhook",), every=timedelta(0), **options
    )


def raised(store: SqlStore, past: list[Reading], **options: Any) -> tuple[Alarms, Alert]:
    alarms = watch(store, past, STORM)
    assert alarms.look(STORM) == []
    readings = storm(**options)
    store.words.put(post(100_000 + n, r.time, LATE[n % 3]) for n, r in enumerate(readings))
    store.readings.put(reading.document() for reading in readings)
    alarms.observe(readings, STORM + timedelta(minutes=30))
    (alert,) = alarms.look(STORM + timedelta(minutes=30))
    return alarms, alert


def test_a_storm_is_one_alert_that_says_what_it_is_about(store: SqlStore, past: list[Reading]):
    _, alert = raised(store, past)
    assert alert.series[0] == Series("topic", "late", negative=True)
    assert {Series("risk", "delivery"), Series("topic", "late")} <= set(alert.series)
    assert alert.posts >= 40 > 5 * alert.expected
    assert alert.weighed == pytest.approx(alert.posts, abs=0.01)
    assert alert.risk == "delivery"
    assert alert.negative == 1.0
    assert 0.3 < alert.severity < 1
    assert "late parcels" in alert.headline["en"]
    assert "包裹延误" in alert.headline["zh"]
    english, quoted = alert.summary["en"].split("\n")
    assert english.startswith("40 posts, 40 of them complaints; about: late parcels; ")
    assert "danger: delivery" in english
    assert quoted.split(". ")[0].rstrip(".") + "." in LATE
    chinese, untranslated = alert.summary["zh"].split("\n")
    assert chinese.startswith("40 条内容，40 条为投诉；话题：包裹延误；")
    assert untranslated == quoted, "without a post in Chinese, the posts' own language is quoted"
    assert {f"p{100_000 + n}" for n in range(40)} >= set(alert.evidence)
    waiting = store.labels.pending(TASK)
    assert [question.subject for question in waiting] == [alert.id]
    (row,) = store.alerts.open()
    assert alert_of(row) == alert
    assert steps_of(row) == (Step(alert.raised, alert.severity, {"webhook": {"state": "waiting"}}),)


def test_it_is_told_once_prolonged_and_ends(store: SqlStore, past: list[Reading]):
    alarms, alert = raised(store, past)
    later = storm(200_000, 80, STORM + timedelta(minutes=35))
    alarms.observe(later, STORM + timedelta(hours=2))
    assert alarms.look(STORM + timedelta(hours=1)) == []
    longer = alert_of(store.alerts.get([alert.id])[alert.id])
    assert longer.end > alert.end
    assert longer.posts > alert.posts
    assert not longer.ended
    alarms.look(STORM + timedelta(days=3))
    assert alert_of(store.alerts.get([alert.id])[alert.id]).ended


def worse(store: SqlStore) -> list[Reading]:
    """The storm goes on: four hundred more posts, and people are hurt."""
    start = STORM + timedelta(minutes=31)
    more = [read(500_000 + n, start + timedelta(seconds=4 * n), "late", -0.9, risk="safety") for n in range(400)]
    store.readings.put(reading.document() for reading in more)
    return more


def told(store: SqlStore, alert: Alert) -> tuple[Step, ...]:
    return steps_of(store.alerts.get([alert.id])[alert.id])


def test_what_becomes_graver_is_told_again(store: SqlStore, past: list[Reading]):
    alarms, alert = raised(store, past, count=20, risk="price")
    alarms.observe(worse(store), STORM + timedelta(hours=1))
    assert alarms.look(STORM + timedelta(hours=1)) == [], "no new alert"
    now = alert_of(store.alerts.get([alert.id])[alert.id])
    assert (alert.level, now.level) == ("medium", "high")
    first, second = told(store, alert)
    assert first == Step(alert.raised, alert.severity, {"webhook": {"state": "waiting"}})
    assert second == Step(STORM + timedelta(hours=1), now.severity, {"webhook": {"state": "waiting"}})
    for hours in (1.1, 2, 9):
        alarms.look(STORM + timedelta(hours=hours))
    assert told(store, alert) == (first, second)
    assert alert_of(store.alerts.get([alert.id])[alert.id]).severity >= now.severity, "as at its height"


def test_a_watch_that_starts_anew_tells_no_step_twice(store: SqlStore, past: list[Reading]):
    alarms, alert = raised(store, past, count=20, risk="price")
    alarms.observe(worse(store), STORM + timedelta(hours=1))
    alarms.look(STORM + timedelta(hours=1))
    before = told(store, alert)
    again = watch(store, past, STORM + timedelta(hours=1))
    for minutes in (60, 62, 90):
        assert again.look(STORM + timedelta(minutes=minutes)) == []
    assert told(store, alert) == before
    assert len(before) == 2


def test_what_became_graver_while_nobody_watched_is_told_by_the_next_watch(store: SqlStore, past: list[Reading]):
    _, alert = raised(store, past, count=20, risk="price")
    worse(store)
    again = watch(store, past, STORM + timedelta(hours=1))
    assert again.look(STORM + timedelta(hours=1)) == []
    assert [step.level for step in told(store, alert)] == ["medium", "high"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_every_level_is_told_once_and_in_order(severities: list[float]):
    steps: tuple[Step, ...] = ()
    for number, severity_now in enumerate(severities):
        steps = escalated(steps, severity_now, START + timedelta(hours=number), ("webhook",))
    levels = [("low", "medium", "high").index(step.level) for step in steps]
    assert levels == sorted(set(levels))
    assert steps[0].severity == severities[0]
    assert steps[-1].level == level_of(max(severities))


def test_a_clock_that_goes_back_and_late_posts_raise_nothing_twice(store: SqlStore, past: list[Reading]):
    alarms, _ = raised(store, past)
    assert alarms.look(STORM - timedelta(hours=5)) == []
    assert alarms.look(STORM + timedelta(minutes=30)) == []
    alarms.observe(storm(), STORM + timedelta(hours=1))
    assert alarms.look(STORM + timedelta(hours=1)) == [], "the same posts once more"
    assert len(list(store.alerts.scan())) == 1


def test_a_new_watch_knows_what_the_old_one_told(store: SqlStore, past: list[Reading]):
    _, alert = raised(store, past)
    again = watch(store, past, STORM + timedelta(minutes=40))
    assert again.look(STORM + timedelta(minutes=45)) == []
    assert [row.id for row in store.alerts.scan()] == [alert.id]


def test_copies_count_little(store: SqlStore, past: list[Reading]):
    alarms = watch(store, past, STORM)
    alarms.observe(storm(count=1), STORM)
    copies = [read(300_000 + n, STORM + timedelta(seconds=n), "late", -0.9, duplicate_of="p100000") for n in range(60)]
    alarms.observe(copies, STORM + timedelta(minutes=20))
    assert alarms.look(STORM + timedelta(minutes=30)) == []
    (course,) = alarms.courses([Series("topic", "late", True)], STORM, STORM + timedelta(hours=1), 1)
    usual = sum(r.time >= STORM and r.time < STORM + timedelta(hours=1) and r.sentiment < -0.25 and r.topics == ("late",) for r in past if r.time < STORM)  # fmt: skip
    assert course.seen[0] - usual == pytest.approx(1 + np.log(61), abs=0.01)


def test_mute_false_and_right(store: SqlStore, past: list[Reading]):
    _, alert = raised(store, past)
    with pytest.raises(InputError, match="not about"):
        answer(store, alert.id, "mute", series="topic:price")
    with pytest.raises(InputError, match="no answer"):
        answer(store, alert.id, "perhaps")
    with pytest.raises(InputError, match="muted for"):
        answer(store, alert.id, "mute", days=-1)
    with pytest.raises(NotFoundError):
        answer(store, "nothing", "false")
    answer(store, alert.id, "false", rater="night shift")
    assert feedback(store).strictness[alert.series[0]] == pytest.approx(1.3)
    answer(store, alert.id, "right")
    assert feedback(store).strictness[alert.series[0]] == pytest.approx(0.95)
    decision = answer(store, alert.id, "mute", series="topic:late", days=2)
    assert decision.time is not None
    heard = feedback(store)
    assert heard.silent(Series("topic", "late"), decision.time + timedelta(days=1))
    assert not heard.silent(Series("topic", "late"), decision.time + timedelta(days=3))
    assert not heard.silent(Series("risk", "delivery"), decision.time)
    assert heard.strictness[alert.series[0]] == pytest.approx(0.95), "a mute takes no judgement back"
    answer(store, alert.id, "mute", series="risk:delivery", days=2)
    answer(store, alert.id, "right")
    heard = feedback(store)
    assert all(heard.silent(Series(*one), decision.time) for one in (("topic", "late"), ("risk", "delivery")))


def test_what_another_process_read_is_counted_once(store: SqlStore, past: list[Reading]):
    alarms = watch(store, past, STORM)
    readings = storm()
    store.readings.put(reading.document() for reading in readings)
    (alert,) = alarms.look(STORM + timedelta(minutes=30))
    assert alert.series[0] == Series("topic", "late", negative=True)
    alarms.observe(readings, STORM + timedelta(minutes=31))
    assert alarms.look(STORM + timedelta(minutes=31)) == []
    (course,) = alarms.courses([alert.series[0]], STORM, STORM + timedelta(hours=1), 1)
    usual = sum(r.sentiment < -0.25 and r.topics == ("late",) and STORM <= r.time < STORM + timedelta(hours=1) for r in past if r.time < STORM)  # fmt: skip
    assert course.seen[0] == pytest.approx(usual + 40)


def test_an_erased_customer_is_quoted_no_longer_and_the_alert_stays(store: SqlStore, past: list[Reading]):
    _, alert = raised(store, past)
    quoted = store.words.get([alert.evidence[0]])[alert.evidence[0]]
    store.words.put([replace(quoted, customer="c9")])
    store.erase("c9")
    (row,) = store.alerts.get([alert.id]).values()
    after = alert_of(row)
    assert dict(after.summary) == {}
    assert after.headline == alert.headline
    out = StringIO()
    Console(out).send(Notice(after))
    assert "late parcels" in out.getvalue()


def test_what_is_muted_is_not_told(store: SqlStore, past: list[Reading]):
    alarms, alert = raised(store, past)
    answer(store, alert.id, "mute", days=300)
    far = STORM + timedelta(hours=60)
    alarms.observe(storm(400_000, 60, far), far + timedelta(hours=1))
    assert alarms.look(far + timedelta(hours=1)) == []


def test_an_item_that_names_the_matter_best_is_named_by_its_title(store: SqlStore, past: list[Reading]):
    store.catalogue.put([Item(id="kettle", title="Kettle <b>3000</b>")])
    alarms = watch(store, past, STORM)
    alarms.observe(storm(item="kettle", entities=(Concern("item", "kettle", -0.9),)), STORM)
    (alert,) = alarms.look(STORM + timedelta(minutes=30))
    assert alert.series[0].by == "item"
    assert "Kettle" in alert.headline["en"]
    assert alert.summary["en"].count("\n") == 0, "nothing to quote: the posts are not in the store"
    assert alert.summary["zh"].endswith("提到：Kettle <b>3000</b>。")


def test_readings_that_are_not_about_us_do_not_count(store: SqlStore, past: list[Reading]):
    alarms = watch(store, past, STORM)
    alarms.observe(storm(muted=True), STORM)
    assert alarms.look(STORM + timedelta(minutes=30)) == []


def test_two_looks_within_a_minute_are_one(store: SqlStore):
    alarms = Alarms(store, ListenSettings(), moment=STORM)
    assert alarms.look(STORM) == []
    assert alarms.ready(STORM) == STORM + timedelta(days=2)
    assert alarms.look(STORM + timedelta(seconds=30)) == []


def test_series_of_a_reading():
    reading = read(1, START, "late", 0.5, entities=(Concern("brand", "Acme", -0.9), Concern("company", "Bank", 0.2)))
    assert set(series_of(reading)) == {
        Series("topic", "late"),
        Series("brand", "Acme"),
        Series("brand", "Acme", negative=True),
        Series("entity", "Acme"),
        Series("entity", "Acme", negative=True),
        Series("entity", "Bank"),
        Series("source", "forum"),
    }


def test_the_most_specific_series_that_covers_most_names_it():
    source, topic, item = Series("source", "s"), Series("topic", "t"), Series("item", "i")
    assert named_first([(source, 1.0, 2), (topic, 0.9, 4), (item, 0.3, 50)]) == (topic, source, item)
    assert named_first([(source, 1.0, 2), (topic, 0.9, 4), (item, 0.8, 5)])[0] == item


def test_severity_grows_with_each_of_its_parts():
    base = {"posts": 40, "expected": 10, "negative": 0.4, "authors": 20, "risk": ""}
    for change in ({"posts": 80}, {"expected": 1}, {"negative": 0.9}, {"authors": 60}, {"risk": "safety"}):
        assert severity(**{**base, **change}) > severity(**base)
    assert severity(posts=0, expected=5, negative=1, authors=0, risk="safety") == 0


@pytest.mark.parametrize("texts", [[], [""], ["\x00\x01"], ["😀😀"], ["   "], ["!!!"]])
def test_nothing_to_say_is_said_with_nothing(texts: list[str]):
    assert quotes(texts, "en")[0] in ("", *texts)


def test_quotes_are_in_the_readers_language_where_there_are_any_and_repeat_nothing():
    texts = [
        "快递太慢了，等了一个星期。",
        "快递太慢了，等了一个星期。",
        "客服一直不回复消息。",
        "包装破了。",
        "Slow parcel, sorry.",
    ] * 3
    told, places = quotes(texts, "zh")
    pieces = told.split("；")
    assert len(pieces) == len(set(pieces)) == 3
    assert all(place < 5 for place in places)
    assert "parcel" not in told
    assert quotes(texts, "en")[0] == "Slow parcel, sorry."
    assert quotes(texts[:4], "en")[0] == quotes(texts[:4], "zh")[0]
    long, _ = quotes(["很" * 1_000_000], "en")
    assert len(long) <= 160


def test_a_digest_tells_readings_in_both_languages_and_leaves_out_what_nobody_said():
    plain = Reading(post="1", time=START, language="zh")
    assert digest([plain], {}, "en") == "1 posts (1 in Chinese)."
    assert digest([plain], {}, "zh") == "1 条内容。"
    felt = Reading(
        post="2", time=START, language="zh", aspects={"price": 0.8, "service": -0.4}, risk="fraud", sentiment=-0.5
    )
    told = digest([plain, felt], {"fraud": ("fraud", "欺诈")}, "zh")
    assert told == "2 条内容，1 条为投诉；不满：服务；满意：价格；风险：欺诈。"


def test_headlines_name_days_hours_and_nothing_expected():
    found = headline(Series("source", "x"), ("x", "某站"), posts=1_200, expected=0.2, span=timedelta(days=3))
    assert found["en"] == "More posts than usual: the source x (1,200 posts in 3 days, usually about 0)"
    assert found["zh"] == "讨论增多：来源“某站”（3 天内 1,200 条，通常约 0 条）"
