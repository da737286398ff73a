"""Learning who is persuaded and choosing whom to treat, on the command line."""

import json
from importlib import import_module

import numpy as np
import polars as pl
import pytest
from test_commands import run  # noqa: F401 - a fixture

import_module("shopkeeper.cli.uplift")


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    n = 1200
    frame = pl.DataFrame({"id": [f"c{number}" for number in range(n)], "age": rng.integers(18, 80, n)})
    treated = rng.random(n) < 0.5
    bought = rng.random(n) < 0.1 + 0.5 * treated * (frame["age"] < 40).to_numpy()
    whole = frame.with_columns(pl.Series("coupon", treated.astype(int)), pl.Series("visit", bought.astype(int)))
    whole.write_csv(tmp_path / "trial.csv")
    frame.write_parquet(tmp_path / "customers.parquet")
    return tmp_path


def test_train_and_choose(run, files):  # noqa: F811
    trial, people, out = str(files / "trial.csv"), str(files / "customers.parquet"), files / "out.csv"
    code, _, err = run("uplift", "who", people)
    assert code == 1
    assert "uplift train" in err
    code, said, _ = run("uplift", "train", trial, "--treated", "coupon", "--outcome", "visit", "--json")
    report = json.loads(said)
    assert code == 0
    assert report["model"] == "uplift-v1"
    assert report["left_out"] == ["id"]
    assert report["after"]["cross-fitted"]["qini"] > 0.2
    code, said, _ = run("uplift", "who", people, "--share", "0.2", "--out", str(out), "--json")
    found = json.loads(said)
    table = pl.read_csv(out)
    assert (code, found["customers"], found["treat"]) == (0, 1200, 240)
    assert table.columns == ["id", "age", "gain", "treat"]
    assert table.filter(pl.col("treat"))["age"].max() < 45
    assert found["expected_gain"] == pytest.approx(table.filter(pl.col("treat"))["gain"].sum())
    code, said, _ = run("uplift", "who", people, "--cost", "1", "--benefit", "4", "--out", str(out))
    assert code == 0
    assert "are to be treated" in said
    assert 0 < pl.read_csv(out)["treat"].sum() < 600


def test_wrong_words(run, files):  # noqa: F811
    trial = str(files / "trial.csv")
    assert run("uplift", "train")[0] == 2
    assert run("uplift", "train", trial, "--campaign", "spring")[0] == 2
    code, _, err = run("uplift", "train", trial, "--treated", "coupons", "--outcome", "visit")
    assert code == 1
    assert "'coupons'" in err
    code, _, err = run("uplift", "train", trial, "--treated", "coupon", "--outcome", "id")
    assert code == 1
    assert "not a number" in err
    code, _, err = run("uplift", "train", str(files / "none.csv"))
    assert code == 1
    assert "no such file" in err
    code, _, err = run("init")
    code, _, err = run("uplift", "train", "--campaign", "spring")
    assert code == 1
    assert "'spring'" in err
