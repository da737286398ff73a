import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from shopkeeper.errors import TrainingError
from shopkeeper.training.augmentation import (
    augmented,
    back_translation,
    delete,
    homophones,
    insert,
    one_of,
    swap,
    synonyms,
    typos,
)
from shopkeeper.training.wording import pieces_of

LEXICON = {"phone": ["handset"], "手机": ["移动电话"], "质量": ["品质"], "good": ["fine", "nice"]}
TEXTS = [
    "The phone is good, I can't complain",
    "手机质量很好，物流也快！",
    "iPhone 手机 good",
    "a",
    "",
    "  ",
    "👍",
    "!?",
]
KINDS = [
    synonyms(LEXICON, 0.3),
    insert(LEXICON, 0.3),
    delete(0.3),
    swap(0.3),
    typos(0.3),
    homophones(0.3),
    one_of(delete(0.2), swap(0.2)),
]


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(deadline=None)
@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text):
    assert "".join(pieces_of(text)) == text


@pytest.mark.parametrize("augmentation", KINDS)
@pytest.mark.parametrize("text", TEXTS)
def test_the_same_seed_gives_the_same_wording_and_nothing_becomes_empty(augmentation, text):
    variant = augmentation(text, rng())
    assert variant == augmentation(text, rng())
    assert bool(variant.strip()) == bool(text.strip())


@pytest.mark.parametrize("kind", [delete, swap, typos, homophones])
def test_rate_zero_changes_nothing_and_a_rate_beyond_one_is_refused(kind):
    assert [kind(0)(text, rng()) for text in TEXTS] == TEXTS
    with pytest.raises(TrainingError, match=r"1\.5 is no share"):
        kind(1.5)


def test_synonyms_are_put_in_whole_words_with_the_capital_of_the_old_one():
    assert synonyms(LEXICON, 1.0)("Phone phones, 手机质量", rng()) == "Handset phones, 移动电话品质"


def test_an_inserted_word_means_the_same_as_one_of_the_text():
    assert insert({"手机": ["移动电话"]}, 0.1)("手机", rng()) == "移动电话手机"
    assert insert({"phone": ["handset"]}, 0.1)("phone", rng()) == "handset phone"


def test_deletion_takes_a_share_of_the_words_and_leaves_one():
    words = " ".join(f"word{n}" for n in range(20))
    assert len(delete(0.25)(words, rng()).split()) == 15
    assert len(delete(1.0)(words, rng()).split()) == 1


def test_swapped_words_keep_what_stands_between_them():
    assert swap(0.1)("red, blue!", rng()) == "blue, red!"
    assert sorted(swap(0.5)("我今天买了新手机", rng())) == sorted("我今天买了新手机")


@given(st.integers(0, 500))
def test_a_typo_is_one_slip(seed):
    typo = typos(0.1)("delivery", rng(seed))
    assert abs(len(typo) - 8) <= 1
    shared = {typo[:cut] + typo[cut + 1 :] for cut in range(len(typo))} | {typo}
    original = {"delivery"[:cut] + "delivery"[cut + 1 :] for cut in range(8)} | {"delivery"}
    assert shared & original  # one edit away, a transposition included


def test_homophones_sound_the_same_and_look_different():
    text = "手机质量很好"
    changed = homophones(0.5)(text, rng())
    assert sum(a != b for a, b in zip(text, changed, strict=True)) == 3
    assert lazy_pinyin(list(changed)) == lazy_pinyin(list(text))


class Mirror:
    """Translates by turning words round, into ``de`` with a word added; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def translate(self, texts, source, target):
        self.asked.append((tuple(texts), source, target))
        return ["" if "lost" in text else " ".join(reversed(text.split())) + " so" * (target == "de") for text in texts]


def test_back_translation_goes_there_and_back_and_asks_once():
    mirror = Mirror()
    augment = back_translation(mirror, "en", ["de"])
    assert augment("where is it", rng()) == augment("where is it", rng()) == "so where is it"
    assert mirror.asked == [(("where is it",), "en", "de"), (("it is where so",), "de", "en")]
    assert augment("all is lost", rng()) == "all is lost"
    assert augment(" ", rng()) == " "
    with pytest.raises(TrainingError, match="no language to translate through"):
        back_translation(mirror, "en", [])


def test_variants_know_their_texts_and_none_is_a_repetition():
    texts = ["one two three four five six", "unknown"]
    variants, rows = augmented(texts, swap(0.1), 20, rng())
    assert rows == [0] * 5  # five neighbours can be swapped; a single word has no variant
    assert len(set(variants)) == 5
    assert not set(variants) & set(texts)


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(TrainingError, match="no augmentation to choose from"):
        one_of()
