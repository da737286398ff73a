"""The media folder: nothing leaves it, files arrive whole, thumbnails follow their pictures."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shopkeeper.errors import InputError, NotFoundError, StoreError
from shopkeeper.store.media import confined, content_of, keep, safe_path
from shopkeeper.store.thumbnails import WIDTHS, thumbnail

NAMES = st.text(st.sampled_from("ab./\\ :*%\x00\n\ud800é中-_~") | st.characters(), max_size=60)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def picture(path: Path, size: tuple[int, int] = (900, 600), colour: str = "red", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "link.jpg", "deep/secret.jpg", "a\x00.jpg", "ring.jpg", "x" * 5000 + ".jpg", "\ud800.jpg", ".hidden/a.jpg", "notes.txt", ""])  # fmt: skip
def test_what_is_not_a_picture_of_the_folder_is_not_found(media: Path, path: str):
    picture(media.parent / "secret.jpg")
    picture(media / ".hidden" / "a.jpg")
    (media / "notes.txt").write_text("words")
    (media / "link.jpg").symlink_to(media.parent / "secret.jpg")
    (media / "deep").symlink_to(media.parent)
    (media / "ring.jpg").symlink_to(media / "ring.jpg")
    with pytest.raises(NotFoundError):
        confined(media, path)


def test_links_within_the_folder_are_followed(media: Path):
    file = picture(media / "a" / "b.jpg")
    (media / "c.jpg").symlink_to(file)
    assert confined(media, "c.jpg") == file.resolve()


@pytest.mark.parametrize(
    "name", ["/a.jpg", "../a.jpg", "a/../../b.jpg", "C:\\a.jpg", "c:/a.jpg", ".a.jpg", "", "/", "."]
)
def test_a_name_that_leads_outside_is_refused(name: str):
    with pytest.raises(InputError):
        safe_path(name)


def test_harmless_names_stay_as_they_are_and_others_stay_different():
    assert safe_path("rakes/Rake 2.JPG") == "rakes/Rake 2.JPG"
    assert safe_path("./图片//红色.jpg") == "图片/红色.jpg"
    assert safe_path("a:b.jpg") != safe_path("a*b.jpg")
    assert safe_path("a:b.jpg").endswith(".jpg")
    assert safe_path("e\u0301.jpg") == "\u00e9.jpg"
    assert len(safe_path("x" * 400 + ".jpg").encode()) < 200


@given(name=NAMES)
@settings(max_examples=300, deadline=None)
def test_a_safe_path_is_safe_and_says_so_again(name: str):
    try:
        path = safe_path(name)
    except InputError:
        return
    assert safe_path(path) == path
    assert not path.startswith("/")
    assert all(part and not part.startswith(".") and len(part.encode()) <= 255 for part in path.split("/"))


@given(name=NAMES)
@settings(max_examples=150, deadline=None)
def test_whatever_the_name_nothing_is_written_outside(name: str, tmp_path_factory: pytest.TempPathFactory):
    around = tmp_path_factory.mktemp("around")
    media = around / "media"
    try:
        keep(media, safe_path(name), [b"content"])
    except InputError:
        assert not [path for path in around.rglob("*") if path.is_file()]
        return
    (only,) = [path for path in around.rglob("*") if path.is_file()]
    assert only.is_relative_to(media)
    assert [path for path in around.iterdir() if path != media] == []


def test_a_link_in_the_folder_does_not_lead_a_file_outside(media: Path):
    outside = media.parent / "outside"
    outside.mkdir()
    (media / "rakes").symlink_to(outside)
    with pytest.raises(InputError, match="outside"):
        keep(media, "rakes/new/a.jpg", [b"content"])
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("old", [b"", b"0123456789", b"0123", b"0123456789ab", b"01x3456789"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_file_ends_up_as_it_was_sent_whatever_stood_there(media: Path, old: bytes, size: int):
    new = b"0123456789"
    file = media / "a.jpg"
    file.write_bytes(old)
    os.utime(file, ns=(5, 5))
    outcome = keep(media, "a.jpg", [new[place : place + size] for place in range(0, len(new), size)])
    assert file.read_bytes() == new
    assert outcome == ("unchanged" if old == new else "updated")
    assert (file.stat().st_mtime_ns == 5) == (old == new)
    assert [path.name for path in media.iterdir()] == ["a.jpg"]


def test_a_file_that_breaks_off_leaves_the_old_one(media: Path):
    (media / "a.jpg").write_bytes(b"old")

    def broken():
        yield b"new"
        raise InputError("cut")

    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(InputError, match="cut"):
            keep(media, name, broken())
    assert {path.name: path.read_bytes() for path in media.iterdir()} == {"a.jpg": b"old"}


def test_a_folder_where_a_file_is_to_be_is_an_error_of_that_name(media: Path):
    (media / "a.jpg").mkdir()
    picture(media / "b.jpg")
    for path in ("a.jpg", "b.jpg/c.jpg"):
        with pytest.raises(InputError, match="name"):
            keep(media, path, [b"content"])


def test_a_media_folder_that_cannot_be_made_is_an_error_of_the_shop(tmp_path: Path):
    with pytest.raises((StoreError, InputError)):
        keep(Path("/proc/nothing/media"), "a.jpg", [b"content"])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"])
def test_pictures_are_known_by_their_first_bytes(tmp_path: Path, form: str):
    file = tmp_path / "a"
    Image.new("RGB", (20, 20), "red").save(file, form)
    assert content_of(file.read_bytes()[:64]) == f".{form.lower().replace('jpeg', 'jpg')}"


@pytest.mark.parametrize(
    ("head", "ending"),
    [
        (b"\0\0\0\x20ftypisom\0\0", ".mp4"),
        (b"\0\0\0\x14ftypqt  \0\0", ".mov"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", ".mov"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", ".webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", ".mkv"),
        (b"\0\0\0\x18ftypheic\0\0", ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", ""),
        (b"<html>", ""),
        (b"BM text that begins so", ""),
        (b"", ""),
    ],
)
def test_videos_and_others_are_known_by_their_first_bytes(head: bytes, ending: str):
    assert content_of(head) == ending


@pytest.mark.parametrize("width", WIDTHS)
def test_a_thumbnail_has_the_width_asked_for(media: Path, width: int):
    picture(media / "a b" / "c.jpg")
    file = thumbnail(media, "a b/c.jpg", width)
    assert file == media.resolve() / ".thumbs" / str(width) / "a b" / "c.jpg.webp"
    with Image.open(file) as small:
        assert (small.format, small.size) == ("WEBP", (width, round(width * 2 / 3)))
        assert small.convert("RGB").getpixel((5, 5)) == pytest.approx((254, 0, 0), abs=3)


def test_a_thumbnail_is_never_larger_than_the_picture_and_stands_upright(media: Path):
    picture(media / "small.png", (100, 40))
    with Image.open(thumbnail(media, "small.png", 640)) as small:
        assert small.size == (100, 40)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(media / "turned.jpg", (900, 600), exif=turned)
    with Image.open(thumbnail(media, "turned.jpg", 320)) as small:
        assert small.size == (320, 480)


def test_what_is_transparent_stays_transparent(media: Path):
    Image.new("RGBA", (400, 400), (0, 0, 0, 0)).save(media / "clear.png")
    with Image.open(thumbnail(media, "clear.png", 160)) as small:
        assert small.convert("RGBA").getpixel((80, 80))[3] == 0


def test_a_thumbnail_is_kept_until_its_picture_changes(media: Path):
    file = picture(media / "a.png", colour="red")
    first = thumbnail(media, "a.png", 160)
    made = first.stat().st_ino
    assert thumbnail(media, "a.png", 160).stat().st_ino == made
    picture(file, colour="blue")
    os.utime(file, ns=(7, 7))  # an older picture put back in its place is a change as well
    with Image.open(thumbnail(media, "a.png", 160)) as small:
        assert small.convert("RGB").getpixel((5, 5)) == pytest.approx((0, 0, 254), abs=3)
    assert [path.name for path in first.parent.iterdir()] == ["a.png.webp"]


def test_bad_pictures_and_widths_are_refused(media: Path):
    (media / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    whole = picture(media / "cut.png", (800, 800)).read_bytes()
    (media / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (10_000, 6_000)).save(media / "bomb.png")
    (media / "drawing.svg").write_text("<svg/>")
    for path in ("bad.jpg", "cut.png", "bomb.png", "drawing.svg"):
        with pytest.raises(InputError):
            thumbnail(media, path, 160)
    picture(media / "a.jpg")
    with pytest.raises(InputError, match="160, 320, 640"):
        thumbnail(media, "a.jpg", 161)
    with pytest.raises(NotFoundError):
        thumbnail(media, "../a.jpg", 160)
    made = [path for path in (media / ".thumbs").rglob("*") if path.is_file()] if (media / ".thumbs").exists() else []
    assert made == []


def test_a_thumbnail_has_no_thumbnail(media: Path):
    picture(media / "a.jpg")
    thumbnail(media, "a.jpg", 160)
    with pytest.raises(NotFoundError):
        thumbnail(media, ".thumbs/160/a.jpg.webp", 160)


def test_several_threads_may_ask_for_one_thumbnail(media: Path):
    picture(media / "a.jpg", (2000, 1500))
    together = threading.Barrier(4)
    found: list[bytes] = []

    def ask():
        together.wait()
        found.append(thumbnail(media, "a.jpg", 320).read_bytes())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
