"""Mail on the command line: letters for everybody, and who is told that an item is back."""

import json
from dataclasses import replace

import polars as pl
from test_commands import run, shop  # noqa: F401 - fixtures

from shopkeeper.records import Availability
from shopkeeper.store.database import open_store


def arrive(tmp_path, item):
    with open_store(f"sqlite:///{tmp_path / 'shop' / 'shop.db'}") as store:
        store.catalogue.put([replace(store.catalogue.get([item])[item], availability=Availability.IN_STOCK)])


def test_letters_for_everybody(shop, tmp_path):  # noqa: F811
    file = tmp_path / "letters.parquet"
    code, out, _ = shop("mail", "recommendations", str(file), "--items", "3", "--limit", "20", "--json")
    report = json.loads(out)
    assert (code, report["customers"], report["resumed"]) == (0, 20, 0)
    rows = pl.read_parquet(file)
    assert rows["customer"].n_unique() == 20
    assert rows["position"].max() == 3
    code, _, err = shop("mail", "recommendations", str(file), "--limit", "20")
    assert code == 1
    assert "there already" in err


def test_wrong_words(shop, tmp_path):  # noqa: F811
    assert (
        "--where takes ATTRIBUTE=VALUE"
        in shop("mail", "recommendations", str(tmp_path / "x.csv"), "--where", "gold")[2]
    )
    assert ".jsonl" in shop("mail", "recommendations", str(tmp_path / "x.txt"))[2]
    assert ".jsonl" in shop("mail", "back-in-stock", str(tmp_path / "x"))[2]
    code, _, err = shop("mail", "wait", "c01", "garden-04")
    assert code == 1
    assert "can be bought now" in err


def test_back_in_stock(shop, tmp_path):  # noqa: F811
    assert shop("mail", "wait", "c01", "garden-18")[0] == 0
    assert shop("mail", "wait", "c02", "garden-18", "--days", "5")[0] == 0
    file = tmp_path / "back.csv"
    assert json.loads(shop("mail", "back-in-stock", str(file), "--json")[1])["customers"] == 0
    file.unlink()
    arrive(tmp_path, "garden-18")
    told = json.loads(shop("mail", "back-in-stock", str(file), "--json")[1])
    assert told["customers"] == 2
    rows = pl.read_csv(file)
    assert rows["customer"].to_list() == ["c01", "c02"]
    assert rows["item"].to_list() == ["garden-18"] * 2
    assert set(rows["batch"]) == {told["batch"]}
    again = tmp_path / "again.csv"
    assert json.loads(shop("mail", "back-in-stock", str(again), "--json")[1])["customers"] == 0
    once_more = tmp_path / "once-more.jsonl"
    assert (
        json.loads(shop("mail", "back-in-stock", str(once_more), "--batch", told["batch"], "--json")[1])["customers"]
        == 2
    )
    assert "there already" in shop("mail", "back-in-stock", str(file))[2]


def test_a_run_that_was_cut_is_finished_by_the_next(shop, tmp_path):  # noqa: F811
    shop("mail", "wait", "c01", "garden-18")
    arrive(tmp_path, "garden-18")
    with open_store(f"sqlite:///{tmp_path / 'shop' / 'shop.db'}") as store:
        assert len(store.waiting.due("cut")) == 1
    (tmp_path / "back.jsonl.batch").write_text("cut")
    told = json.loads(shop("mail", "back-in-stock", str(tmp_path / "back.jsonl"), "--json")[1])
    assert (told["batch"], told["customers"]) == ("cut", 1)
    assert json.loads((tmp_path / "back.jsonl").read_text())["customer"] == "c01"
    assert not (tmp_path / "back.jsonl.batch").exists()
