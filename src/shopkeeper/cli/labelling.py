"""Answers of a review queue as they are typed: SUBJECT=LABEL."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def labelled(answers: Sequence[str], subject: str = "SUBJECT") -> list[tuple[str, str]]:
    """Subjects and their labels; a subject may hold an equals sign.

    Raises:
        typer.BadParameter: One of them has no label, or is the label of nothing.
    """
    pairs = [answer.rpartition("=") for answer in answers]
    if wrong := [answer for answer, pair in zip(answers, pairs, strict=True) if not all(pair)]:
        raise typer.BadParameter(f"{wrong[0]!r} is not {subject}=LABEL", param_hint="ANSWERS")
    return [(name, label) for name, _, label in pairs]
