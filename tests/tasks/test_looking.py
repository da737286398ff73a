"""Search by picture, by words that name a look, and what looks alike, over a shop that learnt its pictures."""

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from seenshop import COLOURS, SHAPES, drawing, seen_shop

from shopkeeper.errors import InputError, ModelError, NotFoundError
from shopkeeper.models.pictures.modes import modes_of
from shopkeeper.models.pictures.sight import Sight
from shopkeeper.records import Filters, Item, Request
from shopkeeper.retrieval.looks import packed, unpacked
from shopkeeper.tasks.shop import Shop, open_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    opened = open_shop(seen_shop(tmp_path_factory.mktemp("seen")))
    yield opened
    opened.close()


def photo(colour: str, shape: str, seed: int = 77) -> bytes:
    file = io.BytesIO()
    drawing(colour, shape, seed).save(file, "JPEG")
    return file.getvalue()


def test_a_new_photo_finds_what_looks_like_it(shop):
    right = 0
    for colour in COLOURS:
        for shape in SHAPES:
            found = shop.search(Request(looks=shop.look(photo(colour, shape)), limit=4))
            right += sum(hit.item.startswith(f"{colour}-{shape}") for hit in found.hits)
    assert right / (4 * len(COLOURS) * len(SHAPES)) > 0.5  # by chance: 1 in 24, learnt from a hundred drawings


def test_items_without_a_picture_are_found_by_what_their_words_look_like(shop):
    found = shop.search(Request(looks=shop.look(photo("red", "ball")), limit=200))
    places = {hit.item: place for place, hit in enumerate(found.hits)}
    assert "red-ball-6" in places
    assert places["red-ball-6"] < places["blue-box-6"]


def test_filters_order_pages_and_words_go_with_a_picture(shop):
    looks = shop.look(photo("blue", "box"))
    toys = shop.search(Request(looks=looks, filters=Filters(categories=(("Toys",),)), limit=5))
    assert toys.hits
    assert all("ball" in hit.item for hit in toys.hits)
    cheap = shop.search(Request(looks=looks, sort="price_asc", limit=10))
    prices = [shop.shelf.item(shop.shelf.row(hit.item)).price for hit in cheap.hits]
    assert prices == sorted(prices)
    first = shop.search(Request(looks=looks, limit=5))
    second = shop.search(Request(looks=looks, limit=5), first.cursor)
    assert not {hit.item for hit in first.hits} & {hit.item for hit in second.hits}
    kites = shop.search(Request(looks=looks, query="kite", limit=4))
    assert all("kite" in hit.item for hit in kites.hits)
    assert sum("blue" in hit.item for hit in kites.hits) >= 3


def test_the_reason_names_the_picture_and_how_alike_it_is(shop):
    hit = shop.search(Request(looks=shop.look(photo("green", "kite")), explain=True, limit=1)).hits[0]
    assert hit.reasons[0].kind == "looks"
    assert set(hit.reasons[0].text) == {"en", "zh"}
    assert float(hit.reasons[0].evidence[0]) == pytest.approx(hit.contributions["looks"], abs=0.01)


def test_what_looks_like_an_item_leaves_the_item_out(shop):
    found = shop.looks_like(Request(items=("pink-ball-0",), limit=3))
    assert "pink-ball-0" not in {hit.item for hit in found.hits}
    assert sum(hit.item.startswith("pink-ball") for hit in found.hits) >= 2
    assert shop.looks_like(Request(items=("pink-ball-6",))).hits == ()
    with pytest.raises(NotFoundError):
        shop.looks_like(Request(items=("no such",)))


def test_a_changed_picture_counts_at_once_and_a_removed_item_is_gone(shop):
    media = shop.settings.media
    drawing("orange", "kite", 5).save(media / "changing.png")
    made = Item(
        id="changing",
        title="Surprise",
        category=("Toys",),
        price=1.0,
        currency="EUR",
        images=("changing.png",),
        language="en",
    )
    shop.put([made])
    near = {hit.item for hit in shop.looks_like(Request(items=("changing",), limit=4)).hits}
    assert sum("orange-kite" in item for item in near) >= 3
    drawing("black", "box", 6).save(media / "changing-2.png")
    shop.put([replace(made, images=("changing-2.png",))])
    near = {hit.item for hit in shop.looks_like(Request(items=("changing",), limit=4)).hits}
    assert sum("black-box" in item for item in near) >= 3
    shop.remove(["changing"])
    found = shop.search(Request(looks=shop.look(photo("black", "box")), limit=200))
    assert "changing" not in {hit.item for hit in found.hits}


@pytest.mark.parametrize("token", ["", "x", "not base 64!", "AAAA", "A" * 4_000])
def test_what_is_no_look_is_refused(token, shop):
    width = shop._floor.looks.sight.width
    with pytest.raises(InputError, match="looks"):
        unpacked(token, width)


def test_a_look_survives_its_writing(shop):
    rng = np.random.default_rng(0)
    looks = rng.normal(size=192).astype(np.float32)
    looks /= np.linalg.norm(looks)
    assert float(unpacked(packed(looks), 192) @ looks) > 0.999


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_picture_is_refused(content, shop):
    with pytest.raises(InputError, match="picture"):
        shop.look(content)


def test_a_shop_that_learnt_nothing_says_what_to_do(tmp_path):
    from toyshop import toy_store

    from shopkeeper import settings as settings_module

    toy_store(tmp_path).close()
    opened = open_shop(settings_module.load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"}))
    try:
        assert not opened.sees
        with pytest.raises(InputError, match="shopkeeper train pictures"):
            opened.look(photo("red", "ball"))
        with pytest.raises(InputError, match="shopkeeper train pictures"):
            opened.search(Request(looks="AAAA"))
    finally:
        opened.close()


def test_another_encoder_of_pictures_is_not_mixed_in(shop):
    with pytest.raises(ModelError, match="efficientnet-lite0, not other"):
        Sight.load(shop.registry.live("pictures"), "other")


def test_the_fusion_tells_from_the_picture_what_is_not_said(shop):
    looks = shop._floor.looks
    items = [item for item in shop.shelf.items if item is not None and item.images]
    text = shop._floor.encoders.passage.encode(["Thing"] * len(items))
    modes = modes_of(text, looks.gallery.shots(items), (looks.sight.text, looks.sight.picture))
    colours, sure = looks.sight.said(modes.only(1))["colour"]
    right = np.array([said == item.attributes["colour"] for said, item in zip(colours, items, strict=True)])
    assert right.mean() > 0.4  # of eight
    assert sure[right].mean() > sure[~right].mean()


def test_what_is_seen_and_not_said_is_told_in_words(shop):
    looks = shop._floor.looks
    items = [replace(item, attributes={}) for item in shop.shelf.items if item is not None]
    text = shop._floor.encoders.passage.encode([item.passage for item in items])
    told = looks.told(items, text, sure=0.25)
    named = [words for item, words in zip(items, told, strict=True) if item.images]
    assert sum("colour: " in words for words in named) > len(named) / 4
    assert not any(words for item, words in zip(items, told, strict=True) if not item.images)
    whole = [item for item in shop.shelf.items if item is not None]
    assert not any(looks.told(whole, shop._floor.encoders.passage.encode([item.passage for item in whole]), sure=0.0))


def test_pictures_to_look_at_are_found(shop):
    media = shop.settings.media
    (media / "copied.png").write_bytes((media / "red-box-0.png").read_bytes())
    (media / "broken.png").write_bytes(b"nothing")
    about = {"category": ("Storage",), "price": 1.0, "currency": "EUR", "language": "en"}
    shop.put(
        [
            Item(id="copied", title="Red box number nine", images=("copied.png",), **about),
            Item(id="broken", title="Blue box number nine", images=("broken.png",), **about),
            Item(id="swapped", title="Yellow kite number nine", images=("purple-ball-1.png",), **about),
        ]
    )
    try:
        found = shop.doubtful_pictures()
        assert {doubt.item for doubt in found if doubt.kind == "unread"} == {"broken"}
        copies = [{doubt.item, doubt.other} for doubt in found if doubt.kind == "copy"]
        assert {"copied", "red-box-0"} in copies
        assert all(len({name.partition("-")[0] for name in pair if "-" in name}) == 1 for pair in copies)
        wrong = [doubt.item for doubt in found if doubt.kind == "wrong"]
        assert "swapped" in wrong[:5]
        assert all(set(doubt.text) == {"en", "zh"} for doubt in found)
    finally:
        shop.remove(["copied", "broken", "swapped"])


def test_a_strange_file_is_a_clear_error(shop):
    file = io.BytesIO()
    Image.new("RGB", (1, 400)).save(file, "PNG")
    with pytest.raises(InputError, match="strip"):
        shop.look(file.getvalue())
