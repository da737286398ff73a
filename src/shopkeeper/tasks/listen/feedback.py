"""What humans say of posts: which answers there are, and what they change in a reading."""

from __future__ import annotations

from dataclasses import replace

from shopkeeper.errors import InputError
from shopkeeper.tasks.listen.models import NOT_US, TASKS
from shopkeeper.tasks.listen.reading import Reading


def corrected(reading: Reading, task: str, label: str) -> Reading:
    """The reading after an answer that `check` let pass."""
    match task:
        case "about":
            return replace(reading, muted=label == NOT_US)
        case "sentiment":
            return replace(reading, sentiment={"positive": 1.0, "neutral": 0.0, "negative": -1.0}[label])
        case "topic":
            return replace(reading, topics=() if label == "none" else (label,))
        case "risk":
            return replace(reading, risk="" if label == "none" else label)
        case _:
            return replace(reading, event="" if label == "none" else label)


def check(task: str, label: str) -> None:
    """Refuse what is no answer.

    Raises:
        InputError: The task or the label is unknown.
    """
    known = {"about": (NOT_US, "us"), "sentiment": ("positive", "neutral", "negative")}
    if task == "concern" or task not in TASKS:
        raise InputError(
            f"Nothing can be said about {task!r}.", where="task", cure="Use about, sentiment, topic, risk or event."
        )
    if task in known and label not in known[task]:
        raise InputError(f"{label!r} is no answer.", where="label", cure=f"Use {', '.join(known[task])}.")
    if not label or len(label) > 200:
        raise InputError("The label is empty or too long.", where="label", cure="Name a key, or none.")
