"""Checkpoints of a run: safetensors and JSON, written aside and renamed, so that a kill at any time leaves a whole one.

A checkpoint holds what the next step depends on: the parameters that learn, buffers, the optimiser's moments, the state of
both random generators, how far the run is, what it has seen, and the best state so far.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from shopkeeper.errors import TrainingError

_TENSORS, _VALUES = "state.safetensors", "state.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run keeps its state, and how often it writes it.

    Attributes:
        folder: Made when first written. A run that finds a state of the same run there goes on from it, also from its
            end: whoever owns the folder clears it once the result is safe.
        of: What is learnt from and how, in a word that changes when either does; a state under another is not taken up.
        seconds: Wall time between two writes; 0 writes after every step.
    """

    folder: Path
    of: str = ""
    seconds: float = 60.0

    def part(self, name: str) -> Checkpoint:
        """One for another run of the same work, cleared together with this one."""
        return replace(self, folder=self.folder / name)

    def write(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Replace what is there, whole or not at all.

        Raises:
            TrainingError: The disk is full or not writable; what was there before is kept.
        """
        aside = self.folder / f".{uuid.uuid4().hex}"
        try:
            for left in self.folder.glob(".[0-9a-f]*"):  # by a kill in the middle of writing
                shutil.rmtree(left, ignore_errors=True)
            aside.mkdir(parents=True)
            save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, aside / _TENSORS)
            (aside / _VALUES).write_text(json.dumps({"of": self.of, **values}), encoding="utf-8")
            for name in (_TENSORS, _VALUES):
                with (aside / name).open("rb") as file:
                    os.fsync(file.fileno())
            if self._state.exists():
                shutil.rmtree(self._old, ignore_errors=True)
                self._state.rename(self._old)
            aside.rename(self._state)
            shutil.rmtree(self._old, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"The checkpoint cannot be written: {error}.",
                where=str(self.folder),
                cure="Make room on the disk; training goes on from the checkpoint before.",
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def read(self, run: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state written last, None when there is none or it is of a run with other settings or data.

        Args:
            run: What identifies the run beside `of`: a state under another name is not taken up.

        Raises:
            TrainingError: It is damaged.
        """
        place = (
            self._state if self._state.is_dir() else self._old
        )  # a kill between the two renames leaves the one before
        if not (place / _VALUES).is_file():
            return None
        try:
            values: dict[str, Any] = json.loads((place / _VALUES).read_text(encoding="utf-8"))
            if (values["of"], values["run"]) != (self.of, run):
                return None
            return load_file(place / _TENSORS), values
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise TrainingError(
                f"The checkpoint cannot be read: {error}.", where=str(place), cure="Remove the folder to start anew."
            ) from error

    def clear(self) -> None:
        """Remove the folder: what was learnt is safe, or is not worth going on with."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    @property
    def _old(self) -> Path:
        return self.folder / ".old"


def pack_optimiser(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The moments of an optimiser as named tensors and plain values."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for number, slots in optimiser.state_dict()["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"{number}.{name}"] = value
            else:
                values[f"{number}.{name}"] = value
    return tensors, values


def unpack_optimiser(
    optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], values: Mapping[str, Any]
) -> None:
    """Put back what `pack_optimiser` took."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in (*tensors.items(), *values.items()):
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def part_of(checkpoint: Checkpoint | None, name: str) -> Checkpoint | None:
    """`Checkpoint.part`, or None where nothing is kept."""
    return checkpoint.part(name) if checkpoint is not None else None
