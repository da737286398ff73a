"""Pictures from outside: every kind is opened alike, and whatever else comes is refused in words."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shopkeeper.errors import InputError
from shopkeeper.models.pictures.images import open_picture, squared
from shopkeeper.store.media import FORMATS, PIXELS

RED, BLUE = (200, 30, 40), (30, 60, 190)


def file_of(picture, kind="PNG", **how):
    written = io.BytesIO()
    picture.save(written, kind, **how)
    return written.getvalue()


def two_halves(width=60, height=40):
    """Red above, blue below."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[: height // 2], pixels[height // 2 :] = RED, BLUE
    return Image.fromarray(pixels)


def header_alone(width, height):
    """A PNG that announces a size and holds next to nothing."""
    about = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", about), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_is_opened(kind):
    opened = open_picture(file_of(two_halves(), kind))
    assert (opened.mode, opened.size) == ("RGB", (60, 40))
    np.testing.assert_allclose(opened.getpixel((30, 6)), RED, atol=16)
    np.testing.assert_allclose(opened.getpixel((30, 34)), BLUE, atol=16)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "I;16", "HSV"])
def test_every_mode_becomes_red_green_and_blue(mode):
    kind = {"CMYK": "JPEG", "YCbCr": "JPEG"}.get(mode, "PNG")
    if mode == "I;16":
        given = Image.fromarray(np.full((40, 60), 128 * 257, dtype=np.uint16))
    elif mode == "HSV":
        given = two_halves()
    else:
        given = two_halves().convert(mode)
    opened = open_picture(file_of(given, kind))
    assert (opened.mode, opened.size) == ("RGB", (60, 40))
    if mode == "I;16":
        assert opened.getpixel((5, 5)) == (128, 128, 128)


# EXIF orientation to where the red half of a picture that lies so is seen.
@pytest.mark.parametrize(
    ("turned", "red"), [(1, "top"), (3, "bottom"), (6, "right"), (8, "left"), (2, "top"), (4, "bottom")]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photos_are_made_upright(turned, red, kind):
    about = Image.Exif()
    about[0x0112] = turned
    opened = open_picture(file_of(two_halves(), kind, exif=about))
    width, height = opened.size
    assert (width, height) == ((40, 60) if red in ("left", "right") else (60, 40))
    place = {
        "top": (width // 2, 3),
        "bottom": (width // 2, height - 4),
        "left": (3, height // 2),
        "right": (width - 4, height // 2),
    }
    np.testing.assert_allclose(opened.getpixel(place[red]), RED, atol=16)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow's note to the log
@pytest.mark.parametrize("about", [b"Exif\0\0garbage!", b"Exif\0\0MM\0*\0\0\0\x08\0\xff", b"\0\1"])
def test_a_photo_with_broken_notes_is_still_a_photo(about):
    assert open_picture(file_of(two_halves(), "JPEG", exif=about)).size == (60, 40)


def test_what_is_transparent_shows_white():
    clear = Image.new("RGBA", (20, 20), (10, 20, 30, 0))
    clear.paste((*RED, 255), (5, 5, 15, 15))
    for kind in ("PNG", "WEBP"):
        opened = open_picture(file_of(clear, kind, **({"lossless": True} if kind == "WEBP" else {})))
        assert opened.getpixel((0, 0)) == (255, 255, 255)
        assert opened.getpixel((10, 10)) == RED
    half = open_picture(file_of(Image.new("RGBA", (4, 4), (0, 0, 0, 128))))
    np.testing.assert_allclose(half.getpixel((0, 0)), (127, 127, 127), atol=1)
    named = Image.new("RGB", (4, 4), RED)
    assert open_picture(file_of(named, transparency=RED)).getpixel((0, 0)) == (255, 255, 255)
    palette = file_of(clear.convert("P"), "GIF", transparency=clear.convert("P").getpixel((0, 0)))
    assert open_picture(palette).getpixel((0, 0)) == (255, 255, 255)


def test_of_moving_pictures_the_first_frame_is_taken():
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    for kind in ("GIF", "WEBP", "PNG"):
        opened = open_picture(file_of(frames[0], kind, save_all=True, append_images=frames[1:]))
        np.testing.assert_allclose(opened.getpixel((10, 10)), RED, atol=8)


def test_a_large_photo_is_decoded_small_but_not_smaller_than_it_is_read():
    opened = open_picture(file_of(two_halves(2048, 1536), "JPEG"))
    assert 512 <= max(opened.size) < 2048
    assert opened.size[0] * 3 == opened.size[1] * 4


def test_a_picture_is_read_from_a_file_and_errors_name_it(tmp_path):
    place = tmp_path / "shirt.png"
    place.write_bytes(file_of(two_halves()))
    assert open_picture(place).size == (60, 40)
    place.write_text("no picture")
    with pytest.raises(InputError, match=r"^shirt\.png: This is not a picture"):
        open_picture(place)
    with pytest.raises(InputError, match=r"^row 3: "):
        open_picture(place, "row 3")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a picture"),
        (b"just words, no picture at all", "not a picture"),
        (file_of(two_halves())[:90], "not a picture"),
        (file_of(two_halves(600, 400), "JPEG")[:1500], "not a picture"),
        (file_of(two_halves(), "WEBP")[:60], "not a picture"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not a picture"),
        (file_of(two_halves(), "TIFF"), "not a picture"),
        (file_of(two_halves(), "ICO"), "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (header_alone(60_000, 60_000), "far too large"),
        (header_alone(8_000, 7_000), "8000 x 7000 pixels"),
        (header_alone(300, 300), "not a picture"),
        (file_of(Image.new("RGB", (1, 5000))), "a strip of 1 x 5000"),
        (file_of(Image.new("RGB", (5000, 1))), "a strip of 5000 x 1"),
        (b"\0" * 30_000_000, "30 MB"),
    ],
    ids=["nothing", "words", "cut png", "cut jpeg", "cut webp", "svg", "tiff", "ico", "eps", "bomb", "too many pixels",
         "too little data", "strip", "flat strip", "30 MB"],
)  # fmt: skip
def test_what_is_refused(data, why, tmp_path):
    with pytest.raises(InputError, match=why) as caught:
        open_picture(data, "photo")
    assert caught.value.where == "photo"
    assert caught.value.cure
    place = tmp_path / "upload"
    place.write_bytes(data)
    with pytest.raises(InputError, match=why):
        open_picture(place)


def test_missing_paths_and_folders_are_refused(tmp_path):
    for place in (tmp_path / "nothing.jpg", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            open_picture(place)


def test_a_large_file_is_refused_without_being_read(tmp_path):
    place = tmp_path / "huge.jpg"
    with place.open("wb") as handle:
        handle.truncate(10**12)  # sparse: reading it would not end
    with pytest.raises(InputError, match="1000000 MB"):
        open_picture(place)


WHOLE = {kind: file_of(two_halves(), kind) for kind in FORMATS}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_bytes_give_a_picture_or_a_refusal(data):
    whole = bytearray(WHOLE[data.draw(st.sampled_from(FORMATS))])
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole)))]
    for _ in range(data.draw(st.integers(0, 6))):
        if whole:
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    sent = (
        bytes(whole) + data.draw(st.binary(max_size=20))
        if data.draw(st.booleans())
        else data.draw(st.binary(max_size=200))
    )
    try:
        opened = open_picture(sent)
    except InputError:
        return
    assert opened.mode == "RGB"
    assert 0 < opened.size[0] * opened.size[1] <= PIXELS


def test_a_square_holds_the_whole_picture_between_bands_of_the_colour_around_it():
    photo = Image.new("RGB", (120, 60), (230, 235, 240))
    photo.paste(RED, (30, 15, 90, 45))
    square = squared(photo, 64)
    assert (square.shape, square.dtype) == ((64, 64, 3), np.uint8)
    assert (square[:16] == (230, 235, 240)).all()
    assert (square[48:] == (230, 235, 240)).all()
    np.testing.assert_allclose(square[32, 32], RED, atol=3)
    tall = squared(photo.transpose(Image.Transpose.ROTATE_90), 64)
    assert (tall[:, :16] == (230, 235, 240)).all()
    np.testing.assert_allclose(np.rot90(square), tall, atol=2)


def test_a_logo_in_one_corner_does_not_set_the_colour_of_the_bands():
    photo = Image.new("RGB", (120, 60), (255, 255, 255))
    photo.paste(BLUE, (0, 0, 12, 6))
    assert (squared(photo, 64)[0] == 255).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([8, 32, 57]))
def test_a_square_has_its_side_and_one_colour_stays_one_colour(width, height, side):
    square = squared(Image.new("RGB", (width, height), RED), side)
    assert square.shape == (side, side, 3)
    assert (square == RED).all()


def test_a_square_of_the_right_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(squared(Image.fromarray(pixels), 32), pixels)


def test_the_limits_are_below_those_of_the_decoder():
    assert Image.MAX_IMAGE_PIXELS is not None
    assert PIXELS < Image.MAX_IMAGE_PIXELS
