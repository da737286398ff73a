import re
from pathlib import Path

import pytest

from shopkeeper import settings
from shopkeeper.errors import SettingsError


def test_the_last_source_wins(tmp_path: Path):
    (tmp_path / "shopkeeper.toml").write_text("[serve]\nport = 1000\nhost = '0.0.0.0'\n[search]\nlimit = 5\n")
    environ = {"SHOPKEEPER_SERVE__PORT": "2000", "SHOPKEEPER_SEARCH__LIMIT": "6"}
    loaded = settings.load(tmp_path, environ=environ, overrides={"serve.port": 3000})
    assert (loaded.serve.port, loaded.serve.host, loaded.search.limit) == (3000, "0.0.0.0", 6)


def test_home_comes_from_the_environment(tmp_path: Path):
    assert settings.load(environ={"SHOPKEEPER_HOME": str(tmp_path)}).home == tmp_path


@pytest.mark.parametrize(
    ("toml", "where", "cure"),
    [
        ("[serve]\nprot = 1", "serve.prot", "serve.port"),
        ("[serach]\nlimit = 1", "serach.limit", "search.limit"),
        ("[serve]\nport = 'many'", "serve.port", "docs/settings.md"),
        ("[serve]\nport = 99999", "serve.port", "docs/settings.md"),
        ("[serve\n", "shopkeeper.toml", "Mend the file"),
    ],
)
def test_a_bad_file_says_what_where_and_how_to_mend_it(tmp_path: Path, toml: str, where: str, cure: str):
    (tmp_path / "shopkeeper.toml").write_text(toml)
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path, environ={})
    assert where in caught.value.where
    assert cure in caught.value.cure


def test_settings_are_frozen(tmp_path: Path):
    loaded = settings.load(tmp_path, environ={})
    with pytest.raises(ValueError, match="frozen"):
        loaded.name = "other"  # type: ignore[misc]


def test_every_setting_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    chinese = (Path(__file__).parents[2] / "docs" / "settings.zh-CN.md").read_text(encoding="utf-8")
    for name, _, _, description in settings.describe():
        assert description, name
        row = re.search(rf"^\| `{re.escape(name)}` \|.*\| (.*) \|$", page, re.MULTILINE)
        assert row is not None, f"{name} is missing from docs/settings.md"
        assert row[1] == description, name
        assert f"`{name}`" in chinese, f"{name} is missing from docs/settings.zh-CN.md"


@pytest.mark.parametrize("dotted", ["home.x", "home.x.y"])
def test_nothing_stands_below_a_value(tmp_path: Path, dotted: str):
    with pytest.raises(SettingsError, match="has a value already") as raised:
        settings.load(tmp_path, environ={}, overrides={dotted: 1})
    assert raised.value.where == dotted
