"""The child process of `videos`: takes frames out of one file and writes them to standard output.

A decoder that meets a hostile file may hang, crash or eat all memory. It does so here, alone, with limits of its own, and
without a way to the network: the container is chosen by the file's first bytes and read through a file handle, so that no
playlist can name another file.
"""

from __future__ import annotations

import io
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shopkeeper.models.pictures.images import Pixels, squared

REFUSED = 3
"""Exit status when the file is at fault; the reason is on standard error."""
_MAGIC = ((4, b"ftyp", "mov"), (0, b"\x1a\x45\xdf\xa3", "matroska"), (0, b"GIF8", "gif"))
_PIXELS = 4096 * 2304
_SEVERAL = 4
"""Times as many frames are looked at closely as are kept."""
_LONG = 1_500
"""Frames beyond which only key frames are decoded."""
_DECODED = 4_000
"""Frames that are decoded at most."""
_SCENE = 0.10
"""Mean change of a pixel, in [0, 1], that makes a new scene."""
_SIGN = 16


class Refused(Exception):  # noqa: N818
    """The file is not one that frames can be taken from."""


def frames_of(path: Path, side: int, most: int) -> tuple[Pixels, NDArray[np.float32]]:
    """Frames that differ, in order of time, and their seconds: uint8 (n, side, side, 3), float32 (n,), n >= 1."""
    import av

    with path.open("rb") as handle:
        kind = _container(handle)
        options = {"protocol_whitelist": "file", "enable_drefs": "0", "max_pixels": str(_PIXELS)}
        try:
            with av.open(handle, format=kind, options=options) as container:
                if not container.streams.video:
                    raise Refused("it has no moving pictures")
                stream = container.streams.video[0]
                context = stream.codec_context
                if not 0 < context.width * context.height <= _PIXELS:  # nothing is known of what the demuxer refused
                    raise Refused(f"its frames have no size, or more than {_PIXELS / 1e6:.1f} million pixels")
                context.thread_count = 1
                context.options = {"max_pixels": str(_PIXELS)}  # a stream may change its size on the way
                seconds = _seconds(container, stream)
                if (stream.frames or seconds * float(stream.average_rate or 25)) > _LONG:
                    context.skip_frame = "NONKEY"
                kept = _changing(_decoded(container, stream), side, seconds / most, most)
        except av.error.FFmpegError as error:
            raise Refused(f"it cannot be decoded ({error.strerror or type(error).__name__})") from error
    if not kept:
        raise Refused("it holds no frame")
    return _spread(kept, most)


def _container(handle: BinaryIO) -> str:
    head = handle.read(16)
    handle.seek(0)
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    raise Refused("it is neither mp4, mov, webm, mkv nor gif")


def _seconds(container: Any, stream: Any) -> float:
    if stream.duration and stream.time_base:
        return max(float(stream.duration * stream.time_base), 0.0)
    return max(float(container.duration or 0) / 1e6, 0.0)


def _decoded(container: Any, stream: Any) -> Iterator[tuple[float, Image.Image]]:
    """Frames one after another, as many as can be read: what is broken behind them is passed over."""
    import av

    frames = container.decode(stream)
    for number in range(_DECODED):
        try:
            frame = next(frames)
        except StopIteration:
            return
        except av.error.FFmpegError:
            if number == 0:
                raise
            return
        if frame.width * frame.height > _PIXELS:
            return
        at = float(frame.time) if frame.time is not None else float(number)
        scale = min(1.0, 640 / max(frame.width, frame.height))
        size = (max(2, round(frame.width * scale)), max(2, round(frame.height * scale)))
        yield at, frame.to_image(width=size[0], height=size[1])


def _changing(
    frames: Iterator[tuple[float, Image.Image]], side: int, every: float, most: int
) -> list[tuple[float, Pixels, NDArray[np.float32]]]:
    """The first frame, those that begin a scene, and one whenever `every` seconds have gone by; memory is bounded."""
    kept: list[tuple[float, Pixels, NDArray[np.float32]]] = []
    for at, picture in frames:
        sign = np.asarray(picture.resize((_SIGN, _SIGN), Image.Resampling.BOX), dtype=np.float32) / np.float32(255)
        new = not kept or float(np.abs(sign - kept[-1][2]).mean()) > _SCENE
        if new or at - kept[-1][0] >= every > 0:
            kept.append((at, squared(picture, side), sign))
        if len(kept) > _SEVERAL * most:
            kept = kept[::2]
    return kept


def _spread(kept: list[tuple[float, Pixels, NDArray[np.float32]]], most: int) -> tuple[Pixels, NDArray[np.float32]]:
    """Of many frames those that lie farthest apart, the first one first (Gonzalez 1985), in order of time."""
    signs = np.stack([sign.ravel() for *_, sign in kept])
    chosen = [0]
    distance = np.abs(signs - signs[0]).mean(axis=1)
    while len(chosen) < min(most, len(kept)) and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(signs - signs[chosen[-1]]).mean(axis=1))
    chosen.sort()
    return np.stack([kept[place][1] for place in chosen]), np.array([kept[place][0] for place in chosen], np.float32)


def main(arguments: list[str]) -> int:
    """``PATH SIDE MOST SECONDS MEGABYTES``: two arrays in NumPy's format on standard output, or a reason on standard error."""
    path, side, most, seconds, megabytes = Path(arguments[0]), *map(int, arguments[1:])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pixels, times = frames_of(path, side, most)
    except (Refused, OSError, MemoryError) as error:
        sys.stderr.write(str(error) or "it needs too much memory")
        return REFUSED
    written = io.BytesIO()  # a pipe cannot tell its position, which NumPy asks for
    for array in (pixels, times):
        np.lib.format.write_array(written, array, allow_pickle=False)
    sys.stdout.buffer.write(written.getbuffer())
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
