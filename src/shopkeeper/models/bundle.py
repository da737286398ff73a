"""A bundle: one trained model in a folder, with everything needed to serve it, train it further and judge it.

```
card.json card.md checksums.json parameters.json arrays.safetensors
backbone/   config, weights (safetensors), tokenizer, backbone.json      for further training
adapter/    in place of backbone/: what was trained on top of the base that the card names
head.safetensors                                                         of a classifier
plots/*.png                                                              shown by card.md
encoder/ or scorer/   model.onnx, tokenizer.json, graph.json             for serving, without PyTorch
```
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from shopkeeper.errors import ModelError
from shopkeeper.models import checksums
from shopkeeper.models.card import Card
from shopkeeper.models.text import Encoder, Scorer
from shopkeeper.settings import Settings

if TYPE_CHECKING:
    from shopkeeper.models.backbone import Backbone
    from shopkeeper.models.heads import Classifier

__all__ = ["Bundle", "Card", "save_bundle"]

_CARD, _PAGE, _PARAMETERS, _ARRAYS = "card.json", "card.md", "parameters.json", "arrays.safetensors"
_BACKBONE, _ENCODER, _SCORER, _HEAD = "backbone", "encoder", "scorer", "head.safetensors"
_ADAPTER = "adapter"
_PLOTS, _PNG = "plots", b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A saved model, opened; weights are read when asked for.

    Attributes:
        folder: Where it lies.
        card: What is known about it.
        parameters: Small values that belong to the model: thresholds, feature names, weights of a blend.
    """

    folder: Path
    card: Card
    parameters: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Check every file against its checksum, and read the card.

        Raises:
            ModelError: The folder is no bundle, or a file is missing, changed, cut short or foreign.
        """
        checksums.verify(folder)
        card = Card.from_json((folder / _CARD).read_text(encoding="utf-8"), str(folder / _CARD))
        place = folder / _PARAMETERS
        parameters = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
        return cls(folder, card, parameters)

    @property
    def name(self) -> str:
        """Task and version, for logs and impressions."""
        return f"{self.card.task}-{self.card.version}" if self.card.version else self.card.task

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The named arrays saved with it, empty when there are none."""
        from safetensors.numpy import load_file

        if not (self.folder / _ARRAYS).is_file():
            return {}
        try:
            return dict(load_file(self.folder / _ARRAYS))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"The arrays cannot be read: {error}.", where=str(self.folder / _ARRAYS)) from error

    def encoder(self, prefer: Literal["onnx", "torch"] = "onnx", *, threads: int = 1) -> Encoder:
        """The text encoder.

        Args:
            prefer: The ONNX graph, or PyTorch; PyTorch is also used when there is no graph.
            threads: Texts of one call that the graph takes at the same time.

        Raises:
            ModelError: This bundle has none.
        """
        if prefer == "onnx" and (self.folder / _ENCODER).is_dir():
            from shopkeeper.models.onnx import OnnxEncoder

            return OnnxEncoder(self.folder / _ENCODER, threads=threads, name=self.name)
        from shopkeeper.models.encoders import TorchEncoder

        return TorchEncoder(self.backbone())

    def scorer(self, prefer: Literal["onnx", "torch"] = "onnx", *, threads: int = 1) -> Scorer:
        """The classifier of texts or pairs, as `encoder`; where a linear model was blended in, both together."""
        tuned = self._tuned(prefer, threads)
        if "linear" not in self.parameters:
            return tuned
        from shopkeeper.models.blended import Blended
        from shopkeeper.models.linear import LinearText

        first, second = self.parameters["scales"]
        linear = LinearText.load(self.arrays(), self.parameters["linear"])
        return Blended(tuned, linear, float(self.parameters["share"]), (float(first), float(second)))

    def _tuned(self, prefer: Literal["onnx", "torch"], threads: int) -> Scorer:
        if prefer == "onnx" and (self.folder / _SCORER).is_dir():
            from shopkeeper.models.onnx import OnnxScorer

            return OnnxScorer(self.folder / _SCORER, threads=threads, name=self.name)
        from shopkeeper.models.heads import TorchScorer

        return TorchScorer(self.classifier())

    def backbone(self, settings: Settings | None = None) -> Backbone:
        """The backbone, for further training; on the device of `settings`, on the CPU when None.

        A bundle that holds an adapter only loads the base that its card names, and puts the adapter on.

        Raises:
            ModelError: This bundle has none, or its base is not to be had or not the one it was trained on.
        """
        from shopkeeper.compute.device import pick_device
        from shopkeeper.models.backbones import load_backbone, read_backbone

        if (self.folder / _ADAPTER).is_dir():
            from shopkeeper.models.adapters.delta import read_adapted

            backbone = read_adapted(self.folder / _ADAPTER, load_backbone(self.card.base, settings or Settings()))
        else:
            self._require(_BACKBONE, "backbone")
            backbone = read_backbone(self.folder / _BACKBONE)
        if settings is not None:
            backbone.model.to(pick_device(settings.compute))
        return backbone

    def classifier(self, settings: Settings | None = None) -> Classifier:
        """Backbone and head, for further training, as `backbone`."""
        from safetensors.torch import load_file

        from shopkeeper.models.heads import Classifier

        self._require(_HEAD, "classifier")
        head = load_file(self.folder / _HEAD)
        backbone = self.backbone(settings)
        classifier = Classifier(backbone, classes=head["weight"].shape[0], dropout=float(head["dropout"]))
        classifier.linear.load_state_dict({"weight": head["weight"], "bias": head["bias"]})
        return classifier.to(backbone.model.device).eval()

    def _require(self, name: str, what: str) -> None:
        if not (self.folder / name).exists():
            raise ModelError(
                f"This bundle has no {what}; it offers {', '.join(self.card.capabilities) or 'nothing'}.",
                where=str(self.folder),
                cure="Use a bundle of another task.",
            )


def save_bundle(
    folder: Path,
    card: Card,
    *,
    backbone: Backbone | None = None,
    classifier: Classifier | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
    parameters: Mapping[str, Any] | None = None,
    plots: Mapping[str, bytes] | None = None,
    onnx: bool = True,
    delta_of: str = "",
) -> Bundle:
    """Write a bundle aside and rename it: `folder` appears whole or not at all.

    Args:
        folder: Must not exist yet.
        card: Its capabilities are filled in here, and its base and licence where empty.
        backbone: An encoder to save and export; not together with `classifier`.
        classifier: A pair classifier to save and export, its backbone included.
        arrays: Arrays of numbers or booleans, by name.
        parameters: JSON values, by name.
        plots: PNG pictures that the card shows, by name, e.g. ``learning-curve``.
        onnx: Export the ONNX graph as well; without it serving uses PyTorch.
        delta_of: Name for `load_backbone` of the base under the model's active adapter: only the adapter is saved, and
            the base is loaded by that name. Empty saves the whole model.

    Raises:
        ModelError: The folder exists, both models are given, or something cannot be written.
    """
    if backbone is not None and classifier is not None:
        raise ModelError("A bundle holds a backbone or a classifier, not both.", cure="Save two bundles.")
    if folder.exists():
        raise ModelError("The folder exists already.", where=str(folder), cure="Choose a new one, or remove it.")
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        model = classifier.backbone if classifier is not None else backbone
        capabilities = _write_values(aside, arrays or {}, parameters or {})
        _write_plots(aside, plots or {})
        if model is not None:
            if delta_of:
                from shopkeeper.models.adapters import save_delta

                save_delta(model, aside / _ADAPTER)
                backbone, classifier = _folded(backbone, classifier)
            else:
                model.save(aside / _BACKBONE)
            card = replace(card, base=delta_of or card.base or model.name, licence=card.licence or model.licence)
        capabilities = _write_graphs(aside, backbone, classifier, onnx) + capabilities
        write_card(aside, replace(card, capabilities=capabilities))
        aside.rename(folder)
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise ModelError(
            f"The bundle cannot be written: {error}.", where=str(folder), cure="Check the disk and the values."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Bundle.open(folder)


def write_card(folder: Path, card: Card) -> None:
    """Write the card in both forms, and seal the folder with fresh checksums."""
    (folder / _CARD).write_text(card.to_json(), encoding="utf-8")
    plots = sorted(file.relative_to(folder).as_posix() for file in (folder / _PLOTS).glob("*.png"))
    (folder / _PAGE).write_text(card.to_markdown(plots), encoding="utf-8")
    checksums.seal(folder)


def _write_plots(folder: Path, plots: Mapping[str, bytes]) -> None:
    for name, png in plots.items():
        if re.fullmatch(r"[a-z0-9-]+", name) is None or not png.startswith(_PNG):
            raise ModelError(
                f"{name!r} is not the name of a PNG picture, or its bytes are none.",
                where=os.fspath(folder),
                cure="Use small letters, digits and -, and draw with shopkeeper.evaluation.plots.",
            )
        (folder / _PLOTS).mkdir(exist_ok=True)
        (folder / _PLOTS / f"{name}.png").write_bytes(png)


def _write_values(folder: Path, arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> tuple[str, ...]:
    if parameters:
        text = json.dumps(parameters, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / _PARAMETERS).write_text(text + "\n", encoding="utf-8")
    if not arrays:
        return ()
    from safetensors.numpy import save_file

    for name, array in arrays.items():
        if np.asarray(array).dtype.kind not in "biuf":
            raise ModelError(
                f"The array {name!r} holds {array.dtype}, which safetensors cannot.",
                where=os.fspath(folder),
                cure="Put texts into parameters, and save numbers only.",
            )
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _ARRAYS)
    return ("arrays",)


def _folded(backbone: Backbone | None, classifier: Classifier | None) -> tuple[Backbone | None, Classifier | None]:
    """Copies for the graph, with the adapter folded in where it is a change of weights."""
    from shopkeeper.models.adapters import foldable, merge

    backbone, classifier = copy.deepcopy((backbone, classifier))
    for body in (backbone, classifier.backbone if classifier is not None else None):
        if body is not None and foldable(body):
            merge(body)
    return backbone, classifier


def _write_graphs(
    folder: Path, backbone: Backbone | None, classifier: Classifier | None, onnx: bool
) -> tuple[str, ...]:
    from shopkeeper.models import export

    if backbone is not None:
        if onnx:
            export.export_onnx(backbone, folder / _ENCODER)
        return ("encoder",)
    if classifier is None:
        return ()
    from safetensors.torch import save_file
    from torch import tensor

    head = {"weight": classifier.linear.weight, "bias": classifier.linear.bias}
    saved = {name: value.detach().float().cpu().contiguous() for name, value in head.items()}
    save_file(saved | {"dropout": tensor(classifier.dropout.p)}, folder / _HEAD)
    if onnx:
        export.export_scorer(classifier, folder / _SCORER)
    return ("scorer",)
