"""What the ear learns: several labels a text, marked names, linear bundles that the reader takes up."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import TrainingError
from shopkeeper.recipes.texts.label_marks import best_thresholds, label_f1
from shopkeeper.recipes.texts.labelled_texts import Texts
from shopkeeper.recipes.texts.opinion import concern_texts, labels_of, learn_labels, train_labels, train_opinion
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import Settings
from shopkeeper.tasks.listen.models import Judge, judge
from shopkeeper.tasks.listen.phrases import Phrases
from shopkeeper.tasks.listen.reader import Reader

WORDS = {"price": "太贵了 涨价", "delivery": "快递 物流 很慢", "quality": "质量 坏了 断裂"}


def pairs(count, seed=1):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        own = [name for name in WORDS if rng.random() < 0.4]
        filler = "".join(rng.choice(list("的了是在我有和就不人都一"), 8))
        made.append((filler + " ".join(str(rng.choice(WORDS[name].split())) for name in own), own))
    return made


def test_several_labels_are_learnt_and_read_by_the_ear(tmp_path):
    bundle = train_labels(labels_of(pairs(300)), Settings(), tmp_path / "topic", task="topic")
    assert bundle.card.after["test"]["micro_f1"]["value"] > 0.95
    own = judge(bundle)
    assert isinstance(own, Judge)
    assert set(own.names(["我的快递真贵 涨价"])[0]) == {"price", "delivery"}
    reader = Reader(Phrases(()), judges={"topic": own})
    post = Passage(id="a", kind=PassageKind.POST, text="质量不行 坏了", time=datetime(2026, 5, 1, tzinfo=UTC))
    assert reader.read([post])[0].topics == ("quality",)


def test_rare_labels_and_texts_without_words_are_left_out():
    found = labels_of([*pairs(40), ("x", ["once"]), (" ", ["price"])])
    assert "once" not in found.names
    assert " " not in found.texts
    with pytest.raises(TrainingError, match="No label"):
        labels_of([("x", ["a"])])
    with pytest.raises(TrainingError, match="too few"):
        train_labels(labels_of(pairs(15), fewest=1), Settings(), None, task="topic")


def test_a_label_that_all_or_none_have_is_decided_by_that():
    always = [(text, [*own, "always"]) for text, own in pairs(60)]
    taught = learn_labels(labels_of(always))
    place = labels_of(always).names.index("always")
    assert taught.linear.chosen(["什么都没有"])[0, place]
    assert taught.probabilities(["x"]).shape == (1, 4)


@given(st.lists(st.tuples(st.booleans(), st.integers(5, 95)), min_size=1, max_size=12))
def test_thresholds_are_as_good_as_any(rows):
    wanted = np.array([[own] for own, _ in rows])
    shares = np.array([[share / 100] for _, share in rows], dtype=np.float32)
    best = label_f1(wanted, shares >= best_thresholds(wanted, shares))[0]
    tried = [label_f1(wanted, shares >= np.float32(bar))[0] for bar in [*shares[:, 0].tolist(), 0.02, 0.98]]
    if wanted.any() and len(np.unique(shares)) == len(shares):
        assert best >= max(tried) - 1e-9


def test_names_are_marked_and_told_apart(tmp_path):
    rng = np.random.default_rng(2)
    names = [f"公司{letter}{other}" for letter in "甲乙丙丁戊" for other in "金木水火"]
    rows = []
    for _ in range(200):
        bad, good = rng.choice(names, 2, replace=False).tolist()
        rows.append((f"{bad}涉嫌诈骗被立案，{good}业绩增长", [bad, good], [bad]))
    texts = concern_texts(rows)
    assert texts.labels.count("negative") == 200
    assert texts.texts[0].count("[E]") == 1
    bundle = train_opinion(texts, Settings(), tmp_path / "concern", task="concern", tuned=False)
    assert bundle.card.after["test"]["linear"]["accuracy"]["value"] > 0.9
    known = Phrases([(name, f"company:{name}") for name in names])
    reader = Reader(known, mode="finance", judges={"concern": judge(bundle)})
    post = Passage(
        id="a",
        kind=PassageKind.POST,
        text="公司甲金涉嫌诈骗被立案，公司乙木业绩增长",
        time=datetime(2026, 5, 1, tzinfo=UTC),
    )
    felt = {one.name: one.feeling for one in reader.read([post])[0].entities}
    assert felt["公司甲金"] < 0 < felt["公司乙木"]


def test_a_bar_between_labels_means_several(tmp_path):
    given = pairs(120)
    texts = Texts([text for text, _ in given], ["|".join(own) for _, own in given])
    bundle = train_opinion(texts, Settings(), tmp_path / "topic", task="topic")
    assert "labels" in bundle.parameters
    assert judge(bundle).labels is not None


def test_dangers_and_other_shops_are_learnt(tmp_path):
    rng = np.random.default_rng(3)
    words = {"safety": "起火 冒烟 漏电", "none": "好用 漂亮 喜欢"}
    labels = rng.choice(list(words), 120).tolist()
    texts = [f"{rng.choice(words[label].split())}{n}" for n, label in enumerate(labels)]
    risk = judge(train_opinion(Texts(texts, labels), Settings(), tmp_path / "risk", task="risk", tuned=False))
    others = ["not_us" if label == "safety" else "us" for label in labels]
    about = judge(train_opinion(Texts(texts, others), Settings(), tmp_path / "about", task="about", tuned=False))
    posts = [
        Passage(id=str(n), kind=PassageKind.POST, text=text, time=datetime(2026, 5, 1, tzinfo=UTC))
        for n, text in enumerate(["突然起火冒烟漏电", "漂亮好用喜欢"])
    ]
    found = Reader(Phrases(()), judges={"risk": risk, "about": about}).read(posts)
    assert [one.risk for one in found] == ["safety", ""]
    assert [one.muted for one in found] == [True, False]
