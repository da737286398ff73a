"""Pictures of the shop, confined to its media folder."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from shopkeeper.errors import NotFoundError
from shopkeeper.web.route import PageRoute, desk_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


@router.get("/media/{path:path}")
async def media(request: Request, path: str) -> Response:
    """A picture; nothing outside the folder, nothing that is not a picture."""
    desk = desk_of(request)
    file = await desk.run(confined, desk.shop.settings.media, path)
    return FileResponse(file, media_type=_TYPES[file.suffix.lower()], headers={"Cache-Control": "public, max-age=3600"})


def confined(folder: Path, path: str) -> Path:
    """The file that a path means inside a folder.

    Raises:
        NotFoundError: It is not there, is no picture, or lies outside (links are followed before looking).
    """
    missing = NotFoundError("There is no such picture.", where="media")
    if "\x00" in path:
        raise missing
    root = folder.resolve()
    try:
        file = (root / path).resolve()
        inside = file.is_relative_to(root) and file.suffix.lower() in _TYPES and file.is_file()
    except OSError:
        raise missing from None
    if not inside:
        raise missing
    return file
