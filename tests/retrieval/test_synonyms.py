from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toyshop import START

from shopkeeper.errors import InputError
from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.understanding import synonym_mining
from shopkeeper.retrieval.understanding.synonym_mining import from_clicks, from_vectors, propose
from shopkeeper.retrieval.understanding.synonyms import APPROVED, SAME, TASK, Synonyms, approved
from shopkeeper.store.database import open_store

RULES = """# what our customers say
sofa, couch
notebook => laptop, ultrabook
running shoes, trainers
连衣裙，裙子
手提电脑 => 笔记本电脑
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "synonyms.txt"
    path.write_text(RULES, encoding="utf-8")
    return Synonyms.read(path)


class Near:
    """Vectors with a known answer: what stands in one group points the same way."""

    name, dimension = "near", 4

    def encode(self, texts, side="passage", batch=64):
        groups = {"sofa": 0, "couch": 0, "lamp": 1, "desk": 2}
        return np.eye(4, dtype=np.float32)[[groups.get(text, 3) for text in texts]]


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(synonym_mining).failed == 0


@pytest.mark.parametrize(
    ("typed", "variants"),
    [
        ("red sofa", {"red couch"}),
        ("red couches", {"red sofa"}),
        ("Notebook bag", {"laptop bag", "ultrabook bag"}),
        ("laptop bag", set()),
        ("red running shoe", {"red trainers"}),
        ("running", set()),
        ("红色连衣裙", {"红色裙子"}),
        ("手提电脑 包", {"笔记本电脑 包"}),
        ("笔记本电脑", set()),
        ("", set()),
        ("!!", set()),
    ],
)
def test_rules_give_other_wordings(rules, typed, variants):
    found = rules.expand(typed)
    assert {text for text, _ in found} == variants
    assert all(share == SAME for _, share in found)


def test_a_lexicon_is_read_too(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("words\nsofa|couch|settee\n", encoding="utf-8")
    assert {text for text, _ in Synonyms.read(path).expand("sofa bed")} == {"couch bed", "settee bed"}


@pytest.mark.parametrize("rule", ["sofa", "=> sofa", "sofa =>", "a => b => c"])
def test_what_is_no_rule_is_refused_with_its_line(tmp_path, rule):
    path = tmp_path / "synonyms.txt"
    path.write_text(f"a, b\n{rule}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        Synonyms.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt"):
        Synonyms.read(tmp_path / "none.txt")


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_anything_may_be_typed(typed):
    for text, share in Synonyms({"a": {"b": 0.8}, "红": {"赤": 0.5}}).expand(typed):
        assert text != typed
        assert 0 < share <= 1


def test_clicks_on_the_same_items_propose_the_words_that_differ():
    clicks = [(query, f"shoe{n}") for query in ("red sneakers", "red trainers") for n in range(6)]
    clicks += [("red shoes sale", f"shoe{n}") for n in range(2)]
    clicks += [("garden rake", f"rake{n}") for n in range(6)] + [("园艺耙", f"rake{n}") for n in range(6)]
    found = from_clicks(clicks)
    assert {(proposal.left, proposal.right) for proposal in found} == {
        ("sneakers", "trainers"),
        ("garden rake", "园艺耙"),
    }
    assert all(0.9 < proposal.score <= 1 for proposal in found)


def test_too_little_evidence_proposes_nothing():
    assert from_clicks([]) == []
    assert from_clicks([("sofa", "s1"), ("couch", "s1")]) == []
    one_item = [(query, "s1") for query in ("sofa", "couch") for _ in range(9)]
    assert from_clicks(one_item) == []


def test_vectors_propose_what_is_near():
    (only,) = from_vectors(["sofa", "lamp", "couch", "desk"], Near())
    assert (only.left, only.right) == ("couch", "sofa")


def events():
    for place, query in enumerate(["red sofa", "red couch", "lamp"]):
        for customer in range(3):
            request = f"{place}-{customer}"
            same = {"customer": f"c{customer}", "request": request, "time": START}
            yield Event(id=f"s{request}", kind=EventKind.SEARCH, query=query.upper(), **same)
            for item in range(3):
                yield Event(id=f"k{request}-{item}", kind=EventKind.CLICK, item=f"{place // 2}-{item}", **same)


def test_nothing_mined_is_used_before_a_human_says_yes(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/shop.db")
    store.events.append(list(events()))
    propose(store)
    (question,) = store.labels.pending(TASK)
    assert question.subject == "couch|sofa"
    assert approved(store.labels) == ()
    store.labels.decide(TASK, "couch|sofa", "yes", "ann")
    assert approved(store.labels) == (("couch", "sofa"),)
    synonyms = Synonyms({}).with_pairs(approved(store.labels))
    assert synonyms.expand("blue sofas") == (("blue couch", APPROVED),)
    propose(store)
    assert store.labels.pending(TASK) == []
    store.labels.decide(TASK, "couch|sofa", "no", "ann")
    assert approved(store.labels) == ()
    store.close()
