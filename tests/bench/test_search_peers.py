"""Rivals beside ours: what the systems exchange, how rows are tuned, and a run where the environments are there."""

import json
import re

import numpy as np
import pytest

from bench.contract import ROOT
from bench.peers.exchange import Clock, Query, chosen, ndcg, read_answer, read_products, write_answer, write_exam
from bench.search_peers import PEERS, interpreter, run, slipped
from shopkeeper.evaluation.metrics import graded, ideal_grades, ndcg_at

DATA = ROOT.parent / "shared" / "data"
PRODUCTS = [
    {"id": name, "title": title, "names": title, "whole": title}
    for name, title in (("a", "red lamp"), ("b", "blue lamp"), ("c", "台灯 红色"))
]


def test_the_gain_is_the_one_of_the_metrics():
    rng = np.random.default_rng(3)
    ids = [f"i{number}" for number in range(30)]
    for _ in range(50):
        grades = {item: float(rng.integers(0, 4)) for item in rng.choice(ids, 12, replace=False).tolist()}
        ranking = rng.permutation(ids)[: rng.integers(0, 25)].tolist()
        wanted = ndcg_at(10, graded([ranking], [grades]), ideal_grades([grades]))[0]
        assert ndcg(ranking, grades) == pytest.approx(float(wanted))


def test_a_setting_is_never_chosen_on_the_query_that_it_answers():
    folds = [0, 0, 1, 1]
    assert chosen({"a": [1, 1, 0, 0], "b": [0, 0, 1, 1]}, folds) == ["b", "b", "a", "a"]
    assert chosen({"only": [0.5, 0.1, 0.2, 0.3]}, folds) == ["only"] * 4


def test_what_is_written_is_what_is_read_and_tuned_rows_follow_their_fold(tmp_path):
    queries = [Query("red lamp", "rde lamp", {"a": 3.0}, 0), Query("红色台灯", "红色台灯", {"c": 3.0}, 1)]
    write_exam(tmp_path, PRODUCTS, queries)
    assert [product.id for product in read_products(tmp_path)] == ["a", "b", "c"]

    def forwards(query, among):
        return [name for name in "abc" if among is None or name in among]

    def backwards(query, among):
        return list(reversed(forwards(query, among)))

    clock = Clock()
    with clock:
        pass
    write_answer(tmp_path, "toy", {"toy": {"f": forwards, "b": backwards}, "plain": {"f": forwards}}, clock)
    answer = read_answer(tmp_path, "toy")
    # forwards is right for the first query only, so it is what the second one gets, and the other way round
    assert answer.rows["toy"].plain == [["c", "b", "a"], ["a", "b", "c"]]
    assert answer.rows["toy"].judged == [["a"], ["c"]]
    assert answer.rows["plain"].slipped == [["a", "b", "c"]] * 2
    assert len(answer.rows["plain"].ms) == 2
    assert answer.rss_mb > 1


def test_every_long_word_slips_once_and_short_ones_never():
    rng = np.random.default_rng(0)
    for _ in range(100):
        words = slipped("usb printer for 台灯 notebooks", rng).split(" ")
        assert [words[0], words[2], words[3]] == ["usb", "for", "台灯"]
        assert words[1] != "printer"
        assert words[4] != "notebooks"
    assert slipped("red printer", np.random.default_rng(5)) == slipped("red printer", np.random.default_rng(5))


def test_each_rival_has_its_module_and_pinned_packages():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for peer in PEERS:
        assert (ROOT / "bench" / "peers" / f"{peer}.py").exists()
        pinned = (ROOT / "bench" / "peers" / f"{peer}.txt").read_text(encoding="utf-8").split()
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned)
        assert f".peers/{peer}/.installed" in makefile


@pytest.mark.slow
@pytest.mark.skipif(not all(interpreter(peer).exists() for peer in PEERS), reason="make peers")
@pytest.mark.skipif(not (DATA / "chorus_icecat").is_dir(), reason="the data set is not here")
def test_a_quick_run_has_every_system_with_and_without_typos():
    rows = {row.system: row.metrics for row in run(DATA, quick=True)}
    for name in ("bm25s, stemmed", "LanceDB hybrid, RRF", "txtai hybrid", "shopkeeper zero-shot"):
        assert {"ndcg@10", "judged_ndcg@10", "recall@200", "p50_ms", "p95_ms", "build_s", "rss_mb"} <= rows[name].keys()
        assert rows[name]["ndcg@10"].value > 0.3
        assert rows[f"{name}, typos"]["ndcg@10"].value <= rows[name]["ndcg@10"].value + 0.05
    json.dumps({name: {key: metric.value for key, metric in row.items()} for name, row in rows.items()})
