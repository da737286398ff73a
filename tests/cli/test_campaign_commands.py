"""Campaigns on the command line."""

import json
from pathlib import Path

import pytest
from test_commands import run  # noqa: F401 - a fixture

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def shop(run):  # noqa: F811
    assert run("init")[0] == 0
    assert run("import", "products", str(EXAMPLES / "products.csv"))[0] == 0
    return run


def test_in_paused_reported_and_away(shop, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    code, out, _ = shop("campaigns", "put", str(EXAMPLES / "campaigns.json"), "--by", "mei", "--json")
    assert (code, json.loads(out)) == (0, {"added": 2, "updated": 0, "unchanged": 0})
    listed = json.loads(shop("campaigns", "list", "--json")[1])["campaigns"]
    assert [(campaign["id"], campaign["changed_by"]) for campaign in listed] == [("cans", "mei"), ("rakes", "mei")]
    assert "20 EUR" in shop("campaigns", "list")[1]
    assert json.loads(shop("campaigns", "pause", "rakes", "--json")[1])["changed"] is True
    assert json.loads(shop("campaigns", "pause", "rakes", "--json")[1])["changed"] is False
    assert json.loads(shop("campaigns", "show", "rakes", "--json")[1])["paused"] is True
    assert json.loads(shop("campaigns", "resume", "rakes", "--json")[1])["paused"] is False
    assert "Greenleaf" in shop("campaigns", "show", "rakes")[1]
    report = json.loads(shop("campaigns", "report", "rakes", "--days", "3", "--json")[1])
    assert (report["campaign"], report["showings"], report["days"]) == ("rakes", 0, [])
    assert "showings" in shop("campaigns", "report", "rakes", "--until", "2026-05-01")[1]
    assert json.loads(shop("campaigns", "remove", "rakes", "no", "--json")[1]) == {"removed": 1, "unchanged": 1}
    assert shop("campaigns", "show", "rakes")[0] == 1


def test_a_table_does_as_well(shop, tmp_path):
    table = tmp_path / "campaigns.csv"
    table.write_text(
        "id,name,advertiser,items,bid,currency,daily_budget,contains,end,paused\n"
        "rakes,Rakes,acme,garden-00|garden-02,0.4,EUR,20,rake|园艺,2027-01-01,true\n"
        "pans,Pans,acme,kitchen-00,0.4,EUR,,,,\n",
        encoding="utf-8",
    )
    assert json.loads(shop("campaigns", "put", str(table), "--json")[1])["added"] == 2
    kept = json.loads(shop("campaigns", "show", "rakes", "--json")[1])
    assert kept["items"] == ["garden-00", "garden-02"]
    assert kept["when"] == {"contains": ["rake", "园艺"], "end": "2027-01-01T00:00:00+00:00"}
    assert kept["paused"] is True
    assert "when" not in json.loads(shop("campaigns", "show", "pans", "--json")[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "at least 1 item"),
        ('[{"id": "x"}]', "Field required"),
        ('[{"id": "x", "bids": 1}]', "no field 'bids'"),
        (
            '[{"id":"x","name":"X","advertiser":"a","items":["garden-00"],"bid":1,"currency":"EUR","daily_budget":-1}]',
            "-1.0 is no amount",
        ),
        ('[{"id":"x","name":"X","advertiser":"a","items":["nope"],"bid":1,"currency":"EUR"}]', "Unknown: 'nope'"),
    ],
)
def test_bad_files_are_refused_whole(shop, tmp_path, text, said):
    file = tmp_path / "bad.json"
    file.write_text(text)
    code, _, err = shop("campaigns", "put", str(file))
    assert code == 1
    assert said in err
    assert json.loads(shop("campaigns", "list", "--json")[1])["campaigns"] == []


def test_a_missing_file_is_named(shop, tmp_path):
    code, _, err = shop("campaigns", "put", str(tmp_path / "none.json"))
    assert code == 1
    assert "none.json" in err
