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
