"""The small parts of the assistant: limits, pace, terms, memory, wishes, sentences."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import ForbiddenError, InputError, SettingsError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.database import open_store
from shopkeeper.store.orders import Order, OrderStatus
from shopkeeper.tasks.assist.limits import LONGEST, Pace, readable
from shopkeeper.tasks.assist.memory import SOURCE, Kept, Memory, Pending, Transcript, kept
from shopkeeper.tasks.assist.phrasing import sentences
from shopkeeper.tasks.assist.sentences import SENTENCES, STATUS, Speech, day
from shopkeeper.tasks.assist.terms import Terms, read_terms
from shopkeeper.tasks.assist.turns import Proposal, Turn
from shopkeeper.tasks.assist.wishes import wish_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@given(st.text(max_size=200))
def test_what_is_read_holds_nothing_unseen(text):
    read, cut = readable(text)
    assert not cut
    assert all(letter == "\n" or letter.isprintable() for letter in read)
    assert readable(read) == (read, False)


def test_a_megabyte_is_cut_at_the_stated_length():
    read, cut = readable("词" * 1_000_000)
    assert (len(read), cut) == (LONGEST, True)
    assert readable("\x00\x1b\u200b\u202e") == ("", False)


def test_the_pace_is_kept_for_each_name_and_forgets():
    pace = Pace(2)
    assert [pace.wait(["a"], now) for now in (0.0, 1.0)] == [0.0, 0.0]
    assert pace.wait(["a"], 2.0) == pytest.approx(58.0)
    assert pace.wait(["b", ""], 2.0) == 0.0
    assert pace.wait(["a"], 60.5) == 0.0
    pace.forget("a")
    assert pace.wait(["a"], 60.6) == 0.0


def order(status, **times):
    return Order(id="S1", customer="c", placed=NOON, status=status, **times)


def test_terms_allow_what_they_say_and_nothing_later():
    terms = Terms()
    assert terms.refusal("cancel", order(OrderStatus.PLACED), NOON) is None
    assert terms.refusal("cancel", order(OrderStatus.PACKED), NOON) == "cannot_cancel"
    assert Terms(cancel_packed=True).refusal("cancel", order(OrderStatus.PACKED), NOON) is None
    assert terms.refusal("cancel", order(OrderStatus.SHIPPED), NOON) == "cannot_cancel"
    assert terms.refusal("address", order(OrderStatus.PLACED), NOON + timedelta(hours=2)) is None
    assert terms.refusal("address", order(OrderStatus.PLACED), NOON + timedelta(hours=2, seconds=1)) == "cannot_address"
    arrived = order(OrderStatus.DELIVERED, delivered=NOON)
    assert terms.refusal("return", arrived, NOON + timedelta(days=30)) is None
    assert terms.refusal("return", arrived, NOON + timedelta(days=30, seconds=1)) == "cannot_return"
    assert terms.refusal("return", order(OrderStatus.SHIPPED), NOON) == "cannot_return"


def test_terms_are_read_from_a_file_and_mistakes_named(tmp_path):
    assert read_terms(tmp_path) == Terms()
    (tmp_path / "terms.toml").write_text("return_days = 14\ncancel_packed = true\n")
    assert read_terms(tmp_path) == Terms(return_days=14, cancel_packed=True)
    for wrong in ("retrun_days = 14", "return_days = 'x'", "return_days = -1", "return_days = true", "= 3"):
        (tmp_path / "terms.toml").write_text(wrong)
        with pytest.raises(SettingsError):
            read_terms(tmp_path)


def test_memory_survives_the_transcript():
    pending = Pending(Proposal(id="p", tool="cancel", order="S1", text="?"), NOON.isoformat(), "somewhere")
    memory = Memory(
        customer="c", items=("a", "b"), wishes=("shoes",), pending=pending, done=("x",), asked=1, desk="taken"
    )
    passage = Passage(
        id="1",
        kind=PassageKind.DIALOGUE,
        text="t",
        title=Kept(memory, {"kind": "ask"}).packed(),
        author="assistant",
        source=SOURCE,
    )
    assert kept(passage) == Kept(memory, {"kind": "ask"})
    assert not pending.expired(NOON + timedelta(minutes=10))
    assert pending.expired(NOON + timedelta(minutes=10, seconds=1))
    assert pending.expired(NOON - timedelta(minutes=11))


def said(id_, time, author="customer", customer="", source=SOURCE):
    return Passage(
        id=id_,
        kind=PassageKind.DIALOGUE,
        text=id_,
        thread="t",
        author=author,
        time=time,
        customer=customer,
        source=source,
    )


def test_turns_keep_the_order_of_arrival_when_the_clock_goes_back(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/shop.db") as store:
        for name, minutes in (("z", 0), ("y", -30), ("x", 5), ("w", 5)):
            Transcript(store.words, "t", 50).add(said(name, NOON + timedelta(minutes=minutes)))
        assert [passage.id for passage in Transcript(store.words, "t", 50).passages] == ["z", "y", "x", "w"]


def test_passages_are_written_together_or_not_at_all(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/shop.db") as store:
        transcript = Transcript(store.words, "t", 50)
        with pytest.raises(InputError):
            transcript.add(said("a", NOON), said("\x00", NOON))
        assert store.words.count() == 0
        assert transcript.passages == []
        kept = transcript.add(said("z", NOON), said("y", NOON))
        assert kept[0].time < kept[1].time
        assert [passage.id for passage in Transcript(store.words, "t", 50).passages] == ["z", "y"]


def test_of_ten_thousand_turns_the_last_are_read(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/shop.db") as store:
        store.words.put(said(f"p{number:05d}", NOON + timedelta(seconds=number)) for number in range(10_000))
        assert [passage.id for passage in Transcript(store.words, "t", 3).passages] == ["p09997", "p09998", "p09999"]


def test_a_conversation_is_gone_on_with_by_its_owner_only(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/shop.db") as store:
        store.words.put([said("a", NOON), said("b", NOON + timedelta(seconds=1), customer="c")])
        transcript = Transcript(store.words, "t", 50)
        transcript.admit(Turn(text="x", customer="c"))
        for other in ("", "d"):
            with pytest.raises(ForbiddenError):
                transcript.admit(Turn(text="x", customer=other))
        store.words.put([said("past", NOON, source="")])
        with pytest.raises(ForbiddenError):
            Transcript(store.words, "t", 50).admit(Turn(text="x", customer="c"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hi, could you recommend some blue running shoes under $50?", "blue running shoes under $50"),
        ("I'm looking for a kettle", "kettle"),
        ("请问有没有红色的水壶？", "红色的水壶"),
        ("What do you recommend?", ""),
        ("", ""),
    ],
)
def test_a_wish_is_left_of_a_turn(text, left):
    assert wish_of(text) == left


def test_every_sentence_can_be_said_in_both_languages():
    holes = dict.fromkeys(
        [
            "count",
            "order",
            "day",
            "goods",
            "address",
            "carrier",
            "tracking",
            "title",
            "price",
            "name",
            "value",
            "words",
            "stars",
            "wish",
            "wants",
            "tried",
            "customer",
            "mood",
            "reason",
        ],
        "7",
    )
    for key, (english, chinese) in SENTENCES.items():
        assert english.count("{") == chinese.count("{"), key
        assert "{" not in Speech("en").say(key, **holes).text + Speech("zh").say(key, **holes).text
    assert set(STATUS.values()) <= set(SENTENCES)


def test_days():
    assert (day(NOON, "en"), day(NOON, "zh")) == ("1 May 2026", "2026年5月1日")


@given(st.lists(st.sampled_from(["It costs 5", ".50. ", "Yes", "! ", "好。", "不", "？"]), max_size=12))
def test_sentences_lose_nothing(pieces):
    assert "".join("".join(sentences(pieces)).split()) == "".join("".join(pieces).split())
