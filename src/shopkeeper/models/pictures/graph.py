"""Encodes pictures with an ONNX graph, several at a time where there are threads; needs no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

from shopkeeper.errors import ModelError
from shopkeeper.models.onnx import ABOUT, MODEL
from shopkeeper.models.pictures.images import Pixels
from shopkeeper.models.text import Floats, unit

_TOGETHER = 4
"""Pictures of one call: beyond a few nothing is gained on a CPU, and memory grows with each."""


class OnnxPictures:
    """A `pictures.PictureEncoder` from the folder that `picture_export.export_pictures` wrote.

    Args:
        folder: Holds model.onnx and graph.json.
        threads: Calls that run at the same time, each on one CPU thread.

    Raises:
        ModelError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            self._name, self._dimension, self._side = str(about["name"]), int(about["dimension"]), int(about["side"])
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ModelError(
                f"The exported model of pictures cannot be opened: {lines[0]}.",
                where=str(folder),
                cure="Delete the folder; it is made anew.",
            ) from error
        self._threads = max(1, threads)

    @property
    def name(self) -> str:
        """See `PictureEncoder.name`."""
        return self._name

    @property
    def dimension(self) -> int:
        """See `PictureEncoder.dimension`."""
        return self._dimension

    @property
    def side(self) -> int:
        """See `PictureEncoder.side`."""
        return self._side

    def encode(self, pictures: Sequence[Pixels] | Pixels) -> Floats:
        """See `PictureEncoder.encode`."""
        out = np.zeros((len(pictures), self._dimension), dtype=np.float32)

        def some(start: int) -> None:
            given = np.stack(list(pictures[start : start + _TOGETHER]))
            out[start : start + len(given)] = self._session.run(None, {"pictures": given})[0]

        starts = range(0, len(pictures), _TOGETHER)
        if self._threads == 1 or len(starts) == 1:
            for start in starts:
                some(start)
        elif starts:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(some, starts))
        return unit(out)
