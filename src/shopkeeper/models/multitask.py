"""One body, several tasks: each has a head of its own, all share what lies below."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from shopkeeper.errors import ModelError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.heads import Classifier


class MultiTask(nn.Module):
    """Classifiers, one for each task, that share one backbone.

    ``multi["intent"]`` is an ordinary `Classifier`: it is scored, exported and saved like any other, and learning one
    task changes the body of all. Parameters are named ``model.…`` and ``tasks.<name>.linear.…``.

    Args:
        backbone: What is shared.
        outputs: Number of outputs of each task: k classes or labels, k - 1 for k ordered classes, 1 for a number.
        dropout: Before each head.

    Attributes:
        doubts: float (tasks,), logarithm of each task's variance, for weighting by uncertainty.

    Raises:
        ModelError: A task's name has a full stop or is empty.
    """

    def __init__(self, backbone: Backbone, outputs: Mapping[str, int], *, dropout: float = 0.1) -> None:
        super().__init__()
        for name in outputs:
            if not name or "." in name:
                raise ModelError(f"{name!r} cannot name a task.", where="multi-task", cure="Use letters and hyphens.")
        self.backbone = backbone
        self.model: nn.Module = backbone.model
        self.tasks = nn.ModuleDict(
            {name: Classifier(backbone, classes=count, dropout=dropout) for name, count in outputs.items()}
        )
        self.doubts = nn.Parameter(torch.zeros(len(outputs)))

    def __getitem__(self, name: str) -> Classifier:
        """The classifier of a task."""
        classifier = self.tasks[name]
        assert isinstance(classifier, Classifier)
        return classifier

    def place(self, name: str) -> int:
        """Which of `doubts` belongs to a task."""
        return list(self.tasks).index(name)
