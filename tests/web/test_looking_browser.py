"""Search by picture in the storefront: the camera, pages and filters of what looks alike, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from seenshop import drawing, seen_shop

from shopkeeper.tasks.shop import Shop, open_shop
from shopkeeper.web.site import create_site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    opened = open_shop(seen_shop(tmp_path_factory.mktemp("seen")))
    yield opened
    opened.close()


def test_a_photo_is_searched_for_paged_and_narrowed(
    window: Any, address: str, look: str, pictures: Path, tmp_path: Path
):
    photo = tmp_path / "photo.jpg"
    drawing("red", "ball", 99).save(photo)
    window.goto(address)
    assert window.locator("label.camera").is_visible()
    with window.expect_navigation(url="**/search?looks=*"):
        window.set_input_files("#photo", photo)
    first = window.locator(".cards a").first.inner_text()
    assert "ball" in first.lower()
    window.screenshot(path=pictures / f"{look}-looks.png", full_page=True)
    if window.locator('nav.pages a[rel="next"]').count():
        window.locator('nav.pages a[rel="next"]').click()
        assert "looks=" in window.url
        assert "page=2" in window.url
    window.goto(f"{address}/p/blue-box-0")
    assert window.locator('[data-shelf="looks"]').count() == 1


def test_posts_of_other_sites_and_what_is_no_picture_are_refused(shop: Shop):
    with TestClient(create_site(shop), headers={"Origin": "http://testserver"}) as client:
        fine = client.post("/look", files={"image": ("a.txt", b"no picture", "image/png")})
        assert fine.status_code == 400
        assert "Traceback" not in fine.text
        assert client.post("/look").status_code == 400
        foreign = client.post("/look", files={"image": ("a", b"x")}, headers={"Origin": "http://elsewhere.example"})
        assert foreign.status_code == 403
        nonsense = client.get("/search", params={"looks": "AAAA"})
        assert nonsense.status_code == 400
        ignored = client.get("/search", params={"looks": "<script>"})
        assert ignored.status_code == 200
        assert "<script>" not in ignored.text.replace("<script src", "")
