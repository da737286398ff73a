"""POST /v1/search/image, and what looks like an item, over the API."""

import io
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from seenshop import drawing, seen_shop

from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.tasks.shop import open_shop


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    shop = open_shop(seen_shop(tmp_path_factory.mktemp("seen"), **{"serve.body_limit": 200_000}))
    with TestClient(create_app(shop, keys=keys_of(shop))) as client:
        yield client
    shop.close()


def photo(colour: str, shape: str) -> bytes:
    file = io.BytesIO()
    drawing(colour, shape, 99).save(file, "PNG")
    return file.getvalue()


def test_a_form_and_a_body_give_the_same(seen):
    content = photo("red", "ball")
    form = seen.post("/v1/search/image", params={"limit": 5}, files={"image": ("a.png", content, "image/png")}).json()
    body = seen.post(
        "/v1/search/image", params={"limit": 5}, content=content, headers={"Content-Type": "image/png"}
    ).json()
    assert [hit["item"] for hit in form["hits"]] == [hit["item"] for hit in body["hits"]]
    assert form["hits"][0]["item"].startswith("red-")
    assert form["looks"]


def test_what_it_looks_like_serves_for_pages_and_filters(seen):
    first = seen.post("/v1/search/image?limit=5", content=photo("blue", "box")).json()
    same = seen.get("/v1/search", params={"looks": first["looks"], "limit": 5}).json()
    assert [hit["item"] for hit in same["hits"]] == [hit["item"] for hit in first["hits"]]
    second = seen.get("/v1/search", params={"looks": first["looks"], "limit": 5, "cursor": first["cursor"]}).json()
    assert second["offset"] == 5
    toys = seen.post(
        "/v1/search", json={"looks": first["looks"], "filters": {"categories": ["Toys"]}, "explain": True}
    ).json()
    assert all("ball" in hit["item"] for hit in toys["hits"])
    assert toys["hits"][0]["reasons"][0]["kind"] == "looks"


def test_similar_by_looks_alone(seen):
    found = seen.get("/v1/similar", params={"item": "green-kite-0", "by": "looks", "limit": 3}).json()
    assert found["hits"]
    assert "green-kite-0" not in {hit["item"] for hit in found["hits"]}
    assert seen.get("/v1/similar", params={"item": "green-kite-0", "by": "sound"}).status_code == 400


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"no picture", 400), (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, 400), (b"\xff" * 300_000, 413)],
)
def test_bad_pictures_are_refused_with_a_reason(content, status, seen):
    answer = seen.post("/v1/search/image", content=content, headers={"Content-Type": "image/png"})
    assert answer.status_code == status
    assert answer.json()["cure"]


def test_a_bomb_is_refused_before_it_is_unpacked(seen):
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")  # 400 million pixels in a few kilobytes
    answer = seen.post("/v1/search/image", content=file.getvalue())
    assert 400 <= answer.status_code < 500
    assert "50 million pixels" in answer.text


def test_a_token_of_nothing_is_a_clear_error(seen):
    for token in ("AAAA", "%%%"):
        answer = seen.get("/v1/search", params={"looks": token})
        assert 400 <= answer.status_code < 500
        assert "looks" in answer.text


def test_the_description_names_the_picture(seen):
    described = seen.get("/v1/openapi.json").json()["paths"]["/v1/search/image"]["post"]
    assert "multipart/form-data" in described["requestBody"]["content"]


def test_a_photo_is_told_in_words(seen):
    told = seen.post("/v1/look", content=photo("blue", "box")).json()
    assert told["colours"][0]["name"] == "blue"
    assert told["plain"]
    assert 0 < told["fill"] < 0.6
    assert told["likely"]["category"]["value"] == "Storage"
    assert 0.3 < told["likely"]["category"]["probability"] <= 1
    again = seen.get("/v1/search", params={"looks": told["looks"], "limit": 1}).json()
    assert again["hits"][0]["item"].startswith("blue-")
    assert seen.post("/v1/look", content=b"nothing of the kind").status_code == 400


def test_doubtful_pictures_are_listed(seen):
    found = seen.get("/v1/pictures/doubts").json()["doubts"]
    assert {one["kind"] for one in found} <= {"wrong", "copy", "unread"}
    assert all(one["text"]["zh"] and 0 <= one["score"] <= 1 for one in found)
