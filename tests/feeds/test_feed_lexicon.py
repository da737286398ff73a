from pathlib import Path

import polars as pl
import pytest

from shopkeeper.errors import InputError
from shopkeeper.store.feeds import read_lexicon

KNOWN = {"phone": ("handset", "mobile phone"), "handset": ("Phone", "mobile phone"), "手机": ("移动电话",)}


def written(folder: Path, kind: str) -> Path:
    path = folder / f"words.{kind}"
    groups = [["Phone", "handset", "mobile phone"], ["手机", "移动电话"], ["alone"], ["cat", "dog"]]
    kinds = ["=", "synonym", "@", "related"]
    match kind:
        case "parquet":
            pl.DataFrame({"kind": kinds, "words": groups}).write_parquet(path)
        case "jsonl":
            pl.DataFrame({"kind": kinds, "words": groups}).write_ndjson(path)
        case _:
            rows = pl.DataFrame({"kind": kinds, "words": ["|".join(group) for group in groups]})
            rows.write_csv(path, separator="," if kind == "csv" else "\t")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_lexicon(tmp_path: Path, kind: str) -> None:
    lexicon = read_lexicon(written(tmp_path, kind))
    assert {word: lexicon[word] for word in KNOWN} == KNOWN
    assert set(lexicon) == {*KNOWN, "mobile phone", "移动电话"}


def test_a_word_of_several_groups_gets_the_words_of_all(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("words\nfast|quick\nfast|firm\n", encoding="utf-8")
    assert read_lexicon(path)["fast"] == ("quick", "firm")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("l.csv", "word,other\na,b\n", r"l\.csv: There is no column 'words'\. Name one of: word, other"),
        ("l.csv", "words\nalone\n", "two words of the same meaning"),
        ("l.csv", "", "two words of the same meaning"),
        ("l.csv", "words,kind\na,b,c\n", r"row 2: This row cannot be read .wrong number of cells"),
        ("l.jsonl", '{"words": 5}\n', "row 1, column words: 5 is no group of words"),
        ("l.jsonl", '{"words": [\n', r"row 1: This row cannot be read .malformed JSON"),
        ("l.parquet", "PAR1", "not a whole Parquet file"),
        ("l.xlsx", "", r"ends in '\.xlsx'"),
    ],
)
def test_what_is_no_lexicon_is_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_lexicon(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_lexicon(tmp_path / "none.csv")
