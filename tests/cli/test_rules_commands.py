"""Rules on the command line: in, out, away, and who did it."""

import json
from pathlib import Path

import pytest
from test_commands import run  # noqa: F401 - a fixture

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "rules.json"


def test_the_example_goes_in_and_comes_out_the_same(run, tmp_path):  # noqa: F811
    code, out, _ = run("rules", "import", str(EXAMPLE), "--by", "mei", "--json")
    assert (code, json.loads(out)) == (0, {"added": 4, "updated": 0, "unchanged": 0})
    assert run("rules", "export", str(tmp_path / "out.json"))[0] == 0
    written = json.loads((tmp_path / "out.json").read_text())
    assert {rule["changed_by"] for rule in written["rules"]} == {"mei"}
    assert json.loads(run("rules", "export")[1]) == written
    code, out, _ = run("rules", "import", str(tmp_path / "out.json"), "--json")
    assert json.loads(out)["unchanged"] == 4
    listed = json.loads(run("rules", "list", "--json")[1])["rules"]
    assert listed[0]["id"] == "singles-day"  # the highest priority
    assert {rule["id"]: rule for rule in listed} == {rule["id"]: rule for rule in written["rules"]}


def test_the_list_and_the_log_are_readable(run, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("COLUMNS", "400")
    run("rules", "import", str(EXAMPLE))
    out = run("rules", "list")[1]
    for words in ("pin kitchen-06 at 1", "x1.5", "双十一，水壶八折", "Garden; tier: gold", "“returns” or “退货”"):
        assert words in out
    assert "go to /help/returns" in out
    (tmp_path / "one.json").write_text(
        json.dumps([{"id": "returns", "name": "Back", "then": {"redirect": "/back"}, "enabled": False}])
    )
    run("rules", "import", str(tmp_path / "one.json"), "--by", "bo")
    code, out, _ = run("rules", "remove", "returns", "nobody", "--by", "li", "--json")
    assert (code, json.loads(out)) == (0, {"removed": 1, "unchanged": 1})
    log = json.loads(run("rules", "log", "--rule", "returns", "--json")[1])["changes"]
    assert [change["actor"] for change in log] == ["li", "bo", "cli"]
    assert log[0]["before"] == log[1]["after"]
    assert log[2]["after"]["then"] == {"redirect": "/help/returns"}
    out = run("rules", "log")[1]
    assert "changed enabled, name, then, when" in out
    assert "removed" in out
    assert len(json.loads(run("rules", "log", "--limit", "2", "--json")[1])["changes"]) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "This is not JSON"),
        ("3", "rules"),
        ('{"rules": [{"id": "a", "name": "A", "when": {"contain": ["x"]}, "then": {}}]}', "Did you mean 'contains'"),
        ('{"rules": [{"id": "a", "name": "A", "then": {"hide": ["x"]}, "prio": 1}]}', "rules.0"),
        ('{"rules": [{"id": "a", "name": "A", "then": {"redirect": "//evil.example"}}]}', "leads out of the shop"),
        ('{"rules": [{"id": "a", "name": "坏", "then": {}}]}', "does nothing"),
    ],
)
def test_a_wrong_file_says_how_to_mend_it_and_changes_nothing(run, tmp_path, text, said):  # noqa: F811
    file = tmp_path / "rules.json"
    file.write_text(text)
    code, _, err = run("rules", "import", str(file))
    assert code == 1
    assert said in err
    assert json.loads(run("rules", "list", "--json")[1])["rules"] == []


def test_files_that_are_not_there(run, tmp_path):  # noqa: F811
    assert "cannot be read" in run("rules", "import", str(tmp_path / "none.json"))[2]
    assert "cannot be written" in run("rules", "export", str(tmp_path / "none" / "out.json"))[2]
