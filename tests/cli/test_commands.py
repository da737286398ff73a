"""The command as people and programs call it: text, JSON, exit codes."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from shopkeeper.cli.main import COMMANDS, app, main, needed

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    def call(*arguments: str) -> tuple[int, str, str]:
        line = ["shopkeeper", "--home", str(tmp_path / "shop"), "--set", "models.encoder=use-multilingual", *arguments]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


@pytest.fixture
def shop(run):
    assert run("init")[0] == 0
    assert run("import", "products", str(EXAMPLES / "products.csv"))[0] == 0
    assert run("import", "events", str(EXAMPLES / "events.jsonl"))[0] == 0
    return run


def test_init_writes_settings_once(run, tmp_path):
    code, out, _ = run("--json", "init", "--name", 'A "quoted" shop')
    assert code == 0
    assert json.loads(out)["created"] is True
    assert json.loads(run("init", "--json")[1])["created"] is False
    assert 'A \\"quoted\\" shop' in (tmp_path / "shop" / "shopkeeper.toml").read_text()


def test_importing_twice_changes_nothing(shop):
    code, out, _ = shop("import", "products", str(EXAMPLES / "products.csv"), "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["added"], report["unchanged"], report["rejected"]) == (0, 40, 0)


def test_bad_rows_give_exit_code_three_and_a_file_of_reasons(run, tmp_path):
    run("init")
    file = tmp_path / "bad.csv"
    file.write_text("id,title,price\na,Good,1\nb,Bad,cheap\n")
    code, out, _ = run("import", "products", str(file), "--json")
    report = json.loads(out)
    assert code == 3
    assert report["reasons"] == {"unparsable price": 1}
    assert "cheap" in Path(report["rejects"]).read_text()


def test_export_and_import_round_trip(shop, tmp_path):
    file = tmp_path / "out.parquet"
    assert json.loads(shop("export", "products", str(file), "--json")[1])["rows"] == 40
    assert json.loads(shop("import", "products", str(file), "--json")[1])["unchanged"] == 40


def test_search_recommend_and_similar_answer_in_json(shop):
    hits = json.loads(shop("search", "garden rake", "--limit", "3", "--explain", "--json")[1])["hits"]
    assert len(hits) == 3
    assert hits[0]["reasons"]
    assert json.loads(shop("similar", hits[0]["item"], "--limit", "3", "--json")[1])["hits"]
    assert json.loads(shop("recommend", "--item", hits[0]["item"], "--limit", "3", "--json")[1])["total"] > 0


def test_train_evaluate_and_roll_back(shop):
    outcomes = json.loads(shop("train", "search", "recommend", "--json")[1])
    assert [outcome["version"] for outcome in outcomes] == ["v1", "v1"]
    shop("train", "search")
    versions = json.loads(shop("models", "--rollback", "search", "--json")[1])
    assert [(m["task"], m["version"]) for m in versions if m["live"]] == [("recommend", "v1"), ("search", "v1")]
    assert shop("evaluate", "--json")[0] == 0
    assert shop("train", "purchase", "--strict")[0] == 3


def test_keys_are_made_listed_and_revoked(shop):
    made = json.loads(shop("keys", "create", "robot", "--scope", "events", "--json")[1])
    listed = json.loads(shop("keys", "list", "--json")[1])
    assert [key["name"] for key in listed] == ["robot"]
    assert made["key"] not in json.dumps(listed)
    assert shop("keys", "revoke", listed[0]["id"])[0] == 0
    assert json.loads(shop("keys", "list", "--json")[1]) == []


def test_the_doctor_sees_an_empty_house_and_a_full_one(run):
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert any(finding["check"] == "shop" and "init" in finding["cure"] for finding in json.loads(out))
    run("init")
    assert run("doctor")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("search", "x", "--sort", "sideways"), 1, "price_asc"),
        (("similar", "nobody"), 1, "nobody"),
        (("import", "recipes", "x.csv"), 1, "products, events, reviews, texts, orders"),
        (("import", "products", "missing.csv"), 1, "missing.csv"),
        (("import", "products", "x.csv", "--map", "nonsense"), 1, "FIELD=COLUMN"),
        (("keys", "forge"), 1, "create, list or revoke"),
        (("evaluate",), 1, "shopkeeper train"),
        (("search",), 2, "query"),
        (("--set", "serve.prot=1", "doctor"), 1, "serve.port"),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(run, arguments, code, said):
    run("init")
    found, out, err = run(*arguments)
    assert found == code
    assert said in out + err


def test_every_command_stands_in_the_module_that_is_imported_for_it():
    for module in COMMANDS:
        import_module(f"shopkeeper.cli.{module}")
    for module, names in COMMANDS.items():
        own = [one for one in app.registered_commands if one.callback.__module__ == f"shopkeeper.cli.{module}"]
        found = {one.name or one.callback.__name__ for one in own}
        for group in app.registered_groups:
            inside = group.typer_instance.registered_commands
            if f"shopkeeper.cli.{module}" in {one.callback.__module__ for one in inside}:
                found.add(group.name or group.typer_instance.info.name)
        assert found == set(names), module
        for name in names:
            assert module in needed(["--home", "somewhere", name, "--help"])
    assert needed(["--help"]) == needed(["serach"]) == list(COMMANDS)
