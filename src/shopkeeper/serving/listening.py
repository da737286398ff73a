"""The ear through /v1: posts in; what people write about, over time and post by post; what humans say of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from shopkeeper.records import Passage
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.listening_schemas import (
    MOST_POSTS,
    FeedbackIn,
    OpinionOut,
    OpinionsOut,
    PostIn,
    PostsQuery,
    SeriesOut,
    SeriesQuery,
    TakenOut,
    opinion_document,
    series_documents,
)
from shopkeeper.serving.problems import Problem, fault_of, request_id_of
from shopkeeper.serving.replies import Json, rows_of
from shopkeeper.tasks.listen.intake import BusyError
from shopkeeper.tasks.shop import Shop

router = APIRouter(prefix="/v1", tags=["opinions"])

_POSTS = {
    "posts": [
        {
            "id": "forum-81",
            "text": "The kettle started to smoke after a week. Support does not answer.",
            "source": "forum.example",
            "author": "mia",
            "item": "sku-100",
            "time": "2026-03-01T12:00:00Z",
        },
        {"id": "weibo-7", "text": "快递三天还没到，客服也不回复。", "source": "weibo"},
    ]
}
_POSTS_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["posts"],
                "properties": {"posts": {"type": "array", "items": PostIn.model_json_schema()}},
            },
            "example": _POSTS,
        }
    },
}
_FEEDBACK = {"not_us": {"summary": "Not about us", "value": {"post": "forum-81", "task": "about", "label": "not_us"}}}


@router.post(
    "/posts",
    dependencies=needs(Scope.EVENTS),
    responses={200: {"model": TakenOut}},
    openapi_extra={"requestBody": _POSTS_BODY},
    summary="Take posts in",
)
async def post_posts(request: Request) -> Response:
    """Write up to 10,000 posts; what is acknowledged is on disk, and is read within seconds.

    Repeated ids with the same words change nothing; faulty posts are named by their index and the others kept. 503 with
    ``Retry-After`` while too many wait to be read: nothing of the batch was written, send it again.
    """
    desk = desk_of(request)
    rows = rows_of(await request.body(), "posts", MOST_POSTS, "Send several batches.")
    posts, rejected = await desk.run(_checked, rows)
    if rejected and not posts:
        first = rejected[0]
        problem = Problem(400, str(first["what"]), f"posts.{first['index']}", str(first["cure"]), rejected)
        return problem.response(request_id_of(request))
    listen = desk.shop.listen
    try:
        taken = await desk.run(listen.take, posts)
    except BusyError as error:
        again = {"Retry-After": str(error.retry_after)}
        return Problem(503, error.what, error.where, error.cure, headers=again).response(request_id_of(request))
    return Json({"accepted": taken.new, "repeated": taken.repeated, "waiting": listen.waiting, "rejected": rejected})


@router.get(
    "/opinions", dependencies=needs(Scope.ADMIN), responses={200: {"model": SeriesOut}}, summary="Opinions over time"
)
async def get_opinions(request: Request, query: Annotated[SeriesQuery, Query()]) -> Json:
    """How much is written about what, and how it feels, in steps of time; copies are counted apart."""
    desk = desk_of(request)
    return await desk.run(_series, desk.shop, query)


@router.get(
    "/opinions/posts", dependencies=needs(Scope.ADMIN), responses={200: {"model": OpinionsOut}}, summary="Posts"
)
async def get_posts(request: Request, query: Annotated[PostsQuery, Query()]) -> Json:
    """Posts of a period with what was read in them, newest first."""
    desk = desk_of(request)
    start, end = query.period()

    def found() -> Json:
        posts = desk.shop.listen.posts(
            start,
            end,
            by=query.by,
            key=query.key,
            words=query.q,
            negative=query.negative,
            copies=query.copies,
            limit=query.limit,
        )
        return Json({"posts": [opinion_document(post, reading) for post, reading in posts]})

    return await desk.run(found)


@router.post(
    "/opinions/feedback",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": OpinionOut}},
    summary="Say what a post is",
)
async def post_feedback(request: Request, body: Annotated[FeedbackIn, Body(openapi_examples=_FEEDBACK)]) -> Json:
    """Correct what was read: ``about`` (``not_us`` mutes the post and its copies), ``sentiment``, ``topic``, ``risk``, ``event``.

    The post changes at once; `shopkeeper train about sentiment topic risk event` learns from all answers.
    """
    desk, actor = desk_of(request), actor_of(request)

    def noted() -> Json:
        reading = desk.shop.listen.feedback(body.post, body.task, body.label, actor)
        return Json(opinion_document(desk.shop.store.words.get([body.post])[body.post], reading))

    return await desk.run(noted)


def _series(shop: Shop, query: SeriesQuery) -> Json:
    start, end = query.period()
    table = shop.listen.series(query.by, start, end, timedelta(hours=query.step_hours), query.limit)
    found = series_documents(table, dict(shop.listen.names()))
    return Json({"by": query.by, "start": start, "end": end, "waiting": shop.listen.waiting, "series": found})


def _checked(rows: Sequence[object]) -> tuple[list[Passage], list[dict[str, object]]]:
    posts: list[Passage] = []
    rejected: list[dict[str, object]] = []
    for index, row in enumerate(rows):
        try:
            posts.append(PostIn.model_validate(row).record())
        except ValidationError as error:
            rejected.append({"index": index, **fault_of(error.errors(include_url=False)[0])})
    return posts, rejected
