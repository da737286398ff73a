"""What is known about the goods beyond their own description: triples (head, relation, tail)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Triple:
    """One thing known: ``Triple("ink-07", "fits", "printer-03")``.

    Attributes:
        head: An item's id or the name of an entity, at most 200 characters.
        relation: What holds between the two, e.g. ``fits``; ``label`` and ``label@zh`` name the head for readers.
        tail: As `head`.
        source: Where it came from, e.g. a file's name, so that all of it can be taken back.
    """

    head: str
    relation: str
    tail: str
    source: str = ""
