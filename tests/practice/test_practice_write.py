from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from shopkeeper.models.pictures.videos import open_video
from shopkeeper.practice import Practice, write
from shopkeeper.practice.clips import film, frames
from shopkeeper.practice.pictures import picture
from shopkeeper.practice.vocabulary import vocabulary
from shopkeeper.store.database import open_store


def test_writing_fills_the_store_and_twice_changes_nothing(small: Practice, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/shop.db") as store:
        for _ in range(2):
            write(small, store, tmp_path / "media")
            assert store.catalogue.count() == len(small.items)
            assert store.events.count() == len(small.events)
            assert store.customers.count() == len(small.customers)
            assert store.words.count() == len(small.passages)
            assert store.labels.count() == len(small.judgements)
        kept = store.catalogue.get([small.items[0].id])[small.items[0].id]
        assert kept.title == small.items[0].title
    for item in small.items:
        assert (tmp_path / "media" / item.images[0]).stat().st_size > 300
        for clip in item.videos:
            assert 2_000 < (tmp_path / "media" / clip).stat().st_size < 200_000
    assert 0.05 < np.mean([bool(item.videos) for item in small.items]) < 0.2


def test_pictures_are_small_equal_for_equal_seeds_and_show_the_colour(small: Practice) -> None:
    goods, words = small.truth.behaviour.goods, vocabulary()
    red = next(c for c, colour in enumerate(words.colours) if colour.key == "red")
    rows = np.flatnonzero(goods.colour == red)[:4]
    assert len(rows)
    for row in rows:
        data = picture(words, goods, int(row), small.seed)
        assert data == picture(words, goods, int(row), small.seed)
        assert len(data) < 9_000
        image = Image.open(io.BytesIO(data))
        assert image.size == (224, 224)
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
        assert ((pixels[:, 0] > pixels[:, 1] + 60) & (pixels[:, 0] > pixels[:, 2] + 60)).mean() > 0.01


def test_clips_are_equal_for_equal_seeds_and_can_be_opened(small: Practice, tmp_path: Path) -> None:
    goods, words = small.truth.behaviour.goods, vocabulary()
    row = int(np.flatnonzero(goods.filmed)[0])
    for name in ("a.webm", "b.webm"):
        film(frames(words, goods, row, small.seed), tmp_path / name)
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()
    pixels, times = open_video(tmp_path / "a.webm", 64)
    assert len(pixels) > 4  # card, gliding, near, other things
    assert times[-1] > 2
