"""`init --domain`, `import labels` and `classify` as people type them."""

import json
import tomllib

import pytest
from test_asking import DOMAIN, ROWS, desk, write  # noqa: F401 - a fixture
from typer.testing import CliRunner

from shopkeeper.cli import classify, data  # noqa: F401 - they register their commands
from shopkeeper.cli.main import app
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.settings import load


@pytest.fixture
def run(tmp_path):
    def call(*arguments, home=tmp_path / "shop"):
        return CliRunner().invoke(app, ["--home", str(home), "--json", *arguments])

    return call


def test_a_domain_brings_its_settings_rules_and_words(run, tmp_path):
    told = json.loads(run("init", "--domain", "education").stdout)
    assert (told["domain"], told["written"]) == ("education", ["shopkeeper.toml", "domain.toml", "logic.txt"])
    settings = load(tmp_path / "shop", environ={})
    assert (settings.ads.enabled, settings.recommend.diversity) == (False, 0.2)
    assert "age_group" in (tmp_path / "shop" / "logic.txt").read_text(encoding="utf-8")
    assert tomllib.loads((tmp_path / "shop" / "domain.toml").read_text(encoding="utf-8"))["name"] == "education"


def test_what_is_there_already_is_kept(run, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "logic.txt").write_text("# mine\n", encoding="utf-8")
    assert json.loads(run("init", "--domain", "media").stdout)["written"] == ["shopkeeper.toml", "domain.toml"]
    assert (tmp_path / "shop" / "logic.txt").read_text(encoding="utf-8") == "# mine\n"
    assert json.loads(run("init", "--domain", "media").stdout)["written"] == []


def test_a_shop_is_a_shop(run, tmp_path):
    told = json.loads(run("init").stdout)
    assert (told["domain"], told["written"]) == ("shop", ["shopkeeper.toml"])
    assert load(tmp_path / "shop", environ={}).ads.enabled


def test_an_unknown_domain_makes_nothing(run, tmp_path):
    assert isinstance(run("init", "--domain", "law").exception, InputError)
    assert not (tmp_path / "shop").exists()


def test_labels_need_a_task(run, tmp_path):
    own = tmp_path / "desk.toml"
    own.write_text(DOMAIN, encoding="utf-8")
    run("init", "--domain", str(own))
    file = str(write(tmp_path / "in.jsonl", ROWS))
    assert "--task" in str(run("import", "labels", file).exception)
    assert json.loads(run("import", "labels", file, "--task", "office").stdout)["added"] == 40
    assert isinstance(run("classify", "office", "a text").exception, NotFoundError)


def test_texts_are_sorted_and_rules_said(desk, run, tmp_path):  # noqa: F811
    file = tmp_path / "texts.txt"
    file.write_text("a flood on the road\n\nthe pipe drips\n", encoding="utf-8")
    home = desk.settings.home
    found = json.loads(run("classify", "office", "--file", str(file), home=home).stdout)
    assert [one["label"] for one in found["texts"]] == ["water", "water"]
    assert found["texts"][0]["rules"][0]["text"]["en"] == "Call 119."
    plain = CliRunner().invoke(app, ["--home", str(home), "classify", "office", "a flood", "--ask"])
    assert "EMERGENCY (flood): Call 119." in plain.stdout
    assert "By a model." in plain.stdout
    assert run("classify", "office", home=home).exit_code == 2


def test_hot_matters_of_a_window_with_likes_from_a_file(desk, run, tmp_path):  # noqa: F811
    likes = tmp_path / "likes.csv"
    likes.write_text("id,likes\nm1,5\n", encoding="utf-8")
    home = desk.settings.home
    assert json.loads(run("hot", "--days", "0.001", home=home).stdout) == []
    assert run("hot", "--days", "100000", "--likes", str(likes), home=home).exit_code == 0
    likes.write_text("id,likes\nm1,many\n", encoding="utf-8")
    assert isinstance(run("hot", "--likes", str(likes), home=home).exception, InputError)
