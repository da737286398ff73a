"""The ear as a whole: nothing acknowledged is lost, queues are bounded, series and digests add up, humans are heard."""

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shopkeeper import settings as settings_module
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.registry import Registry
from shopkeeper.records import Decision, Item, Passage, PassageKind, now
from shopkeeper.store.database import open_store
from shopkeeper.tasks.listen import task as listen_module
from shopkeeper.tasks.listen.feedback import answers
from shopkeeper.tasks.listen.intake import LONGEST, BusyError, Queue, cleaned
from shopkeeper.tasks.listen.phrases import Phrases
from shopkeeper.tasks.listen.reader import Reader
from shopkeeper.tasks.listen.reading import Concern, Reading, reading_of
from shopkeeper.tasks.listen.series import digest, series
from shopkeeper.tasks.listen.task import ListenTask

T = datetime(2026, 5, 1, tzinfo=UTC)
H = timedelta(hours=1)


def post(number, text="快递太慢了", **more):
    more = {"time": T + number * H, "source": "forum", **more}
    return Passage(id=f"p{number}", kind=PassageKind.POST, text=text, **more)


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        yield store


@pytest.fixture
def task(store, tmp_path):
    """A task whose reader has no encoder, so that it opens at once."""
    given = settings_module.load(tmp_path, environ={}, overrides={"listen.queue": 100})
    made = ListenTask(store, given, Registry(given.bundles))
    made._reader = Reader(Phrases([("Bosch", "brand:Bosch")]))
    yield made
    made.close()


def test_what_is_taken_is_on_disk_and_read_soon(task, store):
    taken = task.take([post(1), post(2, "质量很好"), post(1)])
    assert (taken.new, taken.repeated) == (2, 1)
    assert set(store.words.get(["p1", "p2"])) == {"p1", "p2"}
    wait_for(lambda: store.readings.count() == 2)
    again = task.take([post(1), post(2, "质量很差")])
    assert (again.new, again.repeated) == (1, 1)
    wait_for(lambda: any(one.body["sentiment"] < 0 for one in store.readings.get(["p2"]).values()))
    assert task.waiting == 0


def test_what_another_process_wrote_or_a_kill_left_is_read_at_the_start(task, store):
    store.words.put([post(n) for n in range(7)])
    task.start()
    wait_for(lambda: store.readings.count() == 7)
    assert task.catch_up() == 0


def test_words_that_were_changed_are_read_again(task, store):
    task.keep([post(1, "质量很好")])
    assert task.catch_up() == 1
    assert store.readings.get(["p1"])["p1"].body["sentiment"] > 0
    assert task.keep([post(1, "质量很差")]).new == 1
    assert store.readings.get(["p1"]) == {}, "a kill here leaves it unread, not read wrongly"
    assert task.catch_up() == 1
    assert store.readings.get(["p1"])["p1"].body["sentiment"] < 0
    assert task.keep([post(1, "质量很差")]).repeated == 1
    assert task.catch_up() == 0


def test_whatever_goes_wrong_the_ear_goes_on(task, store, monkeypatch):
    failed = threading.Event()

    def broken(posts):
        monkeypatch.undo()
        failed.set()
        raise RuntimeError("no such luck")

    monkeypatch.setattr(task, "read", broken)
    task.take([post(1)])
    assert failed.wait(20)
    wait_for(lambda: store.readings.count() == 1)


def test_what_a_human_muted_elsewhere_is_heeded(task, store):
    task.keep([post(1, "quite another shop")])
    task.catch_up()
    store.labels.propose([Decision(task="about", subject="p1", text="quite another shop")])
    store.labels.decide("about", "p1", "not_us")
    task._heed()
    assert task._reader.muted == {"p1"}


def test_times_that_lie_ahead_or_are_missing_are_set_once(task, store):
    ahead = now() + timedelta(days=400)
    task.keep([post(1, time=None), post(2, time=ahead), post(3, time=T)])
    first = store.words.get(["p1", "p2", "p3"])
    assert all(abs(first[name].time - now()) < timedelta(minutes=5) for name in ("p1", "p2"))
    assert first["p3"].time == T
    assert task.keep([post(1, time=None), post(2, time=ahead)]).new == 0
    assert store.words.get(["p1"])["p1"].time == first["p1"].time


def test_ten_thousand_posts_at_once_and_clocks_that_go_back(task, store):
    posts = [post(n, f"{n}", time=T - n * timedelta(minutes=1)) for n in range(10_000)]
    assert task.keep(posts).new == 10_000
    assert task.catch_up() == 10_000
    assert store.readings.count() == 10_000


def test_too_many_posts_are_refused_and_nothing_of_them_is_written(store, tmp_path):
    given = settings_module.load(tmp_path, environ={}, overrides={"listen.queue": 100})
    busy = ListenTask(store, given, Registry(given.bundles))
    busy.start = lambda: None  # nobody reads
    assert busy.take([post(n) for n in range(150)]).new == 150  # larger than the queue, but nobody waits
    with pytest.raises(BusyError, match="150 posts wait") as caught:
        busy.take([post(200)])
    assert caught.value.retry_after > 0
    assert store.words.get(["p200"]) == {}
    assert busy.take([post(n) for n in range(150)]).repeated == 150
    assert busy.waiting == 150
    with busy.forgetting("ann"):
        assert busy.waiting == 150


def test_a_queue_promises_hands_out_and_replaces():
    queue = Queue(3)
    queue.reserve(2)
    with pytest.raises(BusyError):
        queue.reserve(2)
    queue.release(2)
    queue.reserve(3)
    queue.put([post(1), post(1, "new"), post(2)], 3)
    assert [one.text for one in queue.take(1, 0)] == ["new"]
    queue.drop(lambda one: one.id != "p2")
    assert queue.take(5, 0) == []
    threading.Timer(0.05, queue.close).start()
    assert queue.take(5, 20) == []


def test_posts_are_cleaned_and_ids_of_other_texts_are_refused(task, store):
    dirty = post(1, "<p>Fine &amp; good</p><script>x</script>\x00\x07", title="a\nb", author="<i>mia</i>")
    assert (cleaned(dirty).text, cleaned(dirty).title, cleaned(dirty).author) == ("Fine & good", "a b", "mia")
    assert len(cleaned(post(1, "好" * 1_000_000)).text) == LONGEST
    store.words.put([Passage(id="faq", kind=PassageKind.FAQ, text="x", time=T)])
    with pytest.raises(InputError, match="belongs to a faq"):
        task.take([Passage(id="faq", kind=PassageKind.POST, text="y", time=T)])
    with pytest.raises(InputError):
        task.take([post(1), Passage(id="", kind=PassageKind.POST, text="y", time=T)])
    assert store.words.get(["p1"]) == {}


def test_one_strange_post_does_not_stop_the_others(task, store):
    class Odd(Reader):
        def read(self, posts):
            if any("strange" in one.text for one in posts):
                raise ValueError("cannot")
            return super().read(posts)

    task._reader = Odd(Phrases(()))
    task.keep([post(1), post(2, "strange"), post(3)])
    assert task.catch_up() == 3
    assert [store.readings.get([f"p{n}"])[f"p{n}"].body.get("topics") for n in (1, 2, 3)] == [
        ["delivery"],
        None,
        ["delivery"],
    ]


def test_erased_customers_are_not_read_again(task, store):
    task.keep([post(1, customer="ann"), post(2)])
    unread = store.readings.unread()
    with task.forgetting("ann"):
        store.erase("ann")
    assert [one.post for one in task.read(unread)] == ["p2"]


def test_the_watcher_hears_every_batch(task):
    class Watcher:
        heard, looks = 0, 0

        def observe(self, readings):
            self.heard += len(list(readings))

        def look(self):
            self.looks += 1

    task.watcher = Watcher()
    task.keep([post(n, f"text number {n}") for n in range(listen_module.BATCH + 1)])
    task.catch_up()
    assert (task.watcher.heard, task.watcher.looks) == (listen_module.BATCH + 1, 2)


def reading(number, hours, feeling=-1.0, **more):
    return Reading(
        post=f"r{number}", time=T + hours * H, sentiment=feeling, source="forum", topics=("delivery",), **more
    )


def test_series_count_what_a_plain_count_counts():
    readings = [
        reading(1, 0), reading(2, 0.5, 1.0), reading(3, 2, duplicate_of="r1"), reading(4, 2.99, 0.0, found="found-1"),
        reading(5, 3), reading(6, -1),
    ]  # fmt: skip
    table = series(readings, "topic", T, T + 3 * H, H)
    assert table.columns == ["time", "key", "posts", "copies", "negative", "sentiment"]
    assert table.schema["time"] == pl.Datetime("us", "UTC")
    own = table.filter(pl.col("key") == "delivery")
    assert own["posts"].to_list() == [2, 0, 2]
    assert own["copies"].to_list() == [0, 0, 1]
    assert own["negative"].to_list() == [1, 0, 1]
    assert own["sentiment"].to_list() == [0.0, 0.0, -0.5]
    assert own["time"].to_list() == [T, T + H, T + 2 * H]
    assert table["key"].unique().sort().to_list() == ["delivery", "found-1"]
    assert series(readings, "topic", T, T + 3 * H, H, most=1)["key"].unique().to_list() == ["delivery"]
    assert series([], "brand", T, T + H, H).height == 0
    for wrong in (
        ("nothing", T, T + H, H),
        ("topic", T, T, H),
        ("topic", T, T + H, timedelta(0)),
        ("topic", T, T + 10**6 * H, H),
    ):
        with pytest.raises(InputError):
            series(readings, *wrong)


def test_entities_are_felt_by_what_is_said_of_them():
    one = reading(
        1, 0, -1.0, entities=(Concern("brand", "Bosch", 1.0), Concern("item", "sku", -1.0)), item="sku", brand="Acme"
    )
    assert one.keys("brand") == ("Acme", "Bosch")
    assert one.keys("item") == ("sku",)
    assert one.keys("entity") == ("Bosch", "sku")
    assert series([one], "brand", T, T + H, H).filter(pl.col("key") == "Bosch")["sentiment"].to_list() == [1.0]


def test_a_digest_sets_a_period_against_the_one_before():
    readings = [reading(n, n) for n in range(4)] + [
        reading(9, 3.5, duplicate_of="r3"),
        reading(7, -2, 1.0),
        reading(8, -9),
    ]
    found = digest(readings, T, T + 4 * H, ("topic", "risk"))
    assert (found.posts, found.copies, found.negative, found.sentiment) == (5, 1, 4, -1.0)
    (line,) = found.lines["topic"]
    assert (line.key, line.posts, line.before, line.negative) == ("delivery", 4, 1, 4)
    assert set(line.examples) <= {"r0", "r1", "r2", "r3"}
    assert found.lines["risk"] == ()


def test_posts_are_found_by_series_and_by_words(task):
    task.keep(
        [
            post(1, "Bosch 快递太慢了"),
            post(2, "Bosch is great"),
            post(3, "shipping is slow and bad"),
            post(4, "Bosch is great!!!"),
        ]
    )
    task.catch_up()
    start, end = T, T + 10 * H
    assert [one.id for one, _ in task.posts(start, end)] == ["p3", "p2", "p1"]
    assert [one.id for one, _ in task.posts(start, end, copies=True, limit=1)] == ["p4"]
    assert [one.id for one, _ in task.posts(start, end, by="brand", key="Bosch")] == ["p2", "p1"]
    assert [one.id for one, _ in task.posts(start, end, negative=True, words="slow")] == ["p3"]
    assert task.names()["delivery"] == ("delivery", "物流")
    assert task.digest(start, end).lines["brand"][0].key == "Bosch"
    assert task.series("source", start, end, 10 * H)["posts"].to_list() == [4]


def test_the_first_posts_are_found_without_reading_the_rest(task, store, monkeypatch):
    posts = [post(n, f"post {n} {'slow' if n % 7 == 0 else ''}", time=T + (n // 3) * H) for n in range(1_200)]
    store.words.put(posts)
    store.readings.put(
        Reading(post=one.id, time=one.time, topics=("delivery",) if n % 5 else (), muted=n % 11 == 0, sentiment=-(n % 2),
                duplicate_of="p1" if n % 13 == 0 else "").document()
        for n, one in enumerate(posts)
    )  # fmt: skip
    decoded = 0

    def counted(document):
        nonlocal decoded
        decoded += 1
        return reading_of(document)

    monkeypatch.setattr(listen_module, "reading_of", counted)

    def plain(limit, words="", **asked):
        """What a look at everything finds."""
        found = [
            (one.time, one.id)
            for n, one in enumerate(posts)
            if n % 11 and (asked.get("copies") or n % 13) and (not asked.get("by") or n % 5)
            and (not asked.get("negative") or n % 2) and (not words or n % 7 == 0)
        ]  # fmt: skip
        return [name for _, name in sorted(found, reverse=True)[:limit]]

    end = T + 500 * H
    for asked in ({}, {"copies": True}, {"by": "topic", "key": "delivery"}, {"negative": True, "words": "slow"}):
        for limit in (1, 7, 60, 5_000):
            assert [one.id for one, _ in task.posts(T, end, limit=limit, **asked)] == plain(limit, **asked)
    decoded = 0
    assert len(task.posts(T, end, limit=20)) == 20
    assert decoded < 30
    store.words.remove([one.id for one in posts[-50:]])
    assert [one.id for one, _ in task.posts(T, end, limit=9)] == [
        name for name in plain(5_000) if int(name[1:]) < 1_150
    ][:9]


def test_feedback_mutes_corrects_and_stays_for_training(task, store):
    text = "这个电水壶用了一个星期就开始冒烟，客服完全不理人，大家千万不要买"
    task.keep([post(1, text), post(2, text + "！"), post(3, "好东西", customer="ann")])
    task.catch_up()
    assert task.feedback("p1", "about", "not_us", "mia").muted
    assert task.posts(T, T + 9 * H, copies=True)[0][0].id == "p3"
    task.keep([post(4, text + "。。")])
    task.catch_up()
    assert store.readings.get(["p4"])["p4"].body["muted"]
    assert not task.feedback("p1", "about", "us").muted
    assert len(task.posts(T, T + 9 * H, copies=True)) == 4
    assert task.feedback("p3", "sentiment", "negative").sentiment == -1.0
    assert task.feedback("p3", "topic", "price").topics == ("price",)
    assert task.feedback("p3", "risk", "none").risk == ""
    assert task.feedback("p3", "event", "rights").event == "rights"
    (decision,) = store.labels.decided("sentiment")
    assert (decision.subject, decision.text, decision.label, decision.customer) == ("p3", "好东西", "negative", "ann")
    for wrong in (("p3", "about", "maybe"), ("p3", "sentiment", "fine"), ("p3", "concern", "x"), ("p3", "topic", "")):
        with pytest.raises(InputError):
            task.feedback(*wrong)
    with pytest.raises(NotFoundError):
        task.feedback("nobody", "about", "us")


@pytest.mark.parametrize(
    ("name", "label", "allowed"),
    [
        ("about", "maybe", "not_us, us"),
        ("sentiment", "fine", "positive, neutral, negative"),
        ("topic", "weather", "quality, price, delivery"),
        ("topic", "price|weather", "parted by a bar"),
        ("topic", "price|", "quality, price"),
        ("topic", "Price", "none, or several"),
        ("risk", "bad", "safety, fraud, legal, delivery, quality, price, service, pr, none."),
        ("risk", "safety|fraud", "safety, fraud"),
        ("risk", "", "safety, fraud"),
        ("event", "x" * 1_000, "financial_fraud, illegal_fundraising"),
        ("concern", "negative", "about, sentiment, topic, risk or event"),
    ],
)
def test_only_known_labels_are_taken_and_the_others_told(task, store, name, label, allowed):
    task.keep([post(1)])
    task.catch_up()
    before = store.readings.get(["p1"])["p1"]
    with pytest.raises(InputError) as caught:
        task.feedback("p1", name, label)
    assert allowed in caught.value.cure
    assert len(str(caught.value)) < 1_000
    assert store.readings.get(["p1"])["p1"] == before
    assert list(store.labels.decided(name)) == []


def test_labels_are_those_of_the_topics_file_and_of_the_live_model(store, tmp_path):
    topics = tmp_path / "topics.toml"
    topics.write_text('[weather]\nwords = ["rain", "下雨"]\n', encoding="utf-8")
    given = settings_module.load(tmp_path, environ={}, overrides={"listen.topics": str(topics)})
    registry = Registry(given.bundles)
    made = ListenTask(store, given, registry)
    made._reader = Reader(Phrases(()))
    made.keep([post(1)])
    made.catch_up()
    assert answers("topic", given.listen, registry) == ("weather", "none")
    assert made.feedback("p1", "topic", "weather").topics == ("weather",)
    with pytest.raises(InputError, match="weather, none"):
        made.feedback("p1", "topic", "delivery")
    bundle = save_bundle(tmp_path / "made", Card(task="topic"), parameters={"classes": ["storm", "weather", "Other"]})
    registry.promote("topic", registry.add(bundle.folder))
    assert answers("topic", given.listen, registry) == ("weather", "storm", "Other", "none")
    assert made.feedback("p1", "topic", "storm|weather|storm").topics == ("storm", "weather")
    assert made.feedback("p1", "topic", "Other").topics == ()
    assert made.feedback("p1", "topic", "none").topics == ()
    (decision,) = store.labels.decided("topic")
    assert decision.label == "none"
    made.close()


KILLED = """
import sys, os, signal
from pathlib import Path
from shopkeeper import settings
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.registry import Registry
from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.store.database import open_store
from shopkeeper.tasks.listen.task import ListenTask
from shopkeeper.tasks.listen.phrases import Phrases
from shopkeeper.tasks.listen.reader import Reader
given = settings.load(Path(sys.argv[1]), environ={}, overrides={})
task = ListenTask(open_store(given.store_url), given, Registry(given.bundles))
task._reader = Reader(Phrases(()))
for batch in range(1000):
    task.take([Passage(id=f"{batch}-{n}", kind=PassageKind.POST, text=f"post {batch} {n}", time=now()) for n in range(50)])
    print(batch, flush=True)
"""


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(process.stdout.readline()) for _ in range(5)]
    process.kill()
    rest, _ = process.communicate()
    acknowledged += [int(line) for line in rest.split()]
    given = settings_module.load(tmp_path, environ={}, overrides={})
    with open_store(given.store_url) as store:
        task = ListenTask(store, given, Registry(given.bundles))
        task._reader = Reader(Phrases(()))
        task.catch_up()
        read = {document.id for document in store.readings.scan()}
        assert {f"{batch}-{n}" for batch in acknowledged for n in range(50)} <= read
        assert store.readings.unread() == []
        task.close()


def test_the_reader_of_a_shop_knows_its_names_its_last_posts_and_its_topics(store, tmp_path):
    given = settings_module.load(tmp_path, environ={}, overrides={})
    store.catalogue.put([Item(id="sku-1", title="Steam kettle", brand="Bosch")])
    text = "The Bosch kettle began to smoke after a week and nobody answers my messages."
    first = ListenTask(store, given, Registry(given.bundles))
    first.keep([post(1, text, time=now() - H)])
    assert first.catch_up() == 1
    first.close()
    again = ListenTask(store, given, Registry(given.bundles))
    again.keep([post(2, text + "!", time=now())])
    assert again.catch_up() == 1
    body = store.readings.get(["p2"])["p2"].body
    assert (body["duplicate_of"], body["entities"][0][:2]) == ("p1", ["brand", "Bosch"])
    assert (given.home / "listen" / "found.safetensors").is_file()
    again.renew()
    assert again.names()["safety"] == ("safety", "安全")
    again.close()


def wait_for(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
