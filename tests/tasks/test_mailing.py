"""Letters for everybody: the same answers as one by one, nobody twice, whatever is cut where."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from toyshop import CUSTOMERS, taste_of_customer, toy_customers, toy_store

from shopkeeper.errors import InputError
from shopkeeper.records import Availability, Customer, Event, EventKind, Request, now
from shopkeeper.retrieval.histories import read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import RecommendSettings
from shopkeeper.store.sessions import MemorySessions
from shopkeeper.tasks.recommend import mailing
from shopkeeper.tasks.recommend import task as recommend
from shopkeeper.tasks.recommend.behaviour import Parameters, fit
from shopkeeper.tasks.recommend.mailing import Mailing, compose
from shopkeeper.tasks.recommend.task import RecommendTask


class Toy:
    """The toy shop with its store and task."""

    def __init__(self, path: Path) -> None:
        self.store = toy_store(path)
        self.shelf = Shelf(self.store.catalogue.scan())
        histories, _ = read(self.store.events.frame(), self.shelf)
        behaviour = fit(histories, self.shelf, None, Parameters(), float(histories.times.max()))
        self.task = RecommendTask(
            self.shelf,
            behaviour,
            RecommendSettings(),
            recent=MemorySessions(self.store.events).recent,
            bought=lambda customer: {
                event.item for event in self.store.events.of_customer(customer) if event.kind is EventKind.PURCHASE
            },
        )

    def compose(self, path, *, resume=False, record=None, **options):
        return compose(
            self.store,
            self.task.answers,
            record or self.store.events.append,
            Mailing(**options),
            path,
            resume=resume,
        )

    def impressions(self):
        return [
            event for _, event in self.store.events.scan(kinds=[EventKind.IMPRESSION]) if event.id.startswith("email")
        ]


@pytest.fixture
def toy(tmp_path):
    made = Toy(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(mailing, "_BLOCK", 7)


def letters(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("cells", [1, 200, 10**7])
def test_many_at_once_are_answered_as_one_by_one(toy, monkeypatch, cells):
    monkeypatch.setattr(recommend, "_CELLS", cells)
    time = now()
    toy.store.events.append([Event(id="no", time=time, kind=EventKind.DISMISS, customer="c03", item="kitchen-06")])
    people = [*toy_customers(), Customer(id="stranger", language="zh")]
    requests = [
        Request(customer=person.id, language=person.language, limit=8, explain=True, surface="email", time=time)
        for person in people
    ]
    for request, many in zip(requests, toy.task.answers(requests), strict=True):
        one = toy.task.answer(request)
        assert many.request == one.request
        assert (many.total, many.model) == (one.total, one.model)
        np.testing.assert_allclose([h.score for h in many.hits], [h.score for h in one.hits], rtol=1e-4, atol=1e-6)
        # products of matrices round differently by their shape: what is level may change places, or fall off the end
        last = max(many.hits[-1].score, one.hits[-1].score) + 1e-4
        ours, theirs = ({hit.item: hit for hit in found.hits} for found in (many, one))
        assert {item for item, hit in ours.items() if hit.score > last} == {
            item for item, hit in theirs.items() if hit.score > last
        }
        for item in ours.keys() & theirs.keys():
            assert ours[item].propensity == theirs[item].propensity
            assert ours[item].reasons == theirs[item].reasons
            np.testing.assert_allclose(ours[item].score, theirs[item].score, rtol=1e-4, atol=1e-6)
    assert toy.task.answers([]) == []


def test_everybody_gets_one_letter_to_their_taste(toy, tmp_path):
    posted = toy.compose(tmp_path / "out" / "letters.jsonl", items=4)
    found = letters(posted.path)
    assert (posted.customers, posted.resumed, posted.silent) == (CUSTOMERS, 0, 0)
    assert [letter["customer"] for letter in found] == sorted(customer.id for customer in toy_customers())
    assert len({letter["request"] for letter in found}) == CUSTOMERS
    for letter in found:
        taste = taste_of_customer(letter["customer"])
        assert {item["item"].split("-")[0] for item in letter["items"]} == {taste}
        assert all(item["title"] and item["reasons"][0]["text"]["zh"] for item in letter["items"])
    assert [path.name for path in posted.path.parent.iterdir()] == ["letters.jsonl"]


def test_what_is_written_to_is_logged_so_that_clicks_tie_back(toy, tmp_path):
    posted = toy.compose(tmp_path / "letters.jsonl", items=3)
    logged = {event.request: event for event in toy.impressions()}
    assert len(logged) == CUSTOMERS
    for letter in letters(posted.path):
        event = logged[letter["request"]]
        assert event.customer == letter["customer"]
        assert event.impression.items == tuple(item["item"] for item in letter["items"])
        assert event.impression.positions == (1, 2, 3)
        assert (event.impression.surface, event.impression.model) == ("email", letter["model"])
    count = len(toy.impressions())
    toy.compose(tmp_path / "quiet.jsonl", impressions=False)
    assert len(toy.impressions()) == count


@pytest.mark.parametrize(
    ("ending", "after", "logged"),
    [("jsonl", 0, False), ("jsonl", 8, True), ("csv", 3, False), ("parquet", 1, True), ("parquet", 8, False)],
)
def test_a_run_that_was_cut_goes_on(toy, tmp_path, ending, after, logged):
    path, blocks = tmp_path / f"letters.{ending}", []

    def record(events):
        blocks.append(len(events))
        if len(blocks) <= after or logged:
            toy.store.events.append(events)
        if len(blocks) > after:
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        toy.compose(path, items=2, record=record)
    assert not path.exists()
    with pytest.raises(InputError, match="--resume"):
        toy.compose(path, items=2)
    with pytest.raises(InputError, match="items = 2, not 3"):
        toy.compose(path, items=3, resume=True)
    posted = toy.compose(path, items=2, resume=True)
    assert (posted.customers, posted.resumed) == (CUSTOMERS, min(7 * (after + 1), CUSTOMERS))
    read_ = {"jsonl": pl.read_ndjson, "csv": pl.read_csv, "parquet": pl.read_parquet}[ending]
    rows = read_(path)
    assert rows["customer"].unique().sort().to_list() == sorted(customer.id for customer in toy_customers())
    assert rows["request"].n_unique() == CUSTOMERS
    assert rows["time"].n_unique() == 1
    assert len(toy.impressions()) == CUSTOMERS
    assert {event.request for event in toy.impressions()} == set(rows["request"])


def test_resume_starts_where_nothing_was_begun(toy, tmp_path):
    assert toy.compose(tmp_path / "letters.jsonl", resume=True).customers == CUSTOMERS
    with pytest.raises(InputError, match="there already"):
        toy.compose(tmp_path / "letters.jsonl", resume=True)


def test_whom_it_may_concern(toy, tmp_path):
    people = {
        "c00": {"tier": "gold", "news": "Yes"},
        "c01": {"tier": "silver", "news": "no"},
        "c02": {"tier": "gold"},
        "c03": {"tier": "new", "news": "是"},
    }
    toy.store.customers.put([Customer(id=name, attributes=own) for name, own in people.items()])
    toy.store.events.append(
        [Event(id="x", time=now(), kind=EventKind.VIEW, customer="not on record", item="garden-01")]
    )

    def who(**options):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        toy.compose(path, impressions=False, **options)
        return [letter["customer"] for letter in letters(path)]

    assert who(where={"tier": ("gold",)}) == ["c00", "c02"]
    assert who(where={"tier": ("gold", "new")}, consent="news") == ["c00", "c03"]
    assert who(consent="news") == ["c00", "c03"]
    assert who(where={"tier": ("bronze",)}) == []
    assert who(limit=10) == [f"c{n:02d}" for n in range(10)]
    everybody = who()
    assert everybody == sorted(everybody)
    assert "not on record" in everybody
    assert len(everybody) == CUSTOMERS + 1


def test_a_limit_holds_over_a_cut(toy, tmp_path):
    def record(_):
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        toy.compose(tmp_path / "letters.jsonl", limit=10, record=record)
    assert toy.compose(tmp_path / "letters.jsonl", limit=10, resume=True).customers == 10


def test_nothing_to_recommend(toy, tmp_path):
    sold = [replace(item, availability=Availability.OUT_OF_STOCK) for item in toy.store.catalogue.scan()]
    for item in sold:
        toy.shelf.put(item)
    posted = toy.compose(tmp_path / "letters.csv")
    assert (posted.customers, posted.silent) == (0, CUSTOMERS)
    assert (tmp_path / "letters.csv").read_text().startswith("customer,language,request")
    assert toy.impressions() == []


def test_a_table_has_a_row_an_item_and_no_formulas(toy, tmp_path):
    odd = replace(toy.store.catalogue.get(["garden-00"])["garden-00"], id="odd", title='=HYPERLINK("x")')
    toy.store.catalogue.put([odd])
    toy.shelf.put(odd)
    toy.compose(tmp_path / "letters.csv", items=30)
    with (tmp_path / "letters.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["position"]) for row in rows[:3]] == [1, 2, 3]
    assert not any(row["title"].startswith("=") for row in rows)
    languages = {customer.id: customer.language for customer in toy_customers()}
    first = next(row for row in rows if languages[row["customer"]] == "zh")
    assert any("一" <= letter <= "鿿" for letter in first["reason"])


def test_names_that_cannot_be_written(toy, tmp_path):
    with pytest.raises(InputError, match=r"\.jsonl, \.csv, \.parquet"):
        toy.compose(tmp_path / "letters.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises((InputError, OSError)):
        toy.compose(tmp_path / "file" / "letters.csv")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from shopkeeper.tasks.recommend import mailing
from test_mailing import Toy
mailing._BLOCK = 7
toy = Toy(Path(sys.argv[1]))
count = 0
def record(events):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    toy.store.events.append(events)
toy.compose(Path(sys.argv[1]) / "letters.jsonl", items=2, record=record)
"""


def test_kill_9(tmp_path):
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *folders], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    toy = Toy(tmp_path)
    posted = toy.compose(tmp_path / "letters.jsonl", items=2, resume=True)
    assert (posted.customers, posted.resumed) == (CUSTOMERS, 21)
    found = letters(posted.path)
    assert [letter["customer"] for letter in found] == sorted(customer.id for customer in toy_customers())
    shown = [event.request for event in toy.impressions()]
    assert sorted(shown) == sorted(letter["request"] for letter in found)
    toy.store.close()
