"""Files of marked titles: both forms give the same marks, and what is wrong is named with its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.models.tagging.spans import Mention
from shopkeeper.training.marks import read_marks

TITLE = "小米手环 9"
MARKS = [Mention(0, 2, "brand"), Mention(2, 4, "product")]


def written(tmp_path, text, encoding="utf-8"):
    file = tmp_path / "marks.txt"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize(
    "line",
    [
        {
            "text": TITLE,
            "mentions": [{"start": 2, "end": 4, "kind": "product"}, {"start": 0, "end": 2, "kind": "brand"}],
        },
        {"id": 7, "text": TITLE, "label": [[0, 2, "brand"], [2, 4, "product"]]},
    ],
)
def test_json_lines_give_the_mentions_in_order(tmp_path, line):
    marked = read_marks(written(tmp_path, json.dumps(line, ensure_ascii=False) + "\n\n"))
    assert (marked.texts, marked.mentions) == ([TITLE], [MARKS])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize(
    "tags",
    [
        "B-brand I-brand B-product I-product O O",
        "B-brand E-brand B-product E-product O O",
        "B-brand M-brand B-product L-product O O",
    ],
)
@pytest.mark.parametrize("gap", [" ", "\t", "\tNN\t"])
def test_columns_of_characters_give_the_same_in_every_scheme(tmp_path, tags, encoding, gap):
    lines = [f"{character}{gap}{tag}" for character, tag in zip(TITLE, tags.split(), strict=True)]
    marked = read_marks(written(tmp_path, "\r\n".join(lines) + "\r\n\r\n\r\n", encoding))
    assert (marked.texts, marked.mentions) == ([TITLE], [MARKS])


def test_words_are_parted_by_spaces_unless_they_are_chinese(tmp_path):
    text = "Green B-brand\nLeaf I-brand\nrake O\n\n绿野 S-brand\n园艺耙 B-product\nXL O\n"
    marked = read_marks(written(tmp_path, text))
    assert marked.texts == ["Green Leaf rake", "绿野园艺耙XL"]
    assert marked.mentions == [[Mention(0, 10, "brand")], [Mention(0, 2, "brand"), Mention(2, 5, "product")]]


def test_neighbours_of_one_kind_stay_two_mentions_and_a_stray_inside_starts_one(tmp_path):
    marked = read_marks(written(tmp_path, "红 B-x\n蓝 B-x\n杯 O\n鞋 I-x\n"))
    assert marked.mentions == [[Mention(0, 1, "x"), Mention(1, 2, "x"), Mention(3, 4, "x")]]


def test_of_texts_that_occur_twice_the_first_counts(tmp_path):
    lines = [
        {"text": "红杯", "mentions": [[0, 1, "x"]]},
        {"text": "红杯", "mentions": []},
        {"text": "杯", "mentions": []},
    ]
    marked = read_marks(written(tmp_path, "\n".join(map(json.dumps, lines))))
    assert (marked.texts, marked.mentions) == (["红杯", "杯"], [[Mention(0, 1, "x")], []])


GOOD = '{"text": "红杯", "mentions": []}\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD + "{broken\n", 2, "malformed JSON"),
        (GOOD + "\n[1]\n", 3, "not a JSON object"),
        (GOOD + '{"title": "杯"}\n', 2, "no text"),
        (GOOD + '{"text": "杯"}\n', 2, "no list of mentions"),
        (GOOD + '{"text": "红杯", "mentions": [[0, 3, "x"]]}', 2, "2 characters"),
        (GOOD + '{"text": "红杯", "mentions": [[1, 1, "x"]]}', 2, "no mention"),
        (GOOD + '{"text": "红杯", "mentions": [{"start": 0, "end": 1}]}', 2, "no mention"),
        (GOOD + '{"text": "红杯", "mentions": [[0, 1, " "]]}', 2, "no mention"),
        (GOOD + '{"text": "红杯", "mentions": [7]}', 2, "no mention"),
        (GOOD + '{"text": "红杯", "mentions": [[0, 2, "x"], [1, 2, "y"]]}', 2, "overlap"),
        ("红 B-x\n杯 Z-x\n", 2, "'Z-x' is no tag"),
        ("红 B-x\n杯 B-\n", 2, "'B-' is no tag"),
        ("红 B-x\nO\n", 2, "stands alone"),
        ("红 B-x\n\n红杯\n", 3, "'红杯' is no tag"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_a_cure(tmp_path, text, line, said):
    with pytest.raises(InputError, match=said) as caught:
        read_marks(written(tmp_path, text))
    assert caught.value.where.endswith(f"marks.txt, line {line}")
    assert caught.value.cure


def test_an_empty_file_and_one_that_is_not_there_are_errors(tmp_path):
    with pytest.raises(InputError, match="no marked text"):
        read_marks(written(tmp_path, "\n\n"))
    with pytest.raises(InputError, match="cannot be read"):
        read_marks(tmp_path / "nowhere.jsonl")


@given(st.lists(st.tuples(st.sampled_from("红蓝杯aB9。"), st.sampled_from(["O", "B-x", "I-x", "B-y"])), min_size=1))
def test_columns_and_json_agree(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("marks")
    columns = read_marks(written(folder, "".join(f"{character} {tag}\n" for character, tag in rows)))
    again = json.dumps({"text": columns.texts[0], "mentions": [m._asdict() for m in columns.mentions[0]]})
    assert read_marks(written(folder, again)) == columns
    assert columns.texts == ["".join(character for character, _ in rows)]
