"""What a shop learnt about its pictures, at work: the bridge, the fusion and what it says of items; no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.pictures.bridge import Span
from shopkeeper.models.pictures.modes import Modes
from shopkeeper.models.text import Floats, softmax

_TOGETHER = 2_048
_INPUTS = ("text", "picture", "video", "seen")


@dataclass(frozen=True, slots=True)
class Head:
    """What the fusion can tell of an item: one question, its classes and their weights."""

    name: str
    classes: Sequence[str]
    weight: Floats
    bias: Floats


class Sight:
    """A bundle of task ``pictures``, opened.

    Attributes:
        text: From text vectors to the common space.
        picture: From what `modes.glimpses` gives to the common space.
        own: What the likeness of pictures weighs against that of words when a picture is what is searched for.
    """

    def __init__(self, text: Span, picture: Span, own: float, graph: bytes | None, heads: Sequence[Head] = ()) -> None:
        self.text, self.picture, self.own = text, picture, own
        self.heads = tuple(heads)
        self._session: onnxruntime.InferenceSession | None = None
        if graph is not None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    @classmethod
    def load(cls, bundle: Bundle, encoder: str) -> Sight:
        """Read what `recipes.pictures.looks.train_pictures` saved.

        Args:
            bundle: Of task ``pictures``.
            encoder: Name of the encoder that pictures are read with now.

        Raises:
            ModelError: It was learnt with another encoder of pictures, or the bundle is damaged.
        """
        arrays, about = bundle.arrays(), bundle.parameters
        if about.get("encoder") != encoder:
            raise ModelError(
                f"What was learnt of pictures was learnt with {about.get('encoder')}, not {encoder}.",
                where=str(bundle.folder),
                cure="Train again: shopkeeper train pictures",
            )
        try:
            text, picture = (_span(arrays, side) for side in ("text", "picture"))
            heads = [
                Head(name, classes, arrays[f"head.{place}"], arrays[f"bias.{place}"])
                for place, (name, classes) in enumerate(about["questions"])
            ]
            graph = arrays["fusion"].tobytes() if "fusion" in arrays else None
            return cls(text, picture, float(about["own"]), graph, heads)
        except (KeyError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"What was learnt of pictures cannot be read: {str(error).splitlines()[0]}.",
                where=str(bundle.folder),
                cure="Train again: shopkeeper train pictures",
            ) from error

    @property
    def width(self) -> int:
        """Length d of places in the common space."""
        return len(self.picture.arrays["straight.bias"])

    def fused(self, modes: Modes) -> Floats:
        """Items as one vector each, whatever modes they have: unit vectors float32 (n, d); zeros for those without any."""
        return _scaled(self._hidden(modes))

    def said(self, modes: Modes) -> dict[str, tuple[list[str], Floats]]:
        """What items most likely are: question to the likeliest class of each item and its probability, float32 (n,)."""
        if self._session is None:
            return {}
        hidden = self._hidden(modes)
        out = {}
        for head in self.heads:
            shares = softmax(hidden @ head.weight.T + head.bias)
            out[head.name] = ([head.classes[place] for place in shares.argmax(axis=1)], shares.max(axis=1))
        return out

    def _hidden(self, modes: Modes) -> Floats:
        """What the fusion makes of items, float32 (n, d); without one, both sides of the bridge side by side."""
        if self._session is None:
            return np.hstack([self.text(modes.text), self.picture(modes.picture)])
        parts = []
        for start in range(0, len(modes), _TOGETHER):
            some = modes.at(np.arange(start, min(start + _TOGETHER, len(modes))))
            feed = {name: np.ascontiguousarray(getattr(some, name)) for name in _INPUTS}
            parts.append(self._session.run(None, feed)[0] * (some.seen.sum(axis=1, keepdims=True) > 0))
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 1), dtype=np.float32)


def _scaled(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)


def _span(arrays: Mapping[str, NDArray[np.generic]], side: str) -> Span:
    own = {
        name.removeprefix(f"{side}."): np.asarray(value, dtype=np.float32)
        for name, value in arrays.items()
        if name.startswith(f"{side}.")
    }
    if "straight.weight" not in own:
        raise KeyError(f"{side}.straight.weight")
    return Span(own)
