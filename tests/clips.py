"""Small real clips, written with PyAV: scenes of known colours, clips without pictures, clips that cost much to decode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

COLOURS = ((210, 40, 40), (40, 70, 190), (250, 250, 245), (20, 20, 24), (60, 150, 80), (240, 200, 60))
KINDS = {
    "clip.mp4": "libx264",
    "older.mp4": "mpeg4",
    "clip.mov": "mpeg4",
    "clip.webm": "libvpx",
    "clip.mkv": "mpeg4",
    "clip.gif": "gif",
}
"""File names of every kind that is opened, and how their frames are written."""
_RATE = 10


def scenes(
    colours: Sequence[tuple[int, int, int]] = COLOURS, each: int = 5, size: tuple[int, int] = (96, 64)
) -> list[Pixels]:
    """Frames uint8 (height, width, 3): some seconds of each colour, with a small dark square that wanders."""
    width, height = size
    frames = []
    for number in range(each * len(colours)):
        frame = np.full((height, width, 3), colours[number // each], dtype=np.uint8)
        at = 4 + 3 * (number % each)
        frame[at : at + 8, at : at + 8] = 90
        frames.append(frame)
    return frames


def write(path: Path, frames: Iterable[Pixels], codec: str = "mpeg4", rate: int = _RATE) -> Path:
    """A clip of these frames, `rate` a second; the container follows from the file's name."""
    layout = {"gif": "rgb8"}.get(codec, "yuv420p")
    with av.open(path, "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=rate)
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = layout
                stream.codec_context.thread_count = 1
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=layout)))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def every_kind(folder: Path) -> list[Path]:
    """The same scenes in each of `KINDS`."""
    return [write(folder / name, scenes(), codec) for name, codec in KINDS.items()]


def repeated(path: Path, frame: Pixels, times: int, rate: int = _RATE) -> Path:
    """One frame, `times` over: quick to write, as slow to decode as any other clip of that length."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
        written = bytes([*stream.encode(picture), *stream.encode(None)][0])
        for number in range(times):
            packet = av.Packet(written)
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    return path


def sound_only(path: Path) -> Path:
    """A second of a tone, without pictures."""
    wave = np.sin(np.arange(1024, dtype=np.float32) / 9).astype(np.float32)[None]
    with av.open(path, "w") as container:
        stream = container.add_stream("aac" if path.suffix == ".mp4" else "libopus", rate=48_000, layout="mono")
        for number in range(40):
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def without_frames(path: Path) -> Path:
    """A container that announces pictures and holds none."""
    if path.suffix == ".gif":
        path.write_bytes(b"GIF89a" + bytes([96, 0, 64, 0, 0, 0, 0]) + b";")
        return path
    with av.open(path, "w") as container:
        stream = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    return path


def too_wide(path: Path) -> Path:
    """A gif of one small frame on a canvas of 60,000 by 60,000 pixels."""
    data = bytearray(write(path, scenes(COLOURS[:2], 1), "gif").read_bytes())
    data[6:10] = (60_000).to_bytes(2, "little") * 2
    path.write_bytes(data)
    return path
