"""The same answers as one by one, with the scores of many customers made at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from shopkeeper.records import Answer, Request
from shopkeeper.retrieval.histories import Floats, joined
from shopkeeper.retrieval.trails import chained
from shopkeeper.tasks.recommend import RecommendTask

_CELLS = 4_000_000
"""Scores held at once by each source: customers x items."""


def answers(task: RecommendTask, requests: Sequence[Request]) -> list[Answer]:
    """Recommend to many customers: ``[task.answer(request) for request in requests]``, but for float32 rounding.

    Where a ranker was learnt, candidates are judged customer by customer as always.
    """
    if task.behaviour.ranker is not None:
        return [task.answer(request) for request in requests]
    block = max(1, _CELLS // max(len(task.shelf), 1))
    parts = (_answers(task, requests[start : start + block]) for start in range(0, len(requests), block))
    return [answer for part in parts for answer in part]


def _answers(task: RecommendTask, requests: Sequence[Request]) -> list[Answer]:
    behaviour, width = task.behaviour, len(task.shelf)
    people = [task._person(request) for request in requests]
    told = [place for place, person in enumerate(people) if person.history.known[0]]
    rows: dict[int, Floats] = {}
    if told:
        histories, trails = joined([people[at].history for at in told]), chained([people[at].trail for at in told])
        rows = dict(zip(told, behaviour.blended(histories, width, trails), strict=True))
    found = []
    for place, (request, person) in enumerate(zip(requests, people, strict=True)):
        began = time.perf_counter()
        mask = task._allowed(request, person.history, width)
        if place in rows:
            found.append(task._blended(request, behaviour, person, rows[place], mask, began))
        else:
            found.append(task._welcomed(request, behaviour, mask, began))
    return found
