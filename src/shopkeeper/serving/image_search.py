"""Search by a picture: it is looked at once, and what it looks like is sent along with the next pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from shopkeeper.errors import InputError
from shopkeeper.serving.api import desk_of, found_document
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import needs
from shopkeeper.serving.problems import request_id_of
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import SearchQuery, request_record
from shopkeeper.serving.search_replies import SearchOut

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
