"""Pictures over the API: search by one, what one shows, and which of the shop's somebody should look at.

A picture is looked at once; what it looks like is sent along with the next pages.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from shopkeeper.errors import InputError
from shopkeeper.serving.api import desk_of, found_document
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import needs
from shopkeeper.serving.problems import request_id_of
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import SearchQuery, request_record
from shopkeeper.serving.search_replies import SearchOut
from shopkeeper.tasks.search.seeing import Seen

router = APIRouter(prefix="/v1", tags=["answers"], dependencies=needs(Scope.READ))

FIELD = "image"
"""Name of the form's field that holds the file."""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
            **{
                f"image/{kind}": {"schema": {"type": "string", "format": "binary"}}
                for kind in ("jpeg", "png", "webp", "gif", "avif")
            },
        },
    }
}


@router.post("/search/image", responses={200: {"model": SearchOut}}, summary="Search by picture", openapi_extra=_BODY)
async def search_by_picture(request: Request, asked: Annotated[SearchQuery, Query()]) -> Json:
    """Items that look like a picture: the body is the file itself, or a form with the file in `image`.

    Words (`q`), filters, order and paging are parameters, as for GET /v1/search. The answer's `looks` takes the
    picture's place for the next pages and other filters, with GET or POST /v1/search.
    """
    try:
        body = asked.body()
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
        ) from error
    desk = desk_of(request)
    picture = await uploaded(request)
    record = request_record(body, desk.shop.settings.search.limit, request_id_of(request))

    def work() -> Json:
        seen = replace(record, looks=desk.shop.look(picture))
        return found_document(desk, desk.search(seen, body.cursor), details=body.details)

    return await desk.run(work)


class ColourOut(BaseModel):
    """One of the colours of a picture."""

    name: str
    share: float


class LikelyOut(BaseModel):
    """What an item that looks so most likely is."""

    value: str
    probability: float


class SeenOut(BaseModel):
    """What a picture shows."""

    looks: str
    colours: list[ColourOut]
    brightness: float
    saturation: float
    texture: float
    fill: float
    plain: bool
    likely: dict[str, LikelyOut]


class DoubtOut(BaseModel):
    """A picture that somebody should look at."""

    kind: str
    item: str
    other: str
    score: float
    text: dict[str, str]


class DoubtsOut(BaseModel):
    """All of them, worst first within a kind."""

    doubts: list[DoubtOut]


@router.post("/look", responses={200: {"model": SeenOut}}, summary="What a picture shows", openapi_extra=_BODY)
async def look(request: Request) -> Json:
    """Colours and traits of a picture, and what category and attributes an item that looks so most likely has.

    Fills in what a new product's record lacks; `looks` searches for it.
    """
    desk = desk_of(request)
    picture = await uploaded(request)
    return await desk.run(lambda: Json(seen_document(desk.shop.see(picture))))


@router.get(
    "/pictures/doubts",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": DoubtsOut}},
    summary="Pictures to look at",
)
async def doubtful(request: Request) -> Json:
    """Pictures of another thing than the words say, those that two products share, and those that cannot be opened."""
    desk = desk_of(request)
    found = await desk.run(desk.shop.doubtful_pictures)
    return Json({"doubts": [{**asdict(one), "text": dict(one.text)} for one in found]})


def seen_document(seen: Seen) -> dict[str, Any]:
    """What a picture shows as JSON values."""
    traits = asdict(seen.traits)
    traits["colours"] = [{"name": name, "share": share} for name, share in seen.traits.colours]
    likely = {name: {"value": value, "probability": sure} for name, (value, sure) in seen.likely.items()}
    return {"looks": seen.looks, **traits, "likely": likely}


async def uploaded(request: Request) -> bytes:
    """The picture that a request carries, as a form's file or as its whole body.

    Raises:
        InputError: There is none.
    """
    content = b""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=20) as form:
            file = form.get(FIELD)
            content = await file.read() if isinstance(file, UploadFile) else b""
    else:
        content = await request.body()
    if not content:
        raise InputError(
            "There is no picture in this request.",
            where=FIELD,
            cure="Send the file as the body, or in a form's `image`.",
        )
    return content
