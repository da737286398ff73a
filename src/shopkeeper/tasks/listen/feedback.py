"""What humans say of posts: which answers there are, and what they change in a reading."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shopkeeper.errors import InputError
from shopkeeper.models.registry import Registry
from shopkeeper.settings import ListenSettings
from shopkeeper.tasks.listen.models import NOT_US, NOTHING
from shopkeeper.tasks.listen.reading import Reading
from shopkeeper.tasks.listen.words import EVENTS, RISKS, topics_for

NONE: Final = "none"
"""The answer that nothing of the kind is in the post."""
PARTED: Final = "|"
"""Between several topics of one post."""
_FEELINGS: Final = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}


def corrected(reading: Reading, task: str, label: str) -> Reading:
    """The reading after an answer that `check` let pass."""
    match task:
        case "about":
            return replace(reading, muted=label == NOT_US)
        case "sentiment":
            return replace(reading, sentiment=_FEELINGS[label])
        case "topic":
            topics = tuple(dict.fromkeys(topic for topic in label.split(PARTED) if topic.lower() not in NOTHING))
            return replace(reading, topics=topics)
        case "risk":
            return replace(reading, risk="" if label.lower() in NOTHING else label)
        case _:
            return replace(reading, event="" if label.lower() in NOTHING else label)


def answers(task: str, settings: ListenSettings, registry: Registry) -> tuple[str, ...]:
    """The labels that a post may be given: those looked for by words, those of the live model, and `NONE`.

    Args:
        task: ``about``, ``sentiment``, ``topic``, ``risk`` or ``event``.
        settings: Which topics are looked for.
        registry: Where the live model is, whose classes may be others.

    Raises:
        InputError: The task is unknown, or the file of topics cannot be read.
        ModelError: The live model is damaged.
    """
    match task:
        case "about":
            return NOT_US, "us"
        case "sentiment":
            return tuple(_FEELINGS)
        case "topic":
            given = topics_for(settings.mode, settings.topics)
        case "risk":
            given = RISKS
        case "event":
            given = EVENTS
        case _:
            raise InputError(
                f"Nothing can be said about {task!r}.", where="task", cure="Use about, sentiment, topic, risk or event."
            )
    live = registry.live(task)
    learnt = () if live is None else live.parameters.get("classes", ())
    return tuple(dict.fromkeys([*(one.key for one in given), *map(str, learnt), NONE]))


def check(task: str, label: str, known: tuple[str, ...]) -> None:
    """Refuse what is no answer. Several topics may be named, parted by `PARTED`.

    Args:
        task: Of `answers`.
        label: What was said.
        known: See `answers`.

    Raises:
        InputError: The label, or one of the topics, is none of those known.
    """
    said = label.split(PARTED) if task == "topic" else [label]
    unknown = [one for one in said if one not in known]
    if unknown:
        several = ", or several parted by a bar" if task == "topic" else ""
        raise InputError(
            f"{unknown[0][:100]!r} is no answer about {task}.", where="label", cure=f"Use {', '.join(known)}{several}."
        )
