"""The encoder of pictures that a shop is set to, exported once and kept."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from shopkeeper.compute.cores import threads
from shopkeeper.errors import ModelError
from shopkeeper.models.onnx import ABOUT
from shopkeeper.models.pictures.gallery import Gallery
from shopkeeper.models.pictures.graph import OnnxPictures
from shopkeeper.models.pictures.images import Pixels
from shopkeeper.models.serving import file_name
from shopkeeper.settings import Settings

LITE = "efficientnet-lite0"
"""Comes with the package; everything else is a folder or a Hugging Face id of a CLIP-like model."""
SIDE = 224
SAMPLES = 64
"""Pictures that the int8 ranges are taken from and the graph is checked on, half each."""


def picture_encoder(settings: Settings, samples: Callable[[int], Sequence[Pixels]], *, many: bool) -> OnnxPictures:
    """The encoder named by `settings.models.pictures`; exported where that was not done yet, which takes half a minute.

    Args:
        settings: Names it, and where the cache is.
        samples: Gives pictures like those to come, uint8 (side, side, 3), for a side; two at least.
        many: For bulk encoding on all cores, not for one picture at a time.

    Raises:
        ModelError: It cannot be loaded, or there are no pictures to export it with.
    """
    count = threads(settings.compute) if many else 1
    folder = settings.cache / "onnx" / f"pictures-{file_name(settings.models.pictures)}"
    if not (folder / ABOUT).is_file():
        _export(settings, folder, samples)
    return OnnxPictures(folder, threads=count)


def open_gallery(settings: Settings, samples: Callable[[int], Sequence[Pixels]]) -> Gallery:
    """The shop's gallery, with its cache below the shop's folder; arguments as for `picture_encoder`."""
    encoder = picture_encoder(settings, samples, many=True)
    file = settings.home / "vectors" / f"pictures-{file_name(encoder.name)}.bin"
    return Gallery(encoder, settings.media, file, threads=threads(settings.compute))


def _export(settings: Settings, folder: Path, samples: Callable[[int], Sequence[Pixels]]) -> None:
    from shopkeeper.models.pictures.export import export_pictures

    name = settings.models.pictures
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        if name == LITE:
            from shopkeeper.models.pictures.efficientnet import load_body

            body, side = load_body(), SIDE
            export_pictures(body, aside, name, side, _some(samples, side))
        else:
            from shopkeeper.models.pictures.joint import load_joint

            joint = load_joint(name, settings)
            export_pictures(joint.body, aside, name, joint.side, _some(samples, joint.side))
        aside.rename(folder)
    except OSError as error:
        if not (folder / ABOUT).is_file():  # somebody else may have been faster
            raise ModelError(f"The graph cannot be written: {error}.", where=str(folder), cure="Make room.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _some(samples: Callable[[int], Sequence[Pixels]], side: int) -> Sequence[Pixels]:
    found = samples(side)
    if len(found) < 2:
        raise ModelError(
            "There are no pictures to prepare the encoder with.",
            where="media",
            cure="Import pictures: shopkeeper import media FOLDER",
        )
    return found
