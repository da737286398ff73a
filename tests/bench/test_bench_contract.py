"""The benches keep their contract: names, arguments, JSON."""

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import BENCHES
from bench.contract import ROOT, Metric
from bench.report import table

DATA = ROOT.parent / "shared" / "data"


def bench(*arguments):
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=True).stdout


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_runs_by_data_quick_and_seed(name):
    module = importlib.import_module(BENCHES[name])
    parameters = inspect.signature(module.run).parameters
    assert {"data", "quick", "seed"} <= parameters.keys()
    assert module.__doc__
    assert module.run.__doc__


def test_the_list_explains_each():
    lines = bench("list").splitlines()
    assert [line.split()[0] for line in lines] == list(BENCHES)
    assert all(len(line.split()) > 4 for line in lines)


def test_a_mean_comes_with_its_interval():
    metric = Metric.mean([0.0, 1.0, 1.0, 1.0])
    assert metric.low < metric.value == 0.75 < metric.high


def test_every_result_kept_is_whole():
    for file in (ROOT / "bench" / "results").glob("*.json"):
        report = json.loads(file.read_text(encoding="utf-8"))
        assert {"bench", "args", "commit", "machine", "date", "rows", "command"} <= report.keys(), file.name
        assert any(row["system"].startswith("shopkeeper") for row in report["rows"]), file.name
        assert table(report["rows"])
        assert "/" not in report["command"].replace("--", ""), "no path of a machine in a command"


@pytest.mark.slow
def test_a_quick_run_writes_what_the_contract_says(tmp_path: Path):
    file = tmp_path / "found.json"
    bench("recommend-practice", "--quick", "--json", file)
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["bench"] == "recommend-practice"
    assert report["args"]["quick"] is True
    rows = {row["system"]: row["metrics"] for row in report["rows"]}
    assert {"popularity", "shopkeeper blend"} <= rows.keys()
    assert 0 <= rows["shopkeeper blend"]["recall@10"]["value"] <= 1


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not on this machine")
def test_a_quick_learning_run_on_real_texts(tmp_path: Path):
    file = tmp_path / "found.json"
    bench("learning", "--task", "banking77-10", "--quick", "--json", file)
    rows = {row["system"]: row["metrics"] for row in json.loads(file.read_text(encoding="utf-8"))["rows"]}
    assert rows["shopkeeper banking77-10"]["accuracy"]["value"] > 0.5, "77 classes: chance is .013"
