"""Drift is told once: when it begins, when it becomes graver, and anew only after it was over."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage

import numpy as np
import pytest

pytest.importorskip("pyod")

from shopkeeper import settings as settings_module
from shopkeeper.errors import NotFoundError
from shopkeeper.evaluation import drift_watch
from shopkeeper.evaluation.drift import Drift
from shopkeeper.evaluation.drift_watch import DRIFT, current, watch
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.guard.fraud import FraudOptions, train_fraud
from shopkeeper.records import Event, EventKind, now
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.tasks.guard.task import GuardTask
from shopkeeper.tasks.listen.alarms import Alarms
from shopkeeper.tasks.listen.alerts import answer, raised_since
from shopkeeper.tasks.listen.messages import Message, Notice, mail_of, told_of
from shopkeeper.tasks.listen.notice import UndeliveredError
from shopkeeper.tasks.listen.outbox import Outbox, retry

NOW = now().replace(hour=12) - timedelta(days=1)
DAY = timedelta(days=1)


class Pigeon:
    """Keeps what it was given."""

    name = "pigeon"

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.lost = False

    def send(self, notice: Notice) -> None:
        if self.lost:
            raise UndeliveredError("lost")
        self.told.append(notice)


def paid(number: int, time: datetime, value: float, rng: np.random.Generator) -> Event:
    return Event(
        id=f"e{number}", time=time, kind=EventKind.PURCHASE, customer=f"c{rng.integers(60)}", item="i1", value=value,
        properties={"device": f"d{rng.integers(25)}"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, GuardTask]]:
    """A guard that learnt from 90 days with ten payments of 10 to 40 each, and then came eight more days of the same."""
    home = tmp_path_factory.mktemp("drifting")
    given = settings_module.load(home, environ={}, overrides={})
    store = open_store(given.store_url)
    rng = np.random.default_rng(2)
    times = np.sort(rng.uniform(0, 98, 980))
    payments = [
        paid(n, NOW + (float(time) - 98) * DAY, round(float(rng.uniform(10, 40)), 2), rng)
        for n, time in enumerate(times)
    ]
    store.events.append(payments[:900])
    bundle = train_fraud(store, given, home / "made", options=FraudOptions(reviews_a_day=0.5))
    registry = Registry(given.bundles)
    registry.promote("fraud", registry.add(bundle.folder))
    live = registry.live("fraud")
    assert live is not None
    store.events.append(payments[900:])
    yield store, GuardTask(store, live)
    store.close()


def test_a_log_that_drifts_is_told_once(taught: tuple[SqlStore, GuardTask]):
    store, guard = taught
    pigeon = Pigeon()
    outbox = Outbox(store, [pigeon])
    calm = watch(store, guard, outbox.names, 7, NOW)
    assert calm is None
    rng = np.random.default_rng(3)
    store.events.append(
        paid(10_000 + n, NOW + n * DAY / 20, round(float(rng.uniform(900, 9_000)), 2), rng) for n in range(100)
    )
    alarms = []
    for day in (3, 4, 5):
        alarms.append(watch(store, guard, outbox.names, 3, NOW + day * DAY))
        outbox.deliver(NOW + day * DAY)
    assert len({alarm.id for alarm in alarms if alarm}) == 1
    assert [alarm.level for alarm in map(told_of, store.alerts.scan())] == ["high"]
    (notice,) = pigeon.told
    body = notice.body()
    assert (notice.alert.event, body["model"], body["level"], body["before"]) == (DRIFT, "fraud-v1", "high", "")
    assert "score" in {column["name"] for column in body["columns"]}
    assert all(column["psi"] > column["limit"] for column in body["columns"])
    assert body["headline"].keys() == {"en", "zh"}
    seen = current(store)
    assert seen is not None
    assert (seen.raised, seen.seen) == (NOW + 3 * DAY, NOW + 5 * DAY)
    assert [step.delivered["pigeon"]["state"] for step in seen.steps] == ["done"]
    later = watch(store, guard, outbox.names, 3, NOW + 90 * DAY)
    assert later == seen, "days without payments say nothing"


class Model:
    """Stands for a guard whose drift is given."""

    def __init__(self, name: str = "fraud-v1") -> None:
        self.bundle = self
        self.name = name


def moved(score: bool, features: int, of: int = 20) -> list[Drift]:
    columns = [Drift(f"f{n}", 0.9 if n < features else 0.1, 0.25, 0.0, 1.0) for n in range(of)]
    return sorted([*columns, Drift("score", 0.5 if score else 0.0, 0.25, 0.1, 0.2)], key=lambda column: -column.psi)


@pytest.fixture
def store(tmp_path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


@pytest.fixture
def days(store, monkeypatch):
    """Lets days pass, each with what has moved and perhaps another model; what was told on each, as level and step."""
    pigeon = Pigeon()
    outbox = Outbox(store, [pigeon], seed=1)

    def passing(*course: list[Drift], first: int = 0, model: str = "fraud-v1") -> list[list[tuple[str, str, int]]]:
        told = []
        for day, found in enumerate(course, first):
            monkeypatch.setattr(drift_watch, "moved_since", lambda *_, found=found: found)
            pigeon.told.clear()
            watch(store, Model(model), outbox.names, 3, NOW + day * DAY)  # type: ignore[arg-type]
            outbox.deliver(NOW + day * DAY)
            told.append([(one.alert.id, one.level, one.place) for one in pigeon.told])
        return told

    passing.pigeon = pigeon  # type: ignore[attr-defined]
    return passing


def levels(told):
    return [[(level, place) for _, level, place in day] for day in told]


def test_it_is_told_again_only_where_the_score_moves_as_well(days, store):
    told = days(moved(False, 9), moved(False, 10), moved(False, 15), moved(True, 5), moved(False, 12), moved(True, 9))
    assert levels(told) == [[], [("medium", 0)], [], [("high", 1)], [], []]
    assert len({name for day in told for name, _, _ in day}) == 1
    alarm = current(store)
    assert alarm is not None
    assert (alarm.moved, alarm.severity, alarm.columns[0][0]) == (10, 0.6, "score")
    assert "score among them (PSI 0.50)" in alarm.headline["en"]
    assert "风险评分（PSI 0.50）" in alarm.headline["zh"]


def test_a_drift_that_comes_and_goes_is_one_and_after_days_of_calm_another(days, store):
    calm, gone = moved(False, 0), moved(True, 0)
    assert levels(days(gone, calm, calm, gone, calm, calm)) == [[("high", 0)], [], [], [], [], []]
    assert current(store) is not None
    (first,) = list(store.alerts.scan())
    assert levels(days(calm, calm, [], gone, first=6)) == [[], [], [], [("high", 0)]]
    assert len(list(store.alerts.scan())) == 2
    assert store.alerts.get([first.id])[first.id].body["ended"]


def test_another_model_begins_anew(days, store):
    assert levels(days(moved(True, 0), moved(True, 0))) == [[("high", 0)], []]
    assert levels(days(moved(False, 0), first=2, model="fraud-v2")) == [[]]
    assert current(store) is None
    assert levels(days(moved(True, 3), first=3, model="fraud-v2")) == [[("high", 0)]]


def test_what_does_not_arrive_is_tried_again_and_told_once(days, store):
    days.pigeon.lost = True
    assert days(moved(True, 1)) == [[]]
    days.pigeon.lost = False
    assert levels(days(moved(True, 1), moved(True, 1), first=1)) == [[("high", 0)], []]
    assert not list(store.alerts.open())


def test_opinions_and_drifts_keep_out_of_each_others_way(days, store):
    days(moved(True, 1))
    (row,) = list(store.alerts.scan())
    assert list(raised_since(store, NOW - DAY)) == []
    Alarms(store, Settings().listen).look()
    with pytest.raises(NotFoundError):
        answer(store, row.id, "false")
    assert retry(store, row.id) == 0
    message = told_of(row)
    assert isinstance(message, Message)
    again = message.row(row.time).body
    assert again == {name: value for name, value in row.body.items() if name != "steps"}
    mail: EmailMessage = mail_of(Notice(message), "shop@example.com", ["ops@example.com"])
    assert mail["Subject"].startswith("[high] Payments differ from those that fraud-v1 learnt from: 2 columns")
    assert "[严重] 支付数据已偏离 fraud-v1 的训练数据" in mail.get_content()
    assert "shopkeeper train fraud" in mail.get_content()
