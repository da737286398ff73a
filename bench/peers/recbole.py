"""RecBole's SASRec with its own defaults, which are those that S3-Rec published for this data.

Two layers, two heads, width 64, 50 steps, dropout .5, Adam at 1e-3, batches of 256, softmax over all items (Kang & McAuley 2018; Zhou et
al. 2020, "S3-Rec", section 5.1.4). It stops once ten validations have brought nothing, or when its time is up, and the state that did best on validation is
asked.
"""

from __future__ import annotations

import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config  # type: ignore[import-not-found, unused-ignore]
from recbole.data import create_dataset, data_preparation  # type: ignore[import-not-found, unused-ignore]
from recbole.utils import get_model, get_trainer, init_seed  # type: ignore[import-not-found, unused-ignore]

from bench.peers.sequences import Exam, Scores, pairs, read_exam, top, write_named

_LENGTH = 50


class _TimeIsUp(Exception):  # noqa: N818
    pass


def main(folder: Path, system: str) -> None:
    """Learn and name items; `system` is ``sasrec``."""
    torch.set_num_threads(1)
    exam = read_exam(folder)
    config = _config(folder, exam)
    init_seed(config["seed"], True)
    dataset = create_dataset(config)
    learn, valid, _ = data_preparation(config, dataset)
    model = get_model(config["model"])(config, learn.dataset).to("cpu")
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    best: dict[str, Any] = {"value": -1.0, "state": None, "epochs": 0, "at": 0}
    began = time.perf_counter()

    def judged(_: int, value: float) -> None:
        best["epochs"] += 1
        if value > best["value"]:
            best.update(value=value, state=deepcopy(model.state_dict()), at=best["epochs"])
        if time.perf_counter() - began > 60 * exam.minutes:
            raise _TimeIsUp

    capped = ""
    try:
        trainer.fit(learn, valid, verbose=False, saved=False, show_progress=False, callback_fn=judged)
    except _TimeIsUp:
        capped = f", stopped after {exam.minutes:g} minutes"
    seconds = time.perf_counter() - began
    model.load_state_dict(best["state"])
    model.eval()
    notes = f"{best['epochs']} epochs{capped}, best after {best['at']}"
    write_named(folder, f"recbole-{system}", top(_scores(model, dataset, exam), exam.past), seconds, notes)


def _config(folder: Path, exam: Exam) -> Config:
    users, items = pairs(exam.past)
    (folder / "exam").mkdir(exist_ok=True)
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    lines += [f"{user}\t{item}\t{step}" for step, (user, item) in enumerate(zip(users, items, strict=True))]
    (folder / "exam" / "exam.inter").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.argv = sys.argv[:1]
    settings = {
        "data_path": str(folder),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": _LENGTH,
        "train_neg_sample_args": None,
        "eval_args": {"split": {"LS": "valid_only"}, "order": "TO", "mode": "full"},
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "train_batch_size": 256,
        "eval_batch_size": 4096,
        "learning_rate": 1e-3,
        "epochs": 1 if exam.quick else 200,
        "stopping_step": 10,
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "checkpoint_dir": str(folder / "saved"),
        "seed": 7,
    }
    return Config(model="SASRec", dataset="exam", config_dict=settings)


def _scores(model: Any, dataset: Any, exam: Exam) -> Scores:
    place = np.array([dataset.field2token_id["item_id"].get(str(item), 0) for item in range(exam.items)])

    def scores(who: Any) -> Any:
        steps = [place[list(exam.past[user])[-_LENGTH:]] for user in who.tolist()]
        lengths = torch.tensor([len(step) for step in steps])
        padded = torch.zeros((len(steps), _LENGTH), dtype=torch.long)
        for row, step in enumerate(steps):
            padded[row, : len(step)] = torch.from_numpy(step)
        with torch.no_grad():
            table = model.full_sort_predict({"item_id_list": padded, "item_length": lengths}).numpy()[:, place]
        table[:, place == 0] = -1e9
        return table

    return scores


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
