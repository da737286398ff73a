"""RecTools' EASE, its regularisation chosen on validation, and its SASRec with sampled softmax.

EASE: Steck 2019. SASRec: two blocks, two heads, width 64, 50 steps, dropout .5, Adam at 1e-3 with batches of 128, as for this data in
Zhou et al. 2020 ("S3-Rec"), and the loss that Tikhonovich et al. 2025 ("eSASRec") found best, with 64 negatives a step where they had a
graphics card for 256. It has no validation of its own by ranking: it learns from all it was given, for `_EPOCHS` epochs or until its time is up.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
from rectools import Columns  # type: ignore[import-not-found, unused-ignore]
from rectools.dataset import Dataset  # type: ignore[import-not-found, unused-ignore]
from rectools.models import EASEModel  # type: ignore[import-not-found, unused-ignore]

from bench.peers.sequences import TOP, Learner, Scores, chosen, pairs, read_exam, write_named

_EPOCHS = 100


def main(folder: Path, system: str) -> None:
    """Learn and name items; `system` is ``ease`` or ``sasrec``."""
    if system == "sasrec":
        _sasrec(folder)
        return
    items = read_exam(folder).items
    settings: dict[str, Learner] = {
        f"regularisation {penalty:g}": partial(_ease, items=items, penalty=penalty)
        for penalty in (500.0, 100.0, 1000.0)
    }
    chosen(folder, "rectools-ease", settings)


def _ease(sequences: Sequence[Sequence[int]], items: int, penalty: float) -> Scores:
    data = _dataset(sequences)
    model = EASEModel(regularization=penalty, num_threads=1)
    model.fit(data)
    seen = data.get_user_item_matrix(include_weights=True)
    place = data.item_id_map.convert_to_internal(np.arange(items), strict=False, return_missing=True)
    known = np.setdiff1d(np.arange(items), place[1])

    def scores(who: Any) -> Any:
        table = np.full((len(who), items), -1e9, dtype=np.float32)
        rows = data.user_id_map.convert_to_internal(who)
        table[:, known] = (seen[rows] @ model.weight)[:, place[0]]
        return table

    return scores


def _sasrec(folder: Path) -> None:
    import torch
    from pytorch_lightning import Trainer, seed_everything  # type: ignore[import-not-found, unused-ignore]
    from rectools.models import SASRecModel  # type: ignore[import-not-found, unused-ignore]

    torch.set_num_threads(1)
    exam = read_exam(folder)
    seed_everything(7, workers=True)
    trainer = Trainer(
        max_epochs=1 if exam.quick else _EPOCHS,
        max_time={"seconds": int(60 * exam.minutes)},
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = SASRecModel(
        n_blocks=2,
        n_heads=2,
        n_factors=64,
        dropout_rate=0.5,
        session_max_len=50,
        loss="sampled_softmax",
        n_negatives=64,
        lr=1e-3,
        batch_size=128,
        get_trainer_func=lambda: trainer,
        recommend_torch_device="cpu",
    )
    data = _dataset(exam.past)
    began = time.perf_counter()
    model.fit(data)
    seconds = time.perf_counter() - began
    found = model.recommend(np.arange(len(exam.past)), data, k=TOP, filter_viewed=True)
    top = found.sort_values([Columns.User, Columns.Rank])[Columns.Item].to_numpy().reshape(len(exam.past), TOP)
    epochs, most = model.fit_trainer.current_epoch, model.fit_trainer.max_epochs
    capped = "" if epochs >= most else f", stopped after {exam.minutes:g} minutes"
    notes = f"{epochs} epochs{capped}; learnt from the validation items as well"
    write_named(folder, "rectools-sasrec", top, seconds, notes)


def _dataset(sequences: Sequence[Sequence[int]]) -> Any:
    users, items = pairs(sequences)
    step = pd.Timestamp("2014-01-01") + pd.to_timedelta(np.arange(len(items)), unit="s")
    columns = {Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: step}
    return Dataset.construct(pd.DataFrame(columns))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), sys.argv[2])
