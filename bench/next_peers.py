"""Recommender libraries side by side with ours on Amazon 2014 Beauty or Toys (`--set`): same sequences, same machine, same run, one thread.

The rivals are RecBole's SASRec, implicit's ALS and BPR, RecTools' EASE and SASRec, and cornac's BPR, each library in an environment
of its own under ``.peers/`` (``make peers-next``). All of them rank all items a user has not taken yet for the last item of each sequence, which none
is given, in an order of the items drawn by chance. The item before it is for choosing: settings of the models that learn in
seconds are searched on it (see their modules), and these then learn from it as well, for they know no user but those
they learnt; ours and RecBole's do not.

cornac's item-kNN is left out: it takes 70 ms to score the items for one user, half an hour for all.

`seconds` is what learning took with chosen settings, `rss_mb` the most memory that the process held. A model may learn for
ten minutes; its note says how many epochs that were.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import ROOT, Metric, Row
from bench.next_amazon import fill
from bench.peers.sequences import Exam, Named, read_named, write_exam
from bench.search_peers import interpreter
from shopkeeper.records import Item
from shopkeeper.retrieval.histories import read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds.exporting import item_cells

PEERS = {
    "implicit": {"als": "implicit ALS, tuned", "bpr": "implicit BPR, tuned"},
    "cornac": {"bpr": "cornac BPR, tuned"},
    "rectools": {"ease": "RecTools EASE, tuned", "sasrec": "RecTools SASRec"},
    "recbole": {"sasrec": "RecBole SASRec"},
}
"""Rivals: each a module of `bench.peers` and an environment under ``.peers/``; system to row."""
OURS = {"knn": "item-kNN, tuned", "sequence": "shopkeeper sequence", "blend": "shopkeeper blend"}
_MINUTES = 10.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)


def run(data: Path, *, quick: bool = False, seed: int = 7, set: str = "beauty") -> list[Row]:  # noqa: A002
    """One row a system; recall@10 and nDCG@10 over users.

    Args:
        data: Folder of the public data sets.
        quick: 2,000 users, one epoch (ours: three), one setting, no text vectors.
        seed: Of the numbering of the items and of the bootstrap.
        set: ``beauty`` or ``toys``.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        targets = exam(data / "amazon-2014-seqrec" / set, folder, quick, seed)
        asked = [
            ("shopkeeper", Path(sys.executable), "ours_next", OURS),
            *((peer, interpreter(peer), peer, systems) for peer, systems in PEERS.items()),
        ]
        rows = []
        for name, python, module, systems in asked:
            if not python.exists():
                print(f"{name} is left out: its environment is missing. Make it with: make peers-next", file=sys.stderr)
                continue
            for system, row in systems.items():
                try:
                    named = _named(folder, module, python, system, f"{name}-{system}")
                except RuntimeError as error:
                    if name == "shopkeeper":
                        raise
                    print(f"{row} is left out: {error}", file=sys.stderr)
                    continue
                rows.append(_row(row, named, targets, seed))
                print(f"{row}: {rows[-1].metrics['recall@10'].value:.4f} in {named.seconds:.0f} s", file=sys.stderr)
        return rows


def exam(source: Path, folder: Path, quick: bool, seed: int) -> NDArray[np.int64]:
    """Write sequences and products for all systems.

    Returns:
        int64 (users,), the last item of each, which stays here.
    """
    store = open_store(f"sqlite:///{folder / 'shop.db'}")
    try:
        fill(store, source, users=2_000 if quick else None)
        items = list(store.catalogue.scan())
        order = np.random.default_rng(seed).permutation(len(items))
        shelf = Shelf(items[place] for place in order.tolist())
        histories, _ = read(store.events.frame(), shelf)
    finally:
        store.close()
    last = histories.indptr[1:] - 1
    past = [
        histories.rows[start:end].tolist()
        for start, end in zip(histories.indptr[:-1].tolist(), last.tolist(), strict=True)
    ]
    write_exam(folder, Exam(len(items), past, _MINUTES, quick))
    lines = (json.dumps(_cells(shelf.item(row), row), ensure_ascii=False) + "\n" for row in range(len(items)))
    (folder / "products.jsonl").write_text("".join(lines), encoding="utf-8")
    return histories.rows[last]


def _cells(item: Item, row: int) -> dict[str, object]:
    return dict(item_cells(replace(item, id=str(row))))


def _named(folder: Path, module: str, python: Path, system: str, name: str) -> Named:
    command = [str(python), "-W", "ignore", "-m", f"bench.peers.{module}", str(folder), system]
    where = (
        os.environ | _ONE_THREAD | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    )  # what a library logs stays in the scratch folder
    done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"bench.peers.{module} {system} failed:\n{done.stderr[-4000:]}")
    return read_named(folder, name)


def _row(name: str, named: Named, targets: NDArray[np.int64], seed: int) -> Row:
    recall, ndcg = gains(named.top, targets)
    metrics = {
        "recall@10": Metric.mean(recall, seed),
        "ndcg@10": Metric.mean(ndcg, seed),
        "rss_mb": Metric(named.rss_mb),
    }
    return Row(name, metrics, named.seconds, named.notes)


def gains(top: Sequence[Sequence[int]], targets: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall@10 and nDCG@10 of every user, float64 (users,) each.

    >>> gains([[4, 7], [1, 2]], np.array([7, 5]))[1].round(4)
    array([0.6309, 0.    ])
    """
    hit = np.asarray(top) == targets[:, None]
    discount = 1 / np.log2(np.arange(2, hit.shape[1] + 2))
    return hit.any(axis=1).astype(np.float64), hit @ discount
