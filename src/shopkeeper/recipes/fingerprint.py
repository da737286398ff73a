"""What a model was trained on, in a few figures that change when the data does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Store
from shopkeeper.training.checkpoints import Checkpoint


def fingerprint(store: Store) -> dict[str, Any]:
    """Counts and positions of the store: enough to tell whether two models saw the same data."""
    return {
        "items": store.catalogue.count(),
        "catalogue_version": store.catalogue.version,
        "events": store.events.count(),
        "events_position": store.events.position,
        "judgements": store.labels.count(),
        "customers": store.customers.count(),
        "passages": store.words.count(),
    }


def checkpoint(store: Store, settings: Settings, task: str, *about: object) -> Checkpoint:
    """Where a run of a task keeps its state, which only one with the same data, settings and `about` takes up.

    Args:
        store: What is learnt from.
        settings: `train.checkpoint_seconds` alone may change between a kill and the call that goes on.
        task: What is learnt.
        about: Whatever else the run depends on; its text is compared.
    """
    asked = settings.train.model_dump(exclude={"checkpoint_seconds"})
    lesson = json.dumps([fingerprint(store), asked, about], default=str)
    return Checkpoint(
        checkpoint_folder(settings, task),
        of=hashlib.blake2b(lesson.encode(), digest_size=16).hexdigest(),
        seconds=settings.train.checkpoint_seconds,
    )


def checkpoint_folder(settings: Settings, task: str) -> Path:
    """The folder of `checkpoint`."""
    return settings.home / "checkpoints" / task
