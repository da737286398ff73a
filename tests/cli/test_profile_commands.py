"""Profiles on the command line."""

import json

from test_commands import run, shop  # noqa: F401 - fixtures


def test_a_profile(shop):  # noqa: F811
    code, out, _ = shop("profile", "c01", "--json")
    found = json.loads(out)
    assert (code, found["customer"]) == (0, "c01")
    assert found["interests"]
    code, out, _ = shop("profile", "nobody")
    assert code == 0
    assert "Nothing is known of nobody" in out


def test_segments_before_training(shop):  # noqa: F811
    code, out, _ = shop("segments")
    assert code == 0
    assert "shopkeeper train profile" in out


def test_a_customer_is_exported_and_erased(shop, tmp_path):  # noqa: F811
    file = tmp_path / "c03.json"
    code, out, _ = shop("customer", "export", "c03", str(file), "--json")
    assert code == 0
    assert json.loads(out)["events"] == len(json.loads(file.read_text())["events"]) > 0
    code, _, err = shop("customer", "export", "c03", str(file))
    assert code == 1
    assert "Name a new file" in err
    code, out, _ = shop("customer", "erase", "c03", "--yes", "--json")
    assert json.loads(out)["erased"] > 0
    code, out, _ = shop("customer", "erase", "c03", "--yes", "--json")
    assert (code, json.loads(out)["erased"]) == (0, 0)
