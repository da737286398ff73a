"""What every store must do, whatever holds the data. Subclass and give a `store` fixture and a `reopen` fixture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toyshop import toy_customers, toy_events, toy_items, toy_judgements, toy_passages

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import (
    Availability,
    Customer,
    Decision,
    Event,
    EventKind,
    Filters,
    Impression,
    Item,
    Judgement,
    Passage,
    PassageKind,
)
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.campaigns import WRITTEN, parse_campaign
from shopkeeper.store.database import SqlStore
from shopkeeper.store.merchandising import Banner, Boost, Pin, Rule, Then, When
from shopkeeper.store.protocols import Changes

T = datetime(2026, 3, 1, tzinfo=UTC)

_text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
_ids = _text.filter(lambda text: len(text) > 0)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-9.5))]))
_lists = st.lists(_text, max_size=3).map(tuple)
_items = st.builds(
    Item,
    id=_ids,
    title=_text,
    description=_text,
    brand=_text,
    category=_lists,
    price=st.none() | _finite,
    currency=_text,
    availability=st.sampled_from(Availability),
    attributes=st.dictionaries(_text, _text, max_size=3),
    codes=_lists,
    group=_text,
    images=_lists,
    videos=_lists,
    link=_text,
    language=_text,
    hidden=st.booleans(),
    created=st.none() | _times,
    updated=st.none() | _times,
)
_impressions = st.lists(st.tuples(_text, st.integers(1, 100), st.floats(0, 1, exclude_min=True)), max_size=3).map(
    lambda rows: Impression(
        items=tuple(r[0] for r in rows), positions=tuple(r[1] for r in rows), propensities=tuple(r[2] for r in rows)
    )
)
_events = st.builds(
    Event,
    id=_ids,
    time=_times,
    kind=st.sampled_from(EventKind),
    customer=_text,
    session=_text,
    item=_text,
    query=_text,
    request=_text,
    value=st.none() | _finite,
    quantity=st.integers(-(2**63) + 1, 2**63 - 1),
    impression=st.none() | _impressions,
    properties=st.dictionaries(_text, _text | st.integers(-(2**63), 2**63 - 1) | _finite | st.booleans(), max_size=3),
)
_phrases = st.lists(st.sampled_from(["kettle", "手机壳", "WH-1000XM4", "Café au lait"]), max_size=2).map(tuple)
_plain = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), min_size=1, max_size=20)
_filters = st.builds(
    Filters,
    brands=st.lists(_plain, min_size=1, max_size=2).map(tuple),
    categories=st.lists(st.lists(_plain, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple),
    price_min=st.none() | st.floats(0, 50),
    price_max=st.none() | st.floats(50, 1e9),
    attributes=st.dictionaries(_plain, st.lists(_plain, min_size=1, max_size=2).map(tuple), max_size=2),
    sellable=st.booleans(),
    exclude=st.lists(_plain, max_size=2).map(tuple),
)
_rules = st.builds(
    Rule,
    id=_plain,
    name=st.sampled_from(["Spring", "双十一"]),
    when=st.builds(
        When,
        exact=_phrases,
        contains=_phrases,
        categories=st.lists(st.lists(_plain, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple),
        segments=st.dictionaries(_plain, st.lists(_plain, min_size=1, max_size=2).map(tuple), max_size=2),
        languages=st.lists(st.sampled_from(["zh", "en"]), max_size=2).map(tuple),
        start=st.none() | _times.filter(lambda time: time.year < 2_000),
        end=st.none() | _times.filter(lambda time: time.year > 2_001),
    ),
    then=st.builds(
        Then,
        pins=st.lists(_plain, max_size=3, unique=True).map(
            lambda items: tuple(Pin(item=item, position=place + 1) for place, item in enumerate(items))
        ),
        boosts=st.lists(st.builds(Boost, filters=_filters, factor=st.floats(0, 1_000)), max_size=2).map(tuple),
        filters=_filters,
        redirect=st.sampled_from(["", "/search?q=茶", "/category/Garden#top"]),
        banner=st.none() | st.builds(Banner, text=st.just({"zh": "新品", "en": "New <b>in</b>"}), link=st.just("/new")),
        query=st.sampled_from(["", "保温杯"]),
    ),
    priority=st.integers(-9, 9),
    enabled=st.booleans(),
)
_quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def view(number: int, **fields: object) -> Event:
    values = {"id": f"e{number}", "time": T + timedelta(seconds=number), "kind": EventKind.VIEW, **fields}
    return Event(**values)  # type: ignore[arg-type]


class CatalogueContract:
    def test_new_changed_and_equal_items_are_told_apart(self, store: SqlStore) -> None:
        items = toy_items()
        assert store.catalogue.put(items) == Changes(added=40)
        version = store.catalogue.version
        assert store.catalogue.put(iter(items)) == Changes(unchanged=40)
        assert store.catalogue.version == version
        changed = replace(items[3], price=1.0)
        assert store.catalogue.put([changed, items[4], replace(items[5], id="new")]) == Changes(1, 1, 1)
        assert store.catalogue.version > version
        assert store.catalogue.count() == 41
        assert store.catalogue.get(["new", "nobody", changed.id])[changed.id] == changed

    def test_the_last_of_one_id_in_one_call_wins(self, store: SqlStore) -> None:
        one, other = Item(id="a", title="one"), Item(id="a", title="other")
        assert store.catalogue.put([one, other, other]) == Changes(added=1, updated=1, unchanged=1)
        assert store.catalogue.get(["a"]) == {"a": other}

    def test_equal_attributes_in_another_order_are_equal(self, store: SqlStore) -> None:
        store.catalogue.put([Item(id="a", title="t", attributes={"x": "1", "y": "2"})])
        assert store.catalogue.put([Item(id="a", title="t", attributes={"y": "2", "x": "1"})]).unchanged == 1

    def test_scan_is_ordered_by_code_point(self, store: SqlStore) -> None:
        store.catalogue.put(Item(id=id_, title="t") for id_ in ("b", "Z", "a", "é", "中", "😀", "a b"))
        ids = [item.id for item in store.catalogue.scan()]
        assert ids == sorted(ids)

    def test_more_items_than_one_chunk(self, store: SqlStore) -> None:
        def many(price: float):
            return (Item(id=f"i{n:05d}", title=f"t{n}", price=price if n % 2 else 0.5) for n in range(5_201))

        assert store.catalogue.put(many(0.5)) == Changes(added=5_201)
        assert store.catalogue.put(many(0.7)) == Changes(updated=2_600, unchanged=2_601)
        assert sum(1 for _ in store.catalogue.scan()) == 5_201
        assert len(store.catalogue.get([f"i{n:05d}" for n in range(5_201)])) == 5_201
        assert store.catalogue.remove([f"i{n:05d}" for n in range(5_201)]).removed == 5_201
        assert store.catalogue.count() == 0

    def test_since_replays_to_the_same_catalogue(self, store: SqlStore) -> None:
        items = toy_items()
        mirror: dict[str, Item] = {}
        version = 0
        writes: list[Callable[[], object]] = [
            lambda: store.catalogue.put(items),
            lambda: store.catalogue.remove([items[0].id, items[1].id, "nobody"]),
            lambda: store.catalogue.put([items[1], replace(items[2], hidden=True)]),
            lambda: store.catalogue.remove([items[39].id]),
        ]
        for write in writes:
            write()
            while (delta := store.catalogue.since(version, limit=7)).version > version:
                assert len(delta.items) + len(delta.removed) <= 7
                mirror.update((item.id, item) for item in delta.items)
                for id_ in delta.removed:
                    mirror.pop(id_, None)
                version = delta.version
            assert mirror == {item.id: item for item in store.catalogue.scan()}
            assert version == store.catalogue.version
        assert store.catalogue.since(version) == type(delta)(version, (), ())

    def test_remove_counts(self, store: SqlStore) -> None:
        store.catalogue.put(toy_items())
        assert store.catalogue.remove(["garden-00", "nobody"]) == Changes(removed=1, unchanged=1)
        assert store.catalogue.remove([]) == Changes()
        assert store.catalogue.count() == 39

    @_quick
    @given(item=_items)
    def test_any_item_comes_back_as_it_went(self, store: SqlStore, item: Item) -> None:
        store.catalogue.put([item])
        assert store.catalogue.get([item.id]) == {item.id: item}
        assert store.catalogue.put([item]) == Changes(unchanged=1)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"title": "a\x00b"}, "NUL"),
            ({"id": "x\x00"}, "NUL"),
            ({"attributes": {"a": "b\x00"}}, "NUL"),
            ({"codes": ("\x00",)}, "NUL"),
            ({"title": "\ud83d"}, "surrogate"),
            ({"attributes": {"\ud83d": "b"}}, "JSON"),
            ({"price": float("nan")}, "finite"),
            ({"price": float("inf")}, "finite"),
            ({"id": ""}, "empty"),
            ({"id": "x" * 201}, "201 characters"),
            ({"created": datetime(2026, 1, 1)}, "zone"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, store: SqlStore, fields: dict[str, object], words: str) -> None:
        with pytest.raises(InputError, match=words):
            store.catalogue.put([Item(**{"id": "i", "title": "t", **fields})])  # type: ignore[arg-type]
        assert store.catalogue.count() == 0
        assert store.catalogue.version == 0

    def test_a_generator_that_reads_the_store_it_fills(self, store: SqlStore) -> None:
        store.catalogue.put(toy_items())
        copies = (replace(item, id=f"z-{item.id}") for item in list(store.catalogue.scan()))
        assert store.catalogue.put(item for item in copies if store.catalogue.count() >= 40).added == 40


class EventLogContract:
    def test_append_is_idempotent_by_id(self, store: SqlStore) -> None:
        events = toy_events()
        assert store.events.append(events) == len(events)
        assert store.events.append(events) == 0
        assert store.events.append([*events[:5], view(1), view(1)]) == 1
        assert store.events.append([]) == 0
        assert store.events.count() == len(events) + 1

    def test_each_batch_learns_how_many_were_new(self, store: SqlStore) -> None:
        assert store.events.append_all([[view(1), view(2)], [], [view(2), view(3)], [view(3)]]) == [2, 0, 1, 0]

    def test_the_first_of_an_id_stays(self, store: SqlStore) -> None:
        store.events.append([view(1, item="first")])
        store.events.append([view(1, item="second")])
        assert [event.item for _, event in store.events.scan()] == ["first"]

    def test_one_bad_event_refuses_the_whole_batch(self, store: SqlStore) -> None:
        with pytest.raises(InputError, match="NUL"):
            store.events.append([view(1), view(2, query="a\x00")])
        assert store.events.count() == 0

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"id": ""}, "empty"),
            ({"customer": "c\x00"}, "NUL"),
            ({"session": "s" * 201}, "201 characters"),
            ({"value": float("nan")}, "finite"),
            ({"quantity": 2**63}, "64 bits"),
            ({"time": datetime(2026, 1, 1)}, "zone"),
            ({"properties": {"a": float("inf")}}, "finite"),
            ({"properties": {"a": "\x00"}}, "NUL"),
            ({"properties": {"a": 2**80}}, "JSON"),
            ({"impression": Impression(items=("\x00",), positions=(1,), propensities=(1.0,))}, "NUL"),
            ({"impression": Impression(items=("a",), positions=(1,), propensities=(float("nan"),))}, "finite"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, store: SqlStore, fields: dict[str, object], words: str) -> None:
        with pytest.raises(InputError, match=words):
            store.events.append([view(1, **fields)])
        assert store.events.count() == 0

    def test_scan_goes_on_where_it_stopped(self, store: SqlStore) -> None:
        events = toy_events()
        store.events.append(events)
        whole = list(store.events.scan())
        assert [event for _, event in whole] == events
        positions = [position for position, _ in whole]
        assert positions == sorted(set(positions))
        assert positions[0] >= 1
        assert store.events.position == positions[-1]
        assert list(store.events.scan(after=positions[99])) == whole[100:]

    def test_scan_and_frame_filter_alike(self, store: SqlStore) -> None:
        events = toy_events()
        store.events.append(events[::-1])
        start, end = events[300].time, events[900].time
        kinds = (EventKind.PURCHASE, EventKind.SEARCH)
        wanted = sorted(e.id for e in events if e.kind in kinds and start <= e.time < end)
        assert wanted
        assert sorted(e.id for _, e in store.events.scan(kinds=kinds, start=start, end=end)) == wanted
        assert sorted(store.events.frame(kinds, start, end)["id"]) == wanted

    def test_frame_holds_every_event_in_order_of_time(self, store: SqlStore) -> None:
        events = toy_events()
        late = [view(n, time=events[0].time, value=float(n), quantity=n) for n in range(3)]
        store.events.append([*events, *late])
        frame = store.events.frame()
        expected = sorted([*events, *late], key=lambda event: event.time)  # stable: arrival breaks ties
        assert frame.columns == [
            "id", "time", "kind", "customer", "session", "item", "query", "request", "value", "quantity",
        ]  # fmt: skip
        assert frame.schema["time"] == pl.Datetime("us", "UTC")
        for name in frame.columns:
            values = [getattr(event, name) for event in expected]
            assert frame[name].to_list() == [v.value if isinstance(v, EventKind) else v for v in values]

    def test_empty_log(self, store: SqlStore) -> None:
        assert store.events.frame().height == 0
        assert store.events.frame().schema["value"] == pl.Float64
        assert list(store.events.scan()) == []
        assert (store.events.count(), store.events.position) == (0, 0)

    def test_frame_of_many_events(self, store: SqlStore) -> None:
        count = 20_001  # more than one block of rows
        store.events.append([view(n) for n in range(count)])
        assert store.events.frame()["id"].to_list() == [f"e{n}" for n in range(count)]
        assert sum(1 for _ in store.events.scan()) == count

    def test_the_last_events_of_a_customer_and_of_a_session(self, store: SqlStore) -> None:
        store.events.append([view(n, customer=f"c{n % 2}", session=f"s{n % 3}") for n in reversed(range(60))])
        assert [e.id for e in store.events.of_customer("c1", limit=3)] == ["e55", "e57", "e59"]
        assert [e.id for e in store.events.of_session("s0", limit=2)] == ["e54", "e57"]
        assert store.events.of_customer("nobody") == []
        assert store.events.of_customer("") == []
        assert store.events.of_session("") == []

    @_quick
    @given(event=_events)
    def test_any_event_comes_back_as_it_went(self, store: SqlStore, event: Event) -> None:
        before = store.events.position
        new = store.events.append([event])
        found = [other for _, other in store.events.scan(after=before)]
        if new:
            assert found == [event]
            types = [{n: type(v) for n, v in e.properties.items()} for e in (event, found[0])]
            assert types[0] == types[1]
        else:
            assert found == []

    def test_readers_meet_only_whole_batches_while_many_threads_write(self, store: SqlStore) -> None:
        stop = threading.Event()
        torn: list[int] = []

        def read() -> None:
            while not stop.is_set():
                count = store.events.count()
                if count % 10:
                    torn.append(count)

        def write(worker: int) -> None:
            for batch in range(10):
                store.events.append([view(n, id=f"{worker}-{batch}-{n}") for n in range(10)])

        readers = [threading.Thread(target=read) for _ in range(2)]
        writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
        stop.set()
        for thread in readers:
            thread.join()
        assert not torn
        assert store.events.count() == 400

    def test_a_follower_misses_nothing_while_many_threads_write(self, store: SqlStore) -> None:
        seen: list[str] = []
        done = threading.Event()

        def follow() -> None:
            after = 0
            while True:
                last = done.is_set()
                for position, event in store.events.scan(after=after):
                    after = position
                    seen.append(event.id)
                if last:
                    return

        def write(worker: int) -> None:
            for n in range(25):
                store.events.append([view(n, id=f"{worker}-{n}")])

        follower = threading.Thread(target=follow)
        follower.start()
        writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        follower.join()
        assert len(seen) == len(set(seen)) == 100


class PeopleAndWordsContract:
    def test_customers(self, store: SqlStore) -> None:
        customers = [*toy_customers(), Customer(id="客", attributes={"城市": "上海"})]
        assert store.customers.put(customers) == Changes(added=61)
        assert store.customers.put(customers) == Changes(unchanged=61)
        assert store.customers.get(["客", "nobody"]) == {"客": customers[-1]}
        assert [c.id for c in store.customers.scan()] == sorted(c.id for c in customers)
        assert store.customers.count() == 61

    def test_words(self, store: SqlStore) -> None:
        passages = toy_passages()
        assert store.words.put(passages) == Changes(added=len(passages))
        assert store.words.put(passages) == Changes(unchanged=len(passages))
        assert sorted(store.words.scan(), key=lambda p: p.id) == sorted(passages, key=lambda p: p.id)
        assert [p.id for p in store.words.scan([PassageKind.FAQ])] == ["faq-en", "faq-zh"]
        assert store.words.remove(["faq-en", "nobody"]) == Changes(removed=1, unchanged=1)
        assert store.words.count() == len(passages) - 1

    def test_the_newest_passages_of_an_item_come_first(self, store: SqlStore) -> None:
        def passage(id_: str, time: datetime | None) -> Passage:
            return Passage(id=id_, kind=PassageKind.REVIEW, text="t", item="i", time=time)

        store.words.put([passage("old", T), passage("undated", None), passage("new", T + timedelta(1))])
        assert [p.id for p in store.words.of_item("i")] == ["new", "old", "undated"]
        assert [p.id for p in store.words.of_item("i", limit=1)] == ["new"]

    def test_labels(self, store: SqlStore) -> None:
        judgements = toy_judgements()
        assert store.labels.put(judgements) == Changes(added=36)
        assert store.labels.put(judgements) == Changes(unchanged=36)
        assert store.labels.put([replace(judgements[0], grade=2.0)]) == Changes(updated=1)
        assert store.labels.put([replace(judgements[0], rater="other")]) == Changes(added=1)
        found = list(store.labels.scan())
        assert [(j.query, j.item, j.rater) for j in found] == sorted((j.query, j.item, j.rater) for j in found)
        assert store.labels.count() == len(found) == 37

    def test_more_labels_than_one_chunk(self, store: SqlStore) -> None:
        many = [Judgement(query=f"q{n // 7}", item=f"i{n}", grade=n % 4) for n in range(5_001)]
        assert store.labels.put(many) == Changes(added=5_001)
        assert store.labels.put(many) == Changes(unchanged=5_001)
        assert sum(1 for _ in store.labels.scan()) == 5_001

    def test_an_overlong_query_of_a_label_is_refused(self, store: SqlStore) -> None:
        with pytest.raises(InputError, match="2,000 bytes"):
            store.labels.put([Judgement(query="长" * 700, item="i", grade=1)])


class ReviewQueueContract:
    def test_the_queue_is_worked_off_from_the_highest_score_down(self, store: SqlStore) -> None:
        asked = [Decision(task="intent", subject=f"p{n}", text=f"text {n}", score=n % 3) for n in range(6)]
        assert store.labels.propose(asked) == Changes(added=6)
        assert store.labels.propose(asked) == Changes(unchanged=6)
        assert [d.subject for d in store.labels.pending("intent", limit=4)] == ["p2", "p5", "p1", "p4"]
        assert store.labels.pending("other") == list(store.labels.decided("intent")) == []
        assert store.labels.propose([replace(asked[0], score=9.0)]) == Changes(updated=1)
        assert store.labels.pending("intent", limit=1) == [replace(asked[0], score=9.0)]
        assert all(decision.waits for decision in store.labels.pending("intent"))

    def test_what_a_human_decided_stays_until_a_human_corrects_it(self, store: SqlStore) -> None:
        question = Decision(task="情感", subject="p", text="很好", proposal="negative", score=0.5, customer="c")
        store.labels.propose([question, replace(question, subject="q")])
        before = datetime.now(UTC)
        decision = store.labels.decide("情感", "p", "positive", rater="mei")
        assert replace(decision, time=None) == replace(question, label="positive", rater="mei")
        assert decision.time is not None
        assert before <= decision.time <= datetime.now(UTC)
        assert store.labels.propose([replace(question, score=1.0)]) == Changes(unchanged=1)
        assert list(store.labels.decided("情感")) == [decision]
        assert [d.subject for d in store.labels.pending("情感")] == ["q"]
        assert store.labels.decide("情感", "p", "neutral").label == "neutral"
        assert [d.label for d in store.labels.decided("情感")] == ["neutral"]
        assert store.labels.withdraw("情感") == 1
        assert store.labels.pending("情感") == []
        assert len(list(store.labels.decided("情感"))) == 1

    def test_many_questions(self, store: SqlStore) -> None:
        many = [
            Decision(task="t", subject=f"{n:05d}", text="x", score=n / 7, label="y" * (n % 2)) for n in range(10_004)
        ]
        assert store.labels.propose(many) == Changes(added=10_004)
        assert [d.subject for d in store.labels.decided("t")] == [d.subject for d in many if d.label]
        assert store.labels.withdraw("t") == 5_002

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"task": ""}, "task is empty"),
            ({"subject": ""}, "subject is empty"),
            ({"subject": "s" * 201}, "201 characters"),
            ({"label": "l" * 201}, "201 characters"),
            ({"text": "a\x00"}, "NUL"),
            ({"score": float("nan")}, "finite"),
        ],
    )
    def test_questions_that_cannot_be_kept_are_refused(
        self, store: SqlStore, fields: dict[str, object], words: str
    ) -> None:
        with pytest.raises(InputError, match=words):
            store.labels.propose([Decision(**{"task": "t", "subject": "s", "text": "x", **fields})])  # type: ignore[arg-type]
        assert store.labels.pending("t") == []

    def test_answers_to_nothing_and_empty_answers_are_refused(self, store: SqlStore) -> None:
        store.labels.propose([Decision(task="t", subject="s", text="x")])
        with pytest.raises(NotFoundError, match="no question about 'other'"):
            store.labels.decide("t", "other", "yes")
        with pytest.raises(InputError, match="label is empty"):
            store.labels.decide("t", "s", "")
        assert [d.waits for d in store.labels.pending("t")] == [True]


def rule(id_: str = "r", **fields: object) -> Rule:
    values = {"name": "Rule", "when": When(contains=("tea",)), "then": Then(hide=("garden-00",)), **fields}
    return Rule(id=id_, **values)  # type: ignore[arg-type]


class RulesContract:
    def test_every_write_is_on_record_with_before_and_after(self, store: SqlStore) -> None:
        assert store.rules.version == 0
        started = datetime.now(UTC)
        assert store.rules.put([rule("a"), rule("茶")], actor="mei") == Changes(added=2)
        first = store.rules.get(["茶"])["茶"]
        assert (first.created_by, first.changed_by) == ("mei", "mei")
        assert first.created is not None
        assert started <= first.created == first.changed <= datetime.now(UTC)
        assert store.rules.put([rule("a"), replace(first, priority=5)], actor="bo") == Changes(updated=1, unchanged=1)
        second = store.rules.get(["茶"])["茶"]
        assert (second.created, second.created_by, second.changed_by) == (first.created, "mei", "bo")
        assert second.changed is not None
        assert second.changed > first.created
        assert store.rules.remove(["茶", "nobody"], actor="li") == Changes(removed=1, unchanged=1)
        log = store.rules.changes(rule="茶")
        assert [(c.actor, c.before, c.after) for c in log] == [
            ("li", second, None),
            ("bo", first, second),
            ("mei", None, first),
        ]
        assert [c.time for c in log][1:] == [second.changed, first.created]
        assert [c.number for c in store.rules.changes()] == [4, 3, 2, 1]
        assert [c.number for c in store.rules.changes(before=4, limit=2)] == [3, 2]
        assert store.rules.version == 4
        assert [found.id for found in store.rules.scan()] == ["a"]

    def test_one_bad_rule_refuses_them_all(self, store: SqlStore) -> None:
        with pytest.raises(InputError, match="leads out of the shop"):
            store.rules.put([rule("a"), rule("b", then=Then(redirect="//evil.example"))])
        assert list(store.rules.scan()) == store.rules.changes() == []

    def test_the_last_of_one_id_wins_and_many_fit(self, store: SqlStore) -> None:
        assert store.rules.put([rule("a"), rule("a", priority=3)]).added == 1
        assert store.rules.get(["a"])["a"].priority == 3
        many = [rule(f"r{n:04d}") for n in range(1_200)]
        assert store.rules.put(many) == Changes(added=1_200)
        assert store.rules.put(reversed(many)) == Changes(unchanged=1_200)
        assert [found.id for found in store.rules.scan()] == ["a", *(r.id for r in many)]

    @_quick
    @given(written=_rules)
    def test_any_rule_comes_back_as_it_went(self, store: SqlStore, written: Rule) -> None:
        store.rules.put([written], actor="x")
        found = store.rules.get([written.id])[written.id]
        assert replace(found, created=None, created_by="", changed=None, changed_by="") == written
        assert store.rules.put([written]) == Changes(unchanged=1)
        assert store.rules.changes(limit=1)[0].after == found


class PrivacyContract:
    def test_erase_leaves_nothing_of_the_customer(self, store: SqlStore) -> None:
        store.customers.put(toy_customers())
        store.events.append(toy_events())
        store.words.put(toy_passages())
        store.events.append(
            [view(1, session="c04-s0"), view(2, session="c04-s0", customer="c05"), view(3, session="x")]
        )
        store.labels.propose(
            Decision(task=task, subject="p", text="their words", customer=customer)
            for task, customer in (("a", "c04"), ("b", "c04"), ("c", "c05"), ("d", ""))
        )
        store.labels.decide("b", "p", "good")
        of_customer = len(store.events.of_customer("c04", limit=10_000))
        before = store.events.count()
        erased = store.erase("c04", actor="admin")
        assert erased == of_customer + 5  # and the anonymous view, the review, two decisions, the customer
        assert store.events.count() == before - of_customer - 1
        assert store.events.of_customer("c04") == []
        assert [e.id for e in store.events.of_session("c04-s0")] == ["e2"]
        assert store.customers.get(["c04"]) == {}
        assert all(p.customer != "c04" for p in store.words.scan())
        assert [len(store.labels.pending(task)) for task in "abcd"] == [0, 0, 1, 1]
        assert list(store.labels.decided("b")) == []
        ((_, act),) = store.audit.scan()
        assert (act.action, act.actor) == ("erase", "admin")
        assert act.detail == {
            "events": of_customer + 1,
            "passages": 1,
            "decisions": 2,
            "orders": 0,
            "readings": 0,
            "waits": 0,
            "customers": 1,
        }
        assert "c04" not in repr(act)
        assert store.erase("c04") == 0

    def test_erase_keeps_what_a_click_cost_but_not_whose_it_was(self, store: SqlStore) -> None:
        about = {"time": view(1).time, "kind": EventKind.AD_CLICK, "session": "s", "item": "i", "request": "r"}
        store.events.append(
            [
                Event(id="before", value=0.2, properties={"campaign": "c"}, **about),
                Event(id="charged", customer="c04", value=0.3, properties={"campaign": "c"}, **about),
                Event(id="free", customer="c04", **about),
            ]
        )
        assert store.erase("c04") == 3
        kept = [event for _, event in store.events.scan()]
        assert [(event.id, event.value, event.properties["campaign"]) for event in kept] == [
            ("before", 0.2, "c"),
            ("charged", 0.3, "c"),
        ]
        assert all(not (e.customer or e.session or e.request or e.query) and e.item == "i" for e in kept)
        assert store.erase("c04") == 0

    @pytest.mark.parametrize("method", ["erase", "export_customer"])
    def test_nobody_cannot_be_erased_or_exported(self, store: SqlStore, method: str) -> None:
        store.events.append([view(1)])
        with pytest.raises(InputError, match="No customer"):
            getattr(store, method)("")
        assert store.events.count() == 1

    def test_export_holds_everything(self, store: SqlStore) -> None:
        store.customers.put([Customer(id="c", attributes={"city": "上海"})])
        impression = Impression(items=("a",), positions=(1,), propensities=(0.5,))
        store.events.append([view(1, customer="c", session="s", impression=impression), view(2, session="s"), view(3)])
        store.words.put([Passage(id="p", kind=PassageKind.REVIEW, text="good", customer="c", time=T)])
        store.labels.propose([Decision(task="opinion", subject="p", text="good", customer="c", label="positive")])
        found = store.export_customer("c")
        assert found["customer"]["attributes"] == {"city": "上海"}
        assert [e["id"] for e in found["events"]] == ["e1", "e2"]
        assert found["events"][0]["impression"]["items"] == ["a"]
        assert found["events"][0]["time"] == "2026-03-01T00:00:01+00:00"
        assert found["passages"][0]["text"] == "good"
        assert found["decisions"][0]["label"] == "positive"
        assert store.export_customer("nobody") == {
            "customer": None,
            "events": [],
            "passages": [],
            "decisions": [],
            "orders": [],
            "waits": [],
        }


def campaign(id_: str = "c", **fields: object) -> Campaign:
    values = {"name": "Rakes", "advertiser": "acme", "items": ("garden-00",), "bid": 0.5, "currency": "EUR", **fields}
    return Campaign(id=id_, **values)  # type: ignore[arg-type]


_campaigns = st.builds(
    Campaign,
    id=_plain.filter(lambda text: "/" not in text),
    name=st.sampled_from(["Spring", "双十一"]),
    advertiser=_plain,
    items=st.lists(st.sampled_from([f"garden-{n:02d}" for n in range(9)]), min_size=1, unique=True).map(tuple),
    bid=st.floats(0.01, 5),
    currency=st.just("EUR"),
    daily_budget=st.none() | st.floats(5, 1e6),
    total_budget=st.none() | st.floats(5, 1e6),
    when=st.builds(
        When,
        contains=_phrases,
        categories=st.lists(st.lists(_plain, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple),
        segments=st.dictionaries(_plain, st.lists(_plain, min_size=1, max_size=2).map(tuple), max_size=2),
        start=st.none() | _times.filter(lambda time: time.year < 2_000),
        end=st.none() | _times.filter(lambda time: time.year > 2_001),
    ),
    surfaces=st.lists(st.sampled_from(["search", "product"]), max_size=2, unique=True).map(tuple),
    daily_cap=st.none() | st.integers(1, 9),
    paused=st.booleans(),
)


class CampaignsContract:
    def test_every_write_is_audited_with_before_and_after(self, store: SqlStore) -> None:
        store.catalogue.put(toy_items())
        assert store.campaigns.version == 0
        assert store.campaigns.put([campaign("a"), campaign("茶", items=("garden-01",))], "mei") == Changes(added=2)
        first = store.campaigns.get(["茶"])["茶"]
        assert (first.created_by, first.changed_by, first.created) == ("mei", "mei", first.changed)
        version = store.campaigns.version
        assert version > 0
        assert store.campaigns.put([campaign("a"), replace(first, bid=1.0)], "bo") == Changes(updated=1, unchanged=1)
        second = store.campaigns.get(["茶"])["茶"]
        assert (second.created, second.created_by, second.changed_by, second.bid) == (first.created, "mei", "bo", 1.0)
        assert store.campaigns.version > version
        assert store.campaigns.remove(["茶", "nobody"], "li") == Changes(removed=1, unchanged=1)
        acts = [act for _, act in store.audit.scan() if act.action == WRITTEN and act.detail["campaign"] == "茶"]
        told = [
            (
                act.actor,
                *(
                    parse_campaign(orjson.loads(str(text))) if (text := act.detail[name]) else None
                    for name in ("before", "after")
                ),
            )
            for act in acts
        ]
        assert told == [("mei", None, first), ("bo", first, second), ("li", second, None)]
        assert [found.id for found in store.campaigns.scan()] == ["a"]

    @_quick
    @given(written=_campaigns)
    def test_any_campaign_comes_back_as_it_went(self, store: SqlStore, written: Campaign) -> None:
        store.catalogue.put(toy_items())
        store.campaigns.remove([found.id for found in store.campaigns.scan()])
        store.campaigns.put([written], "x")
        assert store.campaigns.get([written.id])[written.id].content == written
        assert store.campaigns.put([written]) == Changes(unchanged=1)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"bid": 0.0}, "0.0 is no amount"),
            ({"bid": -1.0}, "-1.0 is no amount"),
            ({"bid": float("nan")}, "nan is no amount"),
            ({"daily_budget": 0.0}, "daily_budget.*no amount"),
            ({"daily_budget": -5.0}, "daily_budget.*no amount"),
            ({"total_budget": float("inf")}, "total_budget.*no amount"),
            ({"daily_budget": 0.1}, "below the bid"),
            ({"items": ()}, "There are 0 items"),
            ({"items": ("garden-00", "garden-00")}, "1 of them different"),
            ({"items": ("garden-00", "nope", "none")}, "Unknown: 'nope', 'none'"),
            ({"currency": "euro"}, "no currency"),
            ({"currency": "USD"}, "Not priced in USD: 'garden-00' \\(EUR\\)"),
            ({"when": When(start=T, end=T)}, "campaign 'c', when.end: It ends before it begins"),
            ({"when": When(segments={"tier": ()})}, "can never hold"),
            ({"daily_cap": 0}, "never be shown"),
            ({"advertiser": ""}, "advertiser is empty"),
            ({"id_": "a/b"}, "slash"),
            ({"name": ""}, "no word"),
        ],
    )
    def test_what_cannot_be_is_refused_with_all_beside_it(
        self, store: SqlStore, fields: dict[str, object], words: str
    ) -> None:
        store.catalogue.put(toy_items())
        with pytest.raises(InputError, match=words):
            store.campaigns.put([campaign("fine", items=("garden-05",)), campaign(**fields)])  # type: ignore[arg-type]
        assert list(store.campaigns.scan()) == []

    def test_one_advertiser_does_not_bid_against_itself(self, store: SqlStore) -> None:
        store.catalogue.put(toy_items())
        soon, later = When(end=T), When(start=T)
        store.campaigns.put([campaign("a", when=soon), campaign("b", when=later)])  # one after the other
        with pytest.raises(InputError, match=r"Campaign '[ab]' of the same advertiser shows 'garden-00'"):
            store.campaigns.put([campaign("c")])
        with pytest.raises(InputError, match="at the same time"):
            store.campaigns.put([campaign("x", items=("garden-02",)), campaign("y", items=("garden-03", "garden-02"))])
        store.campaigns.put([campaign("c", advertiser="other")])
        store.campaigns.put([campaign("a", when=soon, items=("garden-07",)), campaign("d", when=soon)])


class StoreContract(
    CatalogueContract,
    EventLogContract,
    PeopleAndWordsContract,
    ReviewQueueContract,
    RulesContract,
    CampaignsContract,
    PrivacyContract,
):
    """All of it."""

    def test_a_second_opening_sees_everything(self, store: SqlStore, reopen: Callable[[], SqlStore]) -> None:
        store.catalogue.put(toy_items())
        store.events.append(toy_events())
        with reopen() as other:
            assert list(other.catalogue.scan()) == list(store.catalogue.scan())
            assert other.catalogue.version == store.catalogue.version
            assert other.events.frame().equals(store.events.frame())
            other.catalogue.remove(["garden-00"])
        assert store.catalogue.since(40).removed == ("garden-00",)
