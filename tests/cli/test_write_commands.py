"""`shopkeeper write`: written, queued, approved, refused, taken back and reported."""

import json

import pytest
import toyshop
from test_commands import run  # noqa: F401 - a fixture

from shopkeeper.cli import main as cli


@pytest.fixture
def shop(run, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cli, "COMMANDS", {**cli.COMMANDS, "write": ("write",)})
    run("init")
    toyshop.toy_store(tmp_path / "shop").close()
    monkeypatch.setenv("SHOPKEEPER_MODELS__ENCODER", "use-multilingual")
    return run


def test_copy_is_written_decided_and_reported(shop):
    code, out, err = shop("write", "title", "garden-04", "--candidates", "3", "--json")
    assert code == 0, err
    wrote = json.loads(out)
    first, second = (copy["subject"] for copy in wrote["written"][0]["copies"][:2])
    _, out, _ = shop("write", "queue", "--json")
    assert {first, second} <= {copy["subject"] for copy in json.loads(out)}
    code, out, err = shop("write", "approve", first, "--rater", "anna", "--json")
    assert code == 0, err
    assert [(copy["label"], copy["rater"]) for copy in json.loads(out)] == [("publish", "anna")]
    assert json.loads(shop("write", "refuse", second, "--json")[1])[0]["label"] == "refuse"
    code, _, err = shop("write", "approve", second, "--text", "The best can, only $1")
    assert code == 1
    assert "superlative" in err
    for nothing in ("", " "):
        code, _, err = shop("write", "approve", second, "--text", nothing)
        assert code == 1
        assert "There are no words" in err
    assert json.loads(shop("write", "unapprove", first, "--json")[1])[0]["label"] == "unpublished"
    assert json.loads(shop("write", "report", "--json")[1]) == []


def test_wrong_calls_say_how_to_mend_them(shop):
    assert "one of title" in shop("write", "copy", "poem", "garden-04")[2]
    assert shop("write", "poem", "garden-04")[0] == 2
    code, _, err = shop("write", "title", "nothing")
    assert code == 1
    assert "no such item" in err
    assert shop("write", "approve", "a", "b", "--text", "x")[0] == 2
