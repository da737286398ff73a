"""What is read off pixels: colours by name, and whether a thing is plain or patterned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.models.pictures.colours import NAMED, histogram, looks, to_lab

NAMES = list(NAMED)


def on_white(colour, side=96, edge=20):
    pixels = np.full((side, side, 3), 255, dtype=np.uint8)
    pixels[edge:-edge, edge:-edge] = colour
    return pixels


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("white", "cream")])
def test_a_swatch_on_white_has_its_name(name):
    found = looks(on_white(NAMED[name]))
    assert found.colours[0][0] == name
    assert found.colours[0][1] > 0.6
    assert found.plain
    assert found.fill == pytest.approx((56 / 96) ** 2, abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_full_of_one_colour_has_its_name(name):
    found = looks(np.full((64, 64, 3), NAMED[name], dtype=np.uint8))
    assert found.colours[0][0] == name
    assert found.fill == 1.0
    assert found.texture == 0.0


def test_white_things_on_white_are_white_and_cream_ones_have_cream():
    assert looks(on_white(NAMED["white"])).colours[0][0] == "white"
    assert "cream" in dict(looks(on_white(NAMED["cream"])).colours)


def test_two_colours_are_told_by_size():
    pixels = on_white(NAMED["navy"])
    pixels[20:34, 20:76] = NAMED["orange"]
    found = dict(looks(pixels).colours)
    assert list(found) == ["navy", "orange"]
    assert found["navy"] == pytest.approx(0.903 * 0.75, abs=0.05)
    assert found["orange"] == pytest.approx(0.25, abs=0.05)


def test_the_background_is_left_out_of_the_histogram():
    rows = histogram(
        [on_white(NAMED["red"]), on_white(NAMED["red"], edge=30), np.full((96, 96, 3), NAMED["red"], np.uint8)]
    )
    np.testing.assert_allclose(rows @ rows.T, 1, atol=0.01)
    assert histogram([on_white(NAMED["blue"])])[0] @ rows[0] < 0.3


# CIELAB of sRGB corners under D65, as tabled by Lindbloom (brucelindbloom.com, CIE 15 constants).
@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 0), (97.14, -21.55, 94.48)),
        ((0, 255, 255), (91.11, -48.09, -14.13)),
        ((255, 0, 255), (60.32, 98.23, -60.83)),
    ],
)
def test_cielab_has_its_known_values(rgb, lab):
    found = to_lab(np.array([[rgb]], dtype=np.uint8))
    assert found.dtype == np.float32
    assert found.shape == (1, 1, 3)
    np.testing.assert_allclose(found[0, 0], lab, atol=0.02)


def test_grey_has_no_colour_and_rises():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    found = to_lab(greys)
    np.testing.assert_allclose(found[:, 1:], 0, atol=0.01)
    assert (np.diff(found[:, 0]) > 0).all()


def test_patterns_have_more_texture_than_plain_things():
    plain, checked = on_white(NAMED["navy"]), on_white(NAMED["navy"])
    squares = (np.add.outer(np.arange(56) // 6, np.arange(56) // 6) % 2).astype(bool)
    checked[20:76, 20:76][squares] = NAMED["gold"]
    assert looks(plain).texture < 0.02
    assert looks(checked).texture > 0.1


def test_brightness_and_saturation_are_those_of_the_thing():
    dark, light = looks(on_white(NAMED["navy"])), looks(on_white(NAMED["light blue"]))
    assert dark.brightness < 0.3 < 0.7 < light.brightness
    assert looks(on_white(NAMED["grey"])).saturation < 0.05 < 0.6 < looks(on_white(NAMED["red"])).saturation


def test_a_room_is_no_plain_background():
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    found = looks(noise)
    assert not found.plain
    assert found.fill == 1.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 130), st.integers(1, 130), st.integers(1, 256))
def test_any_picture_has_a_histogram_of_length_one_and_shares_in_range(seed, height, width, most):
    pixels = np.random.default_rng(seed).integers(0, most, (height, width, 3), dtype=np.uint8)
    (row,) = histogram([pixels])
    assert row.dtype == np.float32
    assert (row >= 0).all()
    assert np.sum(row**2) == pytest.approx(1, abs=1e-4)
    found = looks(pixels)
    shares = [share for _, share in found.colours]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.001
    for value in (found.brightness, found.texture, found.fill):
        assert 0 <= value <= 1


def test_no_pictures_give_no_rows():
    assert histogram([]).shape == (0, len(NAMED))
