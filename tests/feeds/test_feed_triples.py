"""Triples from files of every format, and what happens to their broken lines."""

import json
from pathlib import Path

import polars as pl
import pytest

from shopkeeper.errors import InputError
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds.report import StrictImportError
from shopkeeper.store.feeds.triples import import_triples

TURTLE = """@prefix shop: <http://shop.example/item/> .
@prefix v: <http://shop.example/v#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
shop:i1 v:fits shop:p1, shop:p2 ;
    v:colour "black" .
<http://shop.example/maker> rdfs:label "Maker"@en, "厂商"@zh .
"""
EXPECTED = {
    ("i1", "fits", "p1"),
    ("i1", "fits", "p2"),
    ("i1", "colour", "black"),
    ("http://shop.example/maker", "label", "Maker"),
    ("http://shop.example/maker", "label@zh", "厂商"),
}


@pytest.fixture
def triples(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        yield store.triples


def told(triples):
    return {(t.head, t.relation, t.tail) for t in triples.scan()}


def bring(tmp_path, triples, name, text, **options):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return import_triples(tmp_path / name, triples, rejects=tmp_path / "rejects.jsonl", **options)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "head,relation,tail\ni1,fits,p1\ni2, fits ,p2\n"),
        ("a.csv", "主体,关系,客体\ni1,fits,p1\ni2,fits,p2\n"),
        ("a.tsv", "subject\tpredicate\tobject\textra\ni1\tfits\tp1\t\ni2\tfits\tp2\tx\n"),
        ("a.jsonl", '{"from": "i1", "type": "fits", "to": "p1"}\n{"from": "i2", "type": "fits", "to": "p2"}\n'),
    ],
)
def test_tables(tmp_path, triples, name, text):
    report = bring(tmp_path, triples, name, text)
    assert (report.added, report.rejected, report.rejects) == (2, 0, None)
    assert told(triples) == {("i1", "fits", "p1"), ("i2", "fits", "p2")}
    assert triples.sources() == {name: 2}
    assert bring(tmp_path, triples, name, text).unchanged == 2


def test_parquet_and_a_mapping(tmp_path, triples):
    pl.DataFrame({"h": ["i1"], "how": ["fits"], "tail_id": [7]}).write_parquet(tmp_path / "kg.parquet")
    import_triples(
        tmp_path / "kg.parquet", triples, rejects=tmp_path / "r.jsonl", mapping={"head": "h", "relation": "how"}
    )
    assert told(triples) == {("i1", "fits", "7")}


def test_broken_rows_are_listed_with_their_line_and_the_good_ones_kept(tmp_path, triples):
    text = 'head,relation,tail\ni1,fits,p1\ni2,,p2\ni3,fits\ni4,fits,"' + "x" * 300 + '"\ni5,fits,p5\n'
    report = bring(tmp_path, triples, "a.csv", text)
    assert (report.rows, report.added, report.rejected) == (5, 2, 3)
    rejects = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert [(r["row"], r["column"], r["reason"]) for r in rejects] == [
        (3, "relation", "missing value"),
        (4, "", "wrong number of cells"),
        (5, "tail", "too long"),
    ]
    with pytest.raises(StrictImportError, match="3 of 5 rows"):
        bring(tmp_path, triples, "b.csv", text.replace("p1", "p9"), strict=True)
    assert told(triples) == {("i1", "fits", "p1"), ("i5", "fits", "p5")}


def test_a_table_without_the_columns_says_so(tmp_path, triples):
    with pytest.raises(InputError, match="looks like the relation"):
        bring(tmp_path, triples, "a.csv", "head,tail\na,b\n")
    with pytest.raises(InputError, match="no column 'x'"):
        bring(tmp_path, triples, "a.csv", "head,relation,tail\na,b,c\n", mapping={"tail": "x"})
    with pytest.raises(InputError, match="no format 'owl'"):
        bring(tmp_path, triples, "a.csv", "", format="owl")
    with pytest.raises(InputError, match="cannot be read"):
        import_triples(tmp_path / "none.csv", triples, rejects=tmp_path / "r.jsonl")
    assert bring(tmp_path, triples, "empty.csv", "").rows == 0


def rejected(tmp_path):
    lines = (tmp_path / "rejects.jsonl").read_text().splitlines()
    return [(r["row"], r["reason"], r["value"]) for r in map(json.loads, lines)]


def test_a_taxonomy_without_numbers_is_a_tree_of_categories(tmp_path, triples):
    text = "# Google_Product_Taxonomy_Version: 2021-09-21\nMedia\nMedia > Books\nMedia > Books > Comics\nMedia > > X\n"
    report = bring(tmp_path, triples, "taxonomy.txt", text)
    assert (report.format, report.added) == ("taxonomy", 2)
    assert ("category=Media > Books > Comics", "parent", "category=Media > Books") in told(triples)
    assert rejected(tmp_path) == [(5, "malformed path", "Media > > X")]


def test_googles_file_becomes_numbered_nodes_in_any_order(tmp_path, triples):
    text = "# Google_Product_Taxonomy_Version: 2021-09-21\n784 - Media > Books\n\n783 - Media\n"
    report = bring(tmp_path, triples, "taxonomy-with-ids.en-US.txt", text)
    assert (report.format, report.added, report.rejected) == ("taxonomy", 5, 0)
    assert told(triples) == {
        ("google_taxonomy=784", "parent", "google_taxonomy=783"),
        ("google_taxonomy=784", "label", "Books"),
        ("category=Media > Books", "google_taxonomy", "google_taxonomy=784"),
        ("google_taxonomy=783", "label", "Media"),
        ("category=Media", "google_taxonomy", "google_taxonomy=783"),
    }
    assert bring(tmp_path, triples, "taxonomy-with-ids.en-US.txt", text).unchanged == 5


def test_the_chinese_file_names_the_same_nodes(tmp_path, triples):
    bring(tmp_path, triples, "en.txt", "783 - Media\n784 - Media > Books\n")
    report = bring(tmp_path, triples, "zh.txt", "783 - 媒体\n784 - 媒体 > 图书\n839 - 媒体 > DVD\n")
    assert report.rejected == 0
    assert {("google_taxonomy=784", "label", "Books"), ("google_taxonomy=784", "label@zh", "图书")} <= told(triples)
    assert ("google_taxonomy=839", "label@zh", "DVD") in told(triples)
    assert ("category=媒体 > 图书", "google_taxonomy", "google_taxonomy=784") in told(triples)


def test_bad_lines_of_googles_file_are_named_and_no_circle_comes_in(tmp_path, triples):
    text = "1 - A\n2 - A > B\n1 - A > B > C\n3 - A > B\nA > D\n4 - A > > E\n5 - X > Y\n6 - A > F\n"
    report = bring(tmp_path, triples, "t.txt", text)
    assert sorted(rejected(tmp_path)) == [
        (3, "duplicate id", "1 - A > B > C"),
        (4, "duplicate path", "3 - A > B"),
        (5, "malformed taxonomy line", "A > D"),
        (6, "malformed taxonomy line", "4 - A > > E"),
        (7, "unknown parent", "X"),
    ]
    parents = {(head, tail) for head, relation, tail in told(triples) if relation == "parent"}
    assert parents == {("google_taxonomy=2", "google_taxonomy=1"), ("google_taxonomy=6", "google_taxonomy=1")}
    assert report.rejected == 5
    with pytest.raises(StrictImportError):
        bring(tmp_path, triples, "strict.txt", text, strict=True)
    assert "strict.txt" not in triples.sources()


def test_a_path_too_long_to_be_kept_leaves_its_number(tmp_path, triples):
    long = " > ".join(["Musical Instrument & Orchestra Accessories"] * 4 + ["Reeds"])
    lines = [f"{depth + 1} - {' > '.join(long.split(' > ')[: depth + 1])}" for depth in range(5)]
    lines += [f"6 - {long} > Cane Reeds of all Sizes"]
    assert bring(tmp_path, triples, "t.txt", "\n".join(lines)).rejected == 0
    assert ("google_taxonomy=6", "label", "Cane Reeds of all Sizes") in told(triples)
    assert not any(tail == "google_taxonomy=6" for _, _, tail in told(triples))


def test_another_text_file_is_a_table(tmp_path, triples):
    assert bring(tmp_path, triples, "a.txt", "head,relation,tail\ni1,fits,p1\n").format == "table"


def test_turtle_and_rdfxml(tmp_path, triples):
    rdflib = pytest.importorskip("rdflib")
    assert bring(tmp_path, triples, "a.ttl", TURTLE, base="http://shop.example/item/").added == 5
    assert told(triples) == EXPECTED
    graph = rdflib.Graph().parse(data=TURTLE, format="turtle")
    triples.remove("a.ttl")
    bring(tmp_path, triples, "a.rdf", graph.serialize(format="xml"), base="http://shop.example/item/")
    assert told(triples) == EXPECTED


def test_ntriples_are_streamed_and_their_broken_lines_rejected(tmp_path, triples):
    rdflib = pytest.importorskip("rdflib")
    lines = rdflib.Graph().parse(data=TURTLE, format="turtle").serialize(format="nt").strip().splitlines()
    lines.insert(2, "<http://shop.example/item/i1> this is broken .")
    lines.insert(0, "# a remark")
    report = bring(tmp_path, triples, "a.nt", "\n".join(lines) + "\n", base="http://shop.example/item/")
    assert (report.added, report.rejected) == (5, 1)
    assert told(triples) == EXPECTED
    (reject,) = map(json.loads, (tmp_path / "rejects.jsonl").read_text().splitlines())
    assert (reject["row"], reject["reason"]) == (4, "broken N-Triples")


def test_broken_turtle_names_its_line(tmp_path, triples):
    pytest.importorskip("rdflib")
    with pytest.raises(InputError, match=r"a\.ttl, line 5") as caught:
        bring(tmp_path, triples, "a.ttl", TURTLE.replace('v:colour "black"', "v:colour ]"))
    assert caught.value.cure
    with pytest.raises(InputError, match="rdfxml cannot be read"):
        bring(tmp_path, triples, "a.rdf", "<rdf")
    assert told(triples) == set()


def test_without_rdflib_the_extra_is_named(tmp_path, triples, monkeypatch):
    import sys

    from shopkeeper.errors import ExtraMissingError

    for name in ("rdflib", "rdflib.plugins.parsers.ntriples"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("a.ttl", "a.nt"):
        with pytest.raises(ExtraMissingError, match=r"shopkeeper\[graph\]"):
            bring(tmp_path, triples, name, TURTLE)
