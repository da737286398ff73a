"""The gallery: what was encoded once is not encoded again, and what cannot be opened costs an item nothing else."""

import io
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shopkeeper.models.pictures.colours import NAMED
from shopkeeper.models.pictures.gallery import Gallery, inside, sign
from shopkeeper.models.pictures.images import open_picture, squared
from shopkeeper.models.text import unit
from shopkeeper.records import Item

SIDE = 32


class Means:
    """A real encoder that needs no weights: mean colours of a grid of 4 x 4; counts what it is asked for."""

    name = "means"
    dimension = 48
    side = SIDE

    def __init__(self):
        self.asked = 0

    def encode(self, pictures):
        self.asked += len(pictures)
        cells = np.stack(list(pictures)).astype(np.float32).reshape(-1, 4, SIDE // 4, 4, SIDE // 4, 3).mean(axis=(2, 4))
        return unit(cells.reshape(len(cells), -1) - 128)


def photo(seed, size=(64, 64)):
    """Smooth shapes, as photos have, and none of two seeds alike."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


def item(name, *images, videos=()):
    return Item(id=name, title=name, images=images, videos=videos)


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(5):
        photo(number).save(folder / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    photo(99).save(tmp_path / "outside.png")
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "means.shots"


def looked(media, cache, items, **how):
    """What is seen, and how many pictures were encoded for it."""
    encoder = Means()
    found = Gallery(encoder, media, cache, **how).shots(items)
    return found, encoder.asked


ITEMS = [item("a", "0.png", "1.png"), item("none"), item("b", "2.png"), item("c", "broken.jpg"), item("d", "3.png")]


def test_what_is_seen_is_what_the_files_show(media, cache):
    found, asked = looked(media, cache, ITEMS)
    assert (asked, len(found), found.count) == (4, 4, 5)
    np.testing.assert_array_equal(found.item, [0, 0, 2, 4])
    np.testing.assert_array_equal(found.first, [0, 2, 3])
    np.testing.assert_array_equal(found.seen, [True, False, True, False, True])
    assert not found.moving.any()
    right = [squared(open_picture(media / f"{number}.png"), SIDE) for number in range(4)]
    np.testing.assert_allclose(found.vectors, Means().encode(right), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    assert found.vectors.dtype == found.colours.dtype == np.float32
    assert found.colours.shape == (4, len(NAMED))
    np.testing.assert_allclose(np.linalg.norm(found.colours, axis=1), 1, atol=2e-3)
    assert found.signs.tolist() == [sign(one) for one in right]


def test_a_second_opening_encodes_nothing(media, cache):
    first, asked = looked(media, cache, ITEMS)
    assert asked == 4
    size = cache.stat().st_size
    again, asked = looked(media, cache, ITEMS[::-1])
    assert asked == 0
    assert cache.stat().st_size == size
    np.testing.assert_array_equal(again.vectors[again.item == 4], first.vectors[first.item == 0])
    np.testing.assert_array_equal(again.seen, first.seen[::-1])


def test_within_one_opening_nothing_is_encoded_twice(media, cache):
    encoder = Means()
    gallery = Gallery(encoder, media, cache)
    gallery.shots([item("a", "0.png", "0.png"), item("b", "0.png")])
    found = gallery.shots([item("b", "0.png"), item("c", "1.png")])
    assert encoder.asked == 2
    np.testing.assert_array_equal(found.item, [0, 1])


def test_a_changed_file_alone_is_encoded_again(media, cache):
    before, _ = looked(media, cache, ITEMS)
    photo(50).save(media / "2.png")
    os.utime(media / "2.png", ns=(1, 1))
    after, asked = looked(media, cache, ITEMS)
    assert asked == 1
    changed = np.abs(after.vectors - before.vectors).max(axis=1) > 0.01
    np.testing.assert_array_equal(changed, [False, False, True, False])


def test_an_unreadable_file_is_not_tried_again_until_it_changes(media, cache, caplog):
    only = [item("c", "broken.jpg")]
    with caplog.at_level("WARNING", logger="shopkeeper.models.pictures.gallery"):
        found, _ = looked(media, cache, only)
        assert len(caplog.records) == 1
        assert not found.seen.any()
        size = cache.stat().st_size
        assert size > 0
        looked(media, cache, only)
        assert len(caplog.records) == 1
        assert cache.stat().st_size == size
    shutil.copy(media / "0.png", media / "broken.jpg")
    found, asked = looked(media, cache, only)
    assert (asked, len(found)) == (1, 1)


@pytest.mark.parametrize("torn", [1, 7, -1])
def test_a_torn_record_is_cut_off(media, cache, torn):
    first, _ = looked(media, cache, ITEMS)
    whole = cache.stat().st_size
    with cache.open("r+b") as handle:
        handle.truncate(whole - torn if torn > 0 else whole + torn)
    again, asked = looked(media, cache, ITEMS)
    assert asked <= 1
    assert cache.stat().st_size == whole
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert looked(media, cache, ITEMS)[1] == 0


def test_a_cache_that_holds_rubbish_shorter_than_a_record_is_begun_anew(media, cache):
    cache.parent.mkdir()
    cache.write_bytes(b"half")
    found, asked = looked(media, cache, ITEMS)
    assert (asked, len(found)) == (4, 4)


def test_many_threads_and_many_files_keep_their_order(media, cache, tmp_path):
    for number in range(80):
        photo(100 + number, (20, 20)).save(media / f"many-{number}.png")
    items = [item(str(number), f"many-{number}.png") for number in range(80)]
    found, asked = looked(media, cache, items, threads=3)
    assert asked == 80
    right = [squared(open_picture(media / f"many-{number}.png"), SIDE) for number in range(80)]
    np.testing.assert_allclose(found.vectors, Means().encode(right), atol=2e-3)
    np.testing.assert_array_equal(found.item, np.arange(80))


@pytest.mark.parametrize(
    "name",
    [
        "../outside.png", "/etc/hostname", "http://127.0.0.1/0.png", "file:///etc/hostname", "missing.png", "", ".",
        "0.png\x00.jpg", "a/../../outside.png", "\ud800.png", "x" * 5000, "link.png", "loop.png",
    ],
)  # fmt: skip
def test_what_lies_outside_of_the_media_folder_is_not_seen(media, cache, name):
    (media / "link.png").symlink_to(media.parent / "outside.png")
    (media / "loop.png").symlink_to(media / "loop.png")
    found, asked = looked(media, cache, [item("a", name), item("b", "0.png", name)])
    assert asked == 1
    np.testing.assert_array_equal(found.seen, [False, True])


def test_addresses_of_the_shops_own_media_are_seen(media, cache):
    (media / "deep").mkdir()
    shutil.copy(media / "0.png", media / "deep" / "x.png")
    found, _ = looked(media, cache, [item("a", "/media/0.png"), item("b", "deep/x.png")])
    np.testing.assert_array_equal(found.vectors[0], found.vectors[1])


@given(st.text(max_size=40))
def test_any_name_means_a_file_inside_or_nothing(name):
    from pathlib import Path

    media = Path(__file__).parent
    found = inside(media, name)
    assert found is None or (found.is_file() and found.is_relative_to(media))


def test_nothing_asked_for_is_nothing_seen(media, cache):
    found, _ = looked(media, cache, [])
    assert (len(found), found.count) == (0, 0)
    assert found.vectors.shape == (0, Means.dimension)
    found, _ = looked(media, cache, [item("none"), item("gone", "gone.png")])
    assert found.vectors.shape == (0, Means.dimension)
    assert len(found.first) == 0
    np.testing.assert_array_equal(found.seen, [False, False])


def test_no_more_than_the_first_pictures_are_looked_at(media, cache):
    found, asked = looked(media, cache, [item("a", "http://x/0.png", *(f"{number}.png" for number in range(5)))])
    assert asked == len(found) == 3


class TestVideos:
    @pytest.fixture
    def filmed(self, media):
        import clips

        clips.write(media / "clip.mp4", clips.scenes())
        clips.write(media / "short.gif", clips.scenes(clips.COLOURS[:3]), "gif")
        return media

    def test_an_item_with_a_video_alone_is_seen(self, filmed, cache):
        items = [item("a", videos=("clip.mp4",)), item("b", "0.png", videos=("short.gif",))]
        found, asked = looked(filmed, cache, items)
        assert asked == len(found) > 8
        assert found.moving[found.item == 0].all()
        assert np.count_nonzero(~found.moving[found.item == 1]) == 1
        np.testing.assert_array_equal(found.seen, [True, True])
        assert not found.moving[found.first[1]]
        again, asked = looked(filmed, cache, items)
        assert asked == 0
        np.testing.assert_array_equal(again.vectors, found.vectors)

    def test_a_video_of_which_half_the_records_are_torn_is_encoded_again(self, filmed, cache):
        items = [item("a", "0.png"), item("b", videos=("clip.mp4",))]
        found, _ = looked(filmed, cache, items)
        width = cache.stat().st_size // len(found)
        with cache.open("r+b") as handle:
            handle.truncate(4 * width + 5)
        others, asked = looked(filmed, cache, [item("c", "1.png"), item("d", "2.png")])
        assert (asked, len(others)) == (2, 2)
        again, asked = looked(filmed, cache, items)
        assert asked == len(found) - 1
        np.testing.assert_array_equal(again.vectors, found.vectors)

    def test_one_file_may_be_a_picture_here_and_a_video_there(self, filmed, cache):
        for items in ([item("a", "short.gif", videos=("short.gif",))], [item("b", "short.gif")]):
            found, _ = looked(filmed, cache, items)
            assert np.count_nonzero(~found.moving) == 1
        both = looked(filmed, cache, [item("a", "short.gif", videos=("short.gif",))])[0]
        assert np.count_nonzero(both.moving) >= 3


def test_a_file_may_have_up_to_255_parts(media, cache):
    only = [item("a", "0.png")]
    gallery = Gallery(Means(), media, cache)
    gallery.shots(only)
    (record,) = gallery._stored
    parts = np.repeat(np.array([record]), 255)
    parts["parts"], parts["part"] = 255, np.arange(255)
    parts["sign"] = np.arange(255)
    cache.write_bytes(parts.tobytes())
    found, asked = looked(media, cache, only)
    assert asked == 0
    np.testing.assert_array_equal(found.signs, np.arange(255))


def differing(one, other):
    return (one ^ other).bit_count()


def test_signs_of_near_copies_are_close_and_of_others_far():
    originals = [photo(seed, (300, 300)) for seed in range(12)]
    signs = [sign(squared(one, 224)) for one in originals]
    for one, own in zip(originals, signs, strict=True):
        smaller = one.resize((120, 120), Image.Resampling.LANCZOS)
        written = io.BytesIO()
        one.save(written, "JPEG", quality=40)
        lighter = Image.eval(one, lambda value: int(value * 0.9) + 20)
        for copy in (smaller, open_picture(written.getvalue()), lighter):
            assert differing(own, sign(squared(copy, 224))) <= 6
    apart = [differing(one, other) for place, one in enumerate(signs) for other in signs[:place]]
    assert min(apart) > 12
    assert 24 < np.mean(apart) < 40


def test_signs_have_64_bits_and_nothing_to_say_of_one_colour():
    falling = np.repeat(np.linspace(255, 0, 90).astype(np.uint8)[None, :, None], 3, axis=2).repeat(90, axis=0)
    assert sign(falling) == 2**64 - 1
    assert sign(falling[:, ::-1]) == 0
    assert sign(np.full((90, 90, 3), 77, dtype=np.uint8)) == 0
