"""Labels imported, a classifier asked under the limits of its domain, over the task, HTTP and the command line."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tinymodels import tiny_bert

from shopkeeper import settings as settings_module
from shopkeeper.domains import FILE, domain_of
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.heads import Classifier
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.recipes.texts.passages import texts_for
from shopkeeper.records import Item, PassageKind, now
from shopkeeper.serving.app import create_app
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds import import_labels
from shopkeeper.tasks.shop import Shop, open_shop

DOMAIN = """
name = "desk"
[[labels]]
task = "office"
question = { en = "Which office?", zh = "哪个部门？" }
least = 0.6
days = 10
replies = true
notice = { en = "By a model.", zh = "由模型分派。" }
classes = [{ name = "roads", title = { en = "Roads", zh = "道路" } }, { name = "water", title = { en = "Water", zh = "水务" } }]
[[labels]]
task = "ward"
question = { en = "Which ward?", zh = "哪个科？" }
[[rules]]
kind = "emergency"
words = { en = ["flood"], zh = ["洪水"] }
text = { en = "Call 119.", zh = "请拨打 119。" }
label = "water"
days = 1
tasks = ["office"]
[[rules]]
kind = "limit"
words = { en = ["bribe"] }
text = { en = "People only.", zh = "只由人工处理。" }
human = true
"""
ROWS = [
    {
        "id": f"m{n}",
        "topic": f"{'pothole in the street' if n % 2 else 'leaking pipe'} {n}",
        "detail": f"{'the road is broken and cars swerve' if n % 2 else 'tap water is brown and the pipe drips'} {n}",
        "category": ("Roads" if n % 2 else "水务"),
        "reply": f"We mended it on day {n}; write to desk@example.org.",
        "time": f"2026-01-{1 + n % 28:02d}",
    }
    for n in range(40)
]


def encode(texts):
    """Vectors by length: any encoder will do where n-grams decide."""
    lengths = np.array([[len(text), 1.0] for text in texts], dtype=np.float32)
    return lengths / np.linalg.norm(lengths, axis=1, keepdims=True)


def write(path, rows):
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A shop of the domain above with forty sorted messages and a classifier that words decide."""
    home = tmp_path_factory.mktemp("desk")
    (home / FILE).write_text(DOMAIN, encoding="utf-8")
    store = open_store(f"sqlite:///{home / 'shop.db'}")
    store.catalogue.put([Item(id="a", title="A form", language="en")])
    labels = domain_of(home).label_set("office")
    import_labels(write(home / "in.jsonl", ROWS), store, labels=labels, rejects=home / "bad.jsonl")
    texts = texts_for(store, "office")
    names = sorted(set(texts.labels))
    linear, _ = fit_linear(texts.texts, np.array([names.index(label) for label in texts.labels]), len(names))
    arrays, values = linear.save()
    bundle = save_bundle(
        home / "made",
        Card(task="office", name="Offices"),
        classifier=Classifier(tiny_bert(), classes=2),
        arrays=arrays,
        parameters={"classes": names, "linear": values, "share": 0.0, "scales": [1.0, 1.0]},
        onnx=False,
    )
    store.close()
    given = settings_module.load(
        home, environ={}, overrides={"models.encoder": "use-multilingual", "compute.threads": 1}
    )
    shop = open_shop(given)
    shop.registry.promote("office", shop.registry.add(bundle.folder))
    yield shop
    shop.close()


def test_labels_come_in_as_questions_decisions_and_replies(desk):
    store = desk.store
    asked = store.words.get(["m1"])["m1"]
    assert (asked.kind, asked.title, asked.thread) == (PassageKind.QUESTION, "pothole in the street 1", "m1")
    decided = {one.subject: one for one in store.labels.decided("office")}
    assert len(decided) == 40
    assert (decided["m1"].label, decided["m2"].label, decided["m1"].rater) == ("roads", "water", "import")
    assert decided["m1"].text.startswith("pothole in the street 1. the road")
    said = store.words.of_thread("m1")
    assert [one.author for one in said if one.id != "m1"] == ["staff"]


def test_the_same_file_again_changes_nothing_and_a_human_keeps_the_last_word(tmp_path):
    (tmp_path / FILE).write_text(DOMAIN, encoding="utf-8")
    labels = domain_of(tmp_path).label_set("office")
    file = write(tmp_path / "in.jsonl", ROWS[:4])
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        assert import_labels(file, store, labels=labels, rejects=tmp_path / "bad").added == 4
        store.labels.decide("office", "m1", "water", "Mei")
        again = import_labels(file, store, labels=labels, rejects=tmp_path / "bad")
        assert (again.added, again.unchanged, again.rejected) == (0, 4, 0)
        assert {one.subject: one.label for one in store.labels.decided("office")}["m1"] == "water"


def test_bad_rows_are_refused_with_reasons_and_good_ones_kept(tmp_path):
    (tmp_path / FILE).write_text(DOMAIN, encoding="utf-8")
    rows = [ROWS[0], {"detail": "no label"}, {"detail": "", "category": "Roads"}, {"detail": "x", "category": "Parks"}]
    file = write(tmp_path / "in.jsonl", [{**dict.fromkeys(ROWS[0], ""), **row} for row in rows])
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        labels = domain_of(tmp_path).label_set("office")
        report = import_labels(file, store, labels=labels, rejects=tmp_path / "bad.jsonl")
    assert (report.added, report.rejected) == (1, 3)
    assert set(report.reasons) == {"neither label nor reply", "no text", "no class of office"}
    assert "Parks" in (tmp_path / "bad.jsonl").read_text(encoding="utf-8")


def test_where_replies_may_not_be_shown_they_are_not_even_kept(tmp_path):
    (tmp_path / FILE).write_text(DOMAIN, encoding="utf-8")
    labels = domain_of(tmp_path).label_set("ward")
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        report = import_labels(write(tmp_path / "in.jsonl", ROWS[:3]), store, labels=labels, rejects=tmp_path / "bad")
        assert report.added == 3
        assert all("mended" not in passage.text for passage in store.words.scan())


def test_a_text_is_sorted_and_its_answer_says_what_it_is_worth(desk):
    (found,) = desk.classify.answer("office", ["the pipe drips and tap water is brown"])
    assert (found.label, found.title["zh"], found.human) == ("water", "水务", False)
    assert found.probability == found.others[0].probability > 0.6
    assert sum(one.probability for one in found.others) == pytest.approx(1, abs=1e-5)
    assert found.notice["en"] == "By a model."
    assert found.due == now().date() + timedelta(days=10)
    assert found.model == "office-v1"
    assert not found.held


def test_what_no_word_of_is_known_is_left_to_a_human(desk):
    (found,) = desk.classify.answer("office", ["zzz qqq"])
    assert found.probability < 0.6
    assert found.human


def test_a_rule_forces_the_answer_and_the_deadline(desk):
    (found,) = desk.classify.answer("office", ["the road is broken by a FLOOD and cars swerve"])
    assert (found.label, found.probability, found.human) == ("water", 1.0, False)
    assert found.others[0].label == "roads"
    assert [(one.rule.kind, one.word) for one in found.held] == [("emergency", "FLOOD")]
    assert found.due == now().date() + timedelta(days=1)


def test_a_rule_calls_a_human_however_sure_the_model_is(desk):
    (found,) = desk.classify.answer("office", ["the road is broken, they took a bribe, cars swerve"])
    assert (found.label, found.human) == ("roads", True)


def test_what_is_left_to_a_human_waits_once_in_the_queue(desk):
    found = desk.classify.answer("office", ["zzz qqq", "the pipe drips", "a bribe for the road"])
    assert desk.classify.ask(found).added == 2
    assert desk.classify.ask(found).added == 0
    waiting = desk.store.labels.pending("office")
    assert [one.text for one in waiting] == ["a bribe for the road", "zzz qqq"]
    desk.store.labels.withdraw("office")


def test_similar_messages_come_with_their_label_and_reply_without_personal_data(desk):
    (found,) = desk.classify.answer("office", ["brown tap water, the pipe drips 8"], similar=3)
    assert len(found.similar) == 3
    assert {one.label for one in found.similar} == {"water"}
    assert found.similar[0].score >= found.similar[1].score >= found.similar[2].score
    assert all(one.reply.startswith("We mended it") and "[email]" in one.reply for one in found.similar)


@pytest.mark.parametrize("texts", [[], [""], ["fine", " \n\x00 "], ["x"] * 101])
def test_no_text_or_too_many_are_refused(desk, texts):
    with pytest.raises(InputError):
        desk.classify.answer("office", texts)


def test_odd_texts_are_sorted_all_the_same(desk):
    texts = ["水管坏了 🚰", "<script>pipe</script>", "pipe\x00\x07 drips", "p" * 1_000_000, "ｐｉｐｅ", "‮pipe"]
    assert [one.task for one in desk.classify.answer("office", texts)] == ["office"] * 6


def test_a_task_without_a_classifier_says_what_to_run(desk):
    with pytest.raises(NotFoundError, match="train ward"):
        desk.classify.answer("ward", ["a text"])


def test_a_newly_promoted_version_answers_at_once(desk):
    registry = desk.registry
    second = registry.add(registry.open("office", "v1").folder)
    registry.promote("office", second)
    assert desk.classify.answer("office", ["the pipe"])[0].model == f"office-{second}"
    registry.promote("office", "v1")


def test_an_erased_citizen_is_no_longer_among_similar_texts(desk):
    asked = replace(desk.store.words.get(["m2"])["m2"], id="own", thread="own", text="my very own pipe", customer="c9")
    desk.store.words.put([asked])
    desk.classify.forget()
    assert "own" in {one.id for one in desk.classify.answer("office", ["my very own pipe"], similar=1)[0].similar}
    desk.erase("c9")
    assert "own" not in {one.id for one in desk.classify.answer("office", ["my very own pipe"], similar=40)[0].similar}


@pytest.fixture(scope="module")
def client(desk: Shop):
    with TestClient(create_app(desk, keys=None)) as made:
        yield made


def test_it_is_asked_over_http(desk, client):
    body = {"task": "office", "texts": ["a flood on the road", "zzz qqq"], "similar": 1, "ask": True}
    found = client.post("/v1/classify", json=body).json()
    assert (found["task"], found["model"], found["asked"]) == ("office", "office-v1", 1)
    first, second = found["texts"]
    assert first["rules"] == [
        {"kind": "emergency", "text": {"en": "Call 119.", "zh": "请拨打 119。"}, "word": "flood", "start": 2, "end": 7}
    ]
    assert (second["human"], first["human"]) == (True, False)
    assert first["due"] == (now().date() + timedelta(days=1)).isoformat()
    assert first["similar"][0]["reply"]
    desk.store.labels.withdraw("office")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"task": "office", "texts": []}, 400),
        ({"task": "office", "texts": ["x"] * 101}, 400),
        ({"task": "Office", "texts": ["x"]}, 400),
        ({"task": "office", "text": "x"}, 400),
        ({"task": "office", "texts": ["  "]}, 400),
        ({"task": "nothing", "texts": ["x"]}, 404),
    ],
)
def test_bad_calls_are_refused(client, body, status):
    assert client.post("/v1/classify", json=body).status_code == status
