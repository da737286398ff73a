"""Pictures and videos of the shop, confined to its media folder."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from shopkeeper.store.media import PICTURES, SERVED, confined
from shopkeeper.store.thumbnails import thumbnail
from shopkeeper.web.route import PageRoute, desk_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/media/{path:path}")
async def media(request: Request, path: str, w: int = 0) -> Response:
    """A picture or video; nothing outside of the folder. `w` asks for a picture that many pixels across."""
    desk = desk_of(request)
    file = await desk.run(_find, desk.shop.settings.media, path, w)
    return FileResponse(file, media_type=SERVED[file.suffix.lower()], headers={"Cache-Control": "public, max-age=3600"})


def _find(folder: Path, path: str, width: int) -> Path:
    file = confined(folder, path)
    return thumbnail(folder, path, width) if width and file.suffix.lower() in PICTURES else file
