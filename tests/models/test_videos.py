"""Videos from outside: their scenes are found, and whatever is wrong with them ends in words, in bounded time and memory."""

import os
import subprocess
import sys
from itertools import cycle, islice, pairwise

import clips
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.models.pictures import videos
from shopkeeper.models.pictures.frames import Refused, frames_of
from shopkeeper.models.pictures.videos import FRAMES, open_video

SIDE = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def kinds(folder):
    return {path.name: path for path in clips.every_kind(folder)}


def seen(frame):
    """The colour at a place that the wandering square never reaches."""
    return frame[SIDE // 2, -4].astype(int)


@pytest.mark.parametrize("name", list(clips.KINDS))
def test_every_kind_is_opened_and_every_scene_found(kinds, name):
    pixels, seconds = frames_of(kinds[name], SIDE, FRAMES)
    assert (pixels.dtype, pixels.shape[1:], seconds.dtype) == (np.uint8, (SIDE, SIDE, 3), np.float32)
    assert len(clips.COLOURS) <= len(pixels) == len(seconds) <= FRAMES
    assert (np.diff(seconds) > 0).all()
    assert seconds[0] == 0
    found = np.array([seen(frame) for frame in pixels])
    for number, colour in enumerate(clips.COLOURS):
        near = np.abs(found - colour).max(axis=1) < 20
        assert near.any(), colour
        assert ((seconds[near] >= 0.5 * number - 1e-3) & (seconds[near] < 0.5 * (number + 1))).all()


def test_few_frames_are_those_that_lie_farthest_apart(kinds):
    pixels, seconds = frames_of(kinds["clip.mp4"], SIDE, 3)
    assert len(pixels) == 3
    assert (np.diff(seconds) > 0).all()
    found = np.array([seen(frame) for frame in pixels])
    assert np.abs(found[[0, 0, 1]] - found[[1, 2, 2]]).mean(axis=1).min() > 80


def test_more_scenes_than_frames_leave_the_most_different(folder):
    colours = [tuple(int(part) for part in row) for row in np.random.default_rng(0).integers(0, 256, (90, 3))]
    pixels, seconds = frames_of(clips.write(folder / "many.mp4", clips.scenes(colours, 1)), SIDE, FRAMES)
    assert len(pixels) == FRAMES
    assert (np.diff(seconds) > 0).all()
    flat = pixels.reshape(FRAMES, -1).astype(int)
    apart = np.abs(flat[:, None] - flat[None]).mean(axis=2)[~np.eye(FRAMES, dtype=bool)]
    assert apart.min() > 25


def test_a_clip_that_stands_still_has_one_frame(folder):
    still = clips.repeated(folder / "still.mp4", clips.scenes()[0], 40)
    pixels, seconds = frames_of(still, SIDE, FRAMES)
    assert len(pixels) == 1
    np.testing.assert_array_equal(seconds, [0])


def test_slow_changes_are_caught_by_the_clock(folder):
    fade = [np.full((64, 96, 3), level, dtype=np.uint8) for level in range(20, 240, 8)]
    pixels, _ = frames_of(clips.write(folder / "fade.mp4", fade), SIDE, 6)
    levels = pixels.reshape(len(pixels), -1).mean(axis=1)
    assert len(pixels) == 6
    assert (np.diff(levels) > 10).all()


def test_of_very_long_clips_the_key_frames_are_read(folder):
    colours = [clips.scenes([colour], 1)[0] for colour in clips.COLOURS[:2]]
    long = clips.write(folder / "long.mp4", [colours[number // 800] for number in range(1600)])
    pixels, seconds = frames_of(long, SIDE, FRAMES)
    found = np.array([seen(frame) for frame in pixels])
    assert all((np.abs(found - colour).max(axis=1) < 20).any() for colour in clips.COLOURS[:2])
    assert (np.diff(seconds) > 0).all()


def test_the_child_process_says_the_same(kinds):
    for name in ("clip.mp4", "clip.gif"):
        for one, other in zip(open_video(kinds[name], SIDE), frames_of(kinds[name], SIDE, FRAMES), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_tall_clip_is_shown_whole(folder):
    tall = clips.write(folder / "tall.mp4", clips.scenes(clips.COLOURS[:1], 1, size=(32, 96)))
    (frame,), _ = frames_of(tall, SIDE, FRAMES)
    np.testing.assert_allclose(frame[SIDE // 2, SIDE // 2], clips.COLOURS[0], atol=16)


@pytest.fixture(
    params=[
        "words", "playlist", "nothing", "riff", "cut head", "sound.mp4", "sound.webm", "empty.mp4", "empty.webm",
        "empty.gif", "too wide", "too large frames", "folder",
    ]
)  # fmt: skip
def broken(request, folder, kinds):
    place = folder / f"broken-{request.param.replace(' ', '-').replace('.', '-')}.mp4"
    secret = folder / "secret.ts"
    match request.param:
        case "words":
            place.write_text("this is a text, whatever its name says")
        case "playlist":
            secret.write_bytes(kinds["clip.mp4"].read_bytes())
            place.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n")
        case "nothing":
            place.write_bytes(b"")
        case "riff":
            place.write_bytes(b"RIFF\0\0\0\0AVI LIST")
        case "cut head":
            place.write_bytes(kinds["clip.mp4"].read_bytes()[:40])
        case "too wide":
            return clips.too_wide(folder / "wide.gif")
        case "too large frames":
            return clips.repeated(place, np.zeros((2400, 4096, 3), dtype=np.uint8), 2)
        case "folder":
            place.mkdir(exist_ok=True)
        case name:
            kind = clips.sound_only if name.startswith("sound") else clips.without_frames
            return kind(folder / name)
    return place


def test_what_is_refused(broken):
    with pytest.raises((Refused, OSError)):
        frames_of(broken, SIDE, FRAMES)


@pytest.mark.parametrize("name", ["text.mp4", "list.mp4", "sound.mp4", "big.mp4"])
def test_refusals_cross_the_process_in_words(folder, name):
    place = folder / name
    why = "neither mp4, mov, webm, mkv nor gif"
    if name == "sound.mp4":
        clips.sound_only(place)
        why = "no moving pictures"
    elif name == "big.mp4":
        clips.repeated(place, np.zeros((2400, 4096, 3), dtype=np.uint8), 2)
        why = "more than 9.4 million pixels"
    else:
        place.write_text("#EXTM3U\n#EXTINF:9,\n/etc/hostname\n" if name == "list.mp4" else "words")
    with pytest.raises(InputError, match=why) as caught:
        open_video(place, SIDE)
    assert caught.value.where == name
    assert "item keeps" in caught.value.cure


def test_a_missing_and_a_huge_file_are_refused_without_a_process(folder):
    with pytest.raises(InputError, match="cannot be read"):
        open_video(folder / "nothing.mp4", SIDE)
    huge = folder / "huge.mp4"
    with huge.open("wb") as handle:
        handle.truncate(videos.LARGEST_VIDEO + 1)
    with pytest.raises(InputError, match="The video has 200 MB"):
        open_video(huge, SIDE)


@pytest.mark.parametrize("name", ["clip.webm", "clip.gif", "clip.mkv"])
def test_of_a_clip_that_is_cut_short_the_beginning_is_kept(kinds, folder, name):
    whole = kinds[name].read_bytes()
    cut = folder / f"cut-{name}"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    pixels, _ = frames_of(cut, SIDE, FRAMES)
    assert np.abs(seen(pixels[0]) - clips.COLOURS[0]).max() < 20


@settings(max_examples=4, deadline=None)
@given(
    st.sampled_from(["clip.mp4", "older.mp4", "clip.webm", "clip.gif"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=12),
    st.floats(0.05, 1),
)
def test_any_damage_gives_frames_or_a_refusal(kinds, folder, name, flips, kept):
    data = bytearray(kinds[name].read_bytes())
    data = data[: int(len(data) * kept)]
    for place, mask in flips:
        data[int(place * len(data))] ^= mask
    broken = folder / f"damaged-{name}"
    broken.write_bytes(data)
    try:
        pixels, seconds = open_video(broken, SIDE, seconds=5)
    except InputError:
        return
    assert pixels.shape == (len(seconds), SIDE, SIDE, 3)
    assert 1 <= len(pixels) <= FRAMES


def test_a_clip_that_takes_too_long_ends(folder):
    rows = np.linspace(0, 255, 1920).astype(np.uint8)
    wide = np.repeat(np.repeat(rows[None, :, None], 1080, axis=0), 3, axis=2)
    slow = clips.repeated(folder / "slow.mp4", wide, 1000)
    with pytest.raises(InputError, match=r"takes too (much time|long)"):
        open_video(slow, SIDE, seconds=1)


def test_a_clip_that_takes_too_much_memory_ends(kinds):
    command = [
        sys.executable,
        "-m",
        "shopkeeper.models.pictures.frames",
        os.fspath(kinds["clip.mp4"]),
        "48",
        "12",
        "10",
    ]
    small = subprocess.run([*command, "40"], capture_output=True, check=False, timeout=60)
    assert small.returncode != 0
    assert not small.stdout


def test_many_frames_do_not_pile_up(folder, kinds):
    """What is kept on the way is bounded by what is asked for, whatever the clip's length."""
    from PIL import Image

    from shopkeeper.models.pictures.frames import _changing

    pictures = [Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)) for level in (0, 255)]
    endless = ((float(at), picture) for at, picture in enumerate(islice(cycle(pictures), 1_000)))
    kept = _changing(endless, 8, 1.0, 4)
    assert 4 <= len(kept) <= 16
    assert kept[0][0] == 0
    assert all(before[0] < after[0] for before, after in pairwise(kept))
