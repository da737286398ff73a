"""Frames of a video file, taken in a process of its own: whatever the file holds, time and memory are bounded."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import InputError
from shopkeeper.models.pictures.images import Pixels
from shopkeeper.store.media import LARGEST_VIDEO

FRAMES = 12
"""Frames that are taken of one file at most."""
_SECONDS, _MEGABYTES = 20, 2_048
_CURE = "Send a whole mp4, webm or gif; the item keeps its words and pictures."
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")


def open_video(
    path: Path, side: int, *, most: int = FRAMES, seconds: int = _SECONDS
) -> tuple[Pixels, NDArray[np.float32]]:
    """Frames of a video that differ from each other, in order of time.

    A frame is taken where a scene begins and at even intervals; of those, the ones that lie farthest apart are kept.

    Args:
        path: An mp4, mov, webm, mkv or gif file.
        side: Pixels of a side of the squares they are brought to.
        most: Frames at most.
        seconds: Processor time that decoding may take.

    Returns:
        uint8 (n, side, side, 3) and float32 (n,), the seconds they stand at; n >= 1.

    Raises:
        InputError: It is too large, broken, without a frame, or takes too much time or memory.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(
            f"The video cannot be read: {error.strerror}.", where=path.name, cure="Check the path."
        ) from error
    if size > LARGEST_VIDEO:
        raise InputError(
            f"The video has {size / 1e6:.0f} MB.", where=path.name, cure=f"Send at most {LARGEST_VIDEO // 10**6} MB."
        )
    command = [sys.executable, "-m", "shopkeeper.models.pictures.frames", os.fspath(path.resolve())]
    command += [str(number) for number in (side, most, seconds, _MEGABYTES)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=6 * seconds + 10, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise InputError("The video takes too long to decode.", where=path.name, cure=_CURE) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = (
            said[-1] if done.returncode == _refused() and said else "it takes too much time or memory, or is broken"
        )
        raise InputError(f"No frames can be taken from the video: {reason}.", where=path.name, cure=_CURE)
    stream = io.BytesIO(done.stdout)
    pixels, times = (np.lib.format.read_array(stream, allow_pickle=False) for _ in range(2))
    return pixels, times


def _refused() -> int:
    from shopkeeper.models.pictures.frames import REFUSED

    return REFUSED
