"""Asking the assistant, talking with it line by line, and the desk, as people and programs call them."""

import io
import json
import sys
from pathlib import Path

import pytest

from shopkeeper.cli.main import main
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.database import open_store


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    store = open_store(f"sqlite:///{folder / 'shop.db'}")
    store.words.put([
        Passage(id="returns", kind=PassageKind.POLICY, title="Returns", language="en",
                text="You can return any item within 30 days of delivery."),
    ])  # fmt: skip
    store.close()
    return folder


@pytest.fixture
def run(home, monkeypatch, capsys):
    def call(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        line = ["shopkeeper", "--home", str(home), "--set", "models.encoder=use-multilingual", *arguments]
        monkeypatch.setattr(sys, "argv", line)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_a_question_in_text_and_json(run):
    question = "How long do I have to return an item?"
    code, out, _ = run("ask", question)
    assert code == 0
    assert "30 days" in out
    reply = json.loads(run("ask", question, "--json")[1])
    assert reply["citations"][0]["id"] == "returns"
    assert reply["language"] == "en"
    assert json.loads(run("ask", question, "--language", "zh", "--json")[1])["language"] == "zh"


def test_a_conversation_and_a_hand_over_to_the_desk(run):
    typed = "Hello\nI want to talk to a human\nquit\nnever read\n"
    code, out, _ = run("ask", "--customer", "ann", "--conversation", "talk-1", typed=typed)
    assert code == 0
    assert out.count("> ") == 3
    waiting = json.loads(run("desk", "list", "--json")[1])
    assert [(one["conversation"], one["customer"], one["taken"]) for one in waiting] == [("talk-1", "ann", False)]
    assert "talk-1" in run("desk", "list")[1]
    assert run("desk", "take", "talk-1", "--staff", "mia")[0] == 0
    assert run("desk", "take", "talk-1", "--staff", "tom")[0] == 1
    assert run("desk", "say", "talk-1", "Good morning", "--staff", "mia")[0] == 0
    assert run("desk", "say", "talk-1", " \x00", "--staff", "mia")[0] == 1
    turns = json.loads(run("desk", "show", "talk-1", "--json")[1])
    assert [turn["author"] for turn in turns][-1] == "staff"
    heard = next(turn["id"] for turn in turns if turn["author"] == "customer")
    replied = next(turn["id"] for turn in turns if turn["author"] == "assistant")
    assert run("desk", "rate", replied, "down", "--better", "Somebody comes at once.")[0] == 0
    assert run("desk", "intent", heard, "contact_human_agent")[0] == 0
    assert run("desk", "intent", replied, "contact_human_agent")[0] == 1
    assert run("desk", "show", "nowhere")[0] == 1
    assert run("desk", "close", "talk-1", "--staff", "mia")[0] == 0
    assert run("desk", "close", "talk-1")[0] == 1
    assert json.loads(run("desk", "list", "--json")[1]) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ask", "--json"), 1),
        (("ask", "Hi", "--language", "fr"), 2),
        (("ask", "Hi", "--conversation", "talk-1", "--customer", "bob"), 1),
        (("desk", "take", "nowhere"), 1),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(run, arguments, code):
    found, out, err = run(*arguments)
    assert found == code
    assert out + err


def test_an_empty_line_or_the_end_of_input_ends_the_talk(run):
    assert run("ask", typed="\n")[0] == 0
    assert run("ask", typed="")[0] == 0
