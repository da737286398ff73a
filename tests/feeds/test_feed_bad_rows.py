"""Everything bad that files hold: refused with file, row, column and reason, while the good rows stay."""

from __future__ import annotations

import csv
import gzip
import json

import polars as pl
import pytest

from shopkeeper.errors import InputError
from shopkeeper.store.feeds import StrictImportError, export_products

GOOD = "id,title,price\n1,Cup,5\n2,Pot,7\n"


def test_each_bad_row_is_named_and_the_good_ones_stay(bench):
    rows = [
        "id,title,price,created",
        "1,Cup,5,2024-01-01",
        ",No id,5,2024-01-01",
        "1,Twice,5,2024-01-01",
        "3,Price,call us,2024-01-01",
        "4,Date,5,someday",
        "5,Negative,-5,2024-01-01",
        "6,,5,2024-01-01",
        "7,Short",
        "8,Long,5,2024-01-01,more",
        f"{'9' * 300},Id,5,2024-01-01",
        "10,Pot,7,2024-01-02",
    ]
    report = bench.take("products", "bad.csv", "\n".join(rows) + "\n")
    assert bench.refused() == [
        (3, "id", "no id"),
        (4, "id", "duplicate id"),
        (5, "price", "unparsable price"),
        (6, "created", "unparsable date"),
        (7, "price", "negative price"),
        (8, "title", "no title"),
        (9, "", "wrong number of cells"),
        (10, "", "wrong number of cells"),
        (11, "id", "id too long"),
    ]
    assert (report.rows, report.added, report.rejected) == (11, 2, 9)
    assert report.reasons["wrong number of cells"] == 2
    assert report.rejects == bench.rejects
    assert list(bench.items) == ["1", "10"]
    assert bench.items["1"].title == "Cup"


def test_a_good_row_may_follow_a_bad_one_of_the_same_id(bench):
    report = bench.take("products", "a.csv", "id,title,price\n1,Cup,abc\n1,Cup,5\n")
    assert (report.added, report.rejected) == (1, 1)


def test_rejects_as_csv_are_safe_to_open_and_short(bench):
    bench.rejects = bench.folder / "rejects.csv"
    bench.take("products", "a.csv", f"id,title,price\n1,Cup,=HYPERLINK()\n2,Pot,{'x' * 5000}\n")
    with bench.rejects.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "file": "a.csv",
        "row": "2",
        "column": "price",
        "reason": "unparsable price",
        "value": "'=HYPERLINK()",
    }
    assert len(rows[1]["value"]) == 200


def test_rejects_of_an_earlier_import_are_gone_when_nothing_is_refused(bench):
    assert bench.take("products", "a.csv", GOOD + ",x,1\n").rejected == 1
    report = bench.take("products", "a.csv", GOOD)
    assert report.rejects is None
    assert not bench.rejects.exists()


def test_rejects_never_overwrite_the_input(bench):
    bench.rejects = bench.file("a.csv", GOOD)
    with pytest.raises(InputError, match="another file"):
        bench.take("products", "a.csv")
    assert bench.rejects.read_text() == GOOD


def test_strict_writes_nothing_when_a_row_is_bad(bench):
    with pytest.raises(StrictImportError, match="1 of 3 rows") as caught:
        bench.take("products", "a.csv", GOOD + "3,Pan,abc\n", strict=True)
    assert bench.items == {}
    assert bench.refused() == [(4, "price", "unparsable price")]
    assert caught.value.report.rejected == 1
    assert bench.take("products", "a.csv", GOOD, strict=True).added == 2


def test_strict_also_minds_unknown_items(bench):
    bench.take("products", "a.csv", GOOD)
    events = "time,user,item,kind\n2024-01-01,u,1,view\n2024-01-01,u,9,view\n"
    with pytest.raises(StrictImportError):
        bench.take("events", "e.csv", events, strict=True)
    assert bench.events == []


def test_unknown_items_are_refused_unless_allowed(bench):
    bench.take("products", "a.csv", GOOD)
    events = "time,user,item,kind\n2024-01-01,u,1,view\n2024-01-01,u,9,view\n2024-01-01,u,,search\n"
    assert bench.take("events", "e.csv", events).added == 2
    assert bench.refused() == [(3, "item", "unknown item")]
    assert bench.take("reviews", "r.csv", "item,text\n1,good\n9,bad\n").added == 1
    assert bench.refused() == [(3, "item", "unknown item")]
    assert bench.take("judgements", "j.csv", "query,item,grade\ncup,1,3\ncup,9,0\n").added == 1
    assert bench.refused() == [(3, "item", "unknown item")]
    assert bench.take("events", "e.csv", events, allow_unknown_items=True).added == 1


def test_bad_events(bench):
    rows = [
        "id,time,user,item,kind,value,quantity",
        "a,2024-01-01,u,1,view,,",
        "b,yesterday,u,1,view,,",
        "c,,u,1,view,,",
        "d,2024-01-01,u,1,juggle,,",
        "e,2024-01-01,u,,cart,,",
        "f,2024-01-01,u,1,purchase,many,",
        "g,2024-01-01,u,1,purchase,-3,",
        "h,2024-01-01,u,1,purchase,3,1.5",
        "a,2024-01-01,u,1,view,,",
    ]
    bench.take("events", "e.csv", "\n".join(rows), allow_unknown_items=True)
    assert bench.refused() == [
        (3, "time", "unparsable date"),
        (4, "time", "no date"),
        (5, "kind", "unknown kind"),
        (6, "item", "no item"),
        (7, "value", "unparsable price"),
        (8, "value", "negative price"),
        (9, "quantity", "unparsable quantity"),
        (10, "id", "duplicate id"),
    ]
    assert len(bench.events) == 1


def test_bad_reviews_and_judgements(bench):
    bench.take("reviews", "r.csv", "id,text,rating,time\na,,5,\nb,fine,many,\nc,fine,5,never\na,late,4/5,\n")
    assert [reason for *_, reason in bench.refused()] == ["no text", "unparsable rating", "unparsable date"]
    table = "query,item,grade\ncup,1,3\ncup,1,2\n,1,2\ncup,,2\npot,1,\npot,1,5\npot,1,good\n"
    bench.take("judgements", "j.csv", table, allow_unknown_items=True)
    assert [reason for *_, reason in bench.refused()] == [
        "duplicate id", "no query", "no item", "no grade", "grade outside 0 to 3", "unparsable grade",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_encodings_of_chinese_files(bench, encoding, suffix):
    if suffix == "csv":
        text = '商品ID,标题,价格,品牌\n1,景德镇青花瓷茶杯,¥1299,瓷都\n2,紫砂壶（宜兴）,"￥2,300",宜兴\n'
    else:
        text = '{"商品ID":"1","标题":"景德镇青花瓷茶杯","价格":1299,"品牌":"瓷都"}\n{"商品ID":"2","标题":"紫砂壶（宜兴）","价格":2300}\n'
    report = bench.take("products", f"a.{suffix}", text.encode(encoding))
    assert report.rejected == 0
    assert [item.title for item in bench.items.values()] == ["景德镇青花瓷茶杯", "紫砂壶（宜兴）"]
    assert [item.price for item in bench.items.values()] == [1299.0, 2300.0]
    assert bench.items["1"].language == "zh"


def test_rows_in_a_wrong_encoding_are_refused_and_the_others_kept(bench):
    content = "id,title\n1,茶杯\n".encode() + "2,Café brûlé\n".encode("latin-1") + b"3,Pot\n"
    bench.take("products", "a.csv", content)
    assert bench.refused() == [(3, "title", "wrong encoding")]
    assert list(bench.items) == ["1", "3"]


def test_western_bytes_are_not_taken_for_chinese(bench):
    bench.take("products", "a.csv", "id,title\n1,Café crème\n2,Pot\n".encode("latin-1"))
    assert bench.refused() == [(2, "title", "wrong encoding")]


FEED = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n<item><g:id>1</g:id><title>Cup</title></item>\n'


def test_what_stands_before_broken_xml_is_kept_and_the_break_reported(bench):
    report = bench.take("products", "a.xml", FEED + "<item><g:id>2</g:id><title>Pot</g:title></item>\n</channel></rss>")
    assert list(bench.items) == ["1"]
    assert bench.refused() == [(3, "", "broken XML")]
    assert not report.complete


def test_a_feed_that_ends_early_is_a_break(bench):
    report = bench.take("products", "a.xml", FEED + "<item><g:id>2</g:id>")
    assert list(bench.items) == ["1"]
    assert report.reasons == {"broken XML": 1}


BOMB = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel><item><id>1</id><title>&b;</title></item></channel></rss>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><rss><channel><item><id>1</id><title>&x;</title></item></channel></rss>'


@pytest.mark.parametrize("feed", [BOMB, OUTSIDE, '<!DOCTYPE rss SYSTEM "http://example.com/x.dtd"><rss/>'])
def test_entities_and_document_types_are_refused(bench, feed):
    with pytest.raises(InputError, match="entities"):
        bench.take("products", "a.xml", feed)
    assert bench.items == {}


def test_deep_xml_does_not_exhaust_anything(bench):
    bench.take("products", "a.xml", FEED + "<item>" + "<a>" * 100_000)
    assert bench.refused() == [(3, "", "broken XML")]


def parquet(bench, rows=3, **options):
    frame = pl.DataFrame({"id": [str(i) for i in range(rows)], "title": [f"Cup {i}" for i in range(rows)]})
    path = bench.folder / "a.parquet"
    frame.write_parquet(path, **options)
    return path


def test_truncated_parquet_is_an_error_that_says_so(bench):
    path = parquet(bench)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="whole Parquet") as caught:
        bench.take("products", "a.parquet")
    assert "a.parquet" in caught.value.where


def test_parquet_damaged_inside_keeps_the_rows_before(bench):
    path = parquet(bench, rows=8_000, row_group_size=2_000, compression="zstd")
    content = bytearray(path.read_bytes())
    middle = len(content) * 6 // 10
    content[middle : middle + 300] = b"\x00" * 300
    path.write_bytes(content)
    report = bench.take("products", "a.parquet")
    assert report.reasons == {"truncated file": 1}
    assert not report.complete
    assert 2_000 <= report.added < 8_000


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_truncated_gzip_keeps_the_rows_before(bench, name):
    rows = [{"id": str(i), "title": f"Cup {i} {hash(str(i))}"} for i in range(6_000)]
    if "csv" in name:
        text = "id,title\n" + "".join(f"{row['id']},{row['title']}\n" for row in rows)
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    packed = gzip.compress(text.encode())
    assert bench.take("products", name, packed).added == 6_000
    report = bench.take("products", name, packed[: len(packed) // 2])
    assert report.reasons["truncated file"] == 1
    assert report.unchanged > 1_000
    assert not report.complete


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "xml"])
def test_a_cell_of_ten_megabytes_is_refused(bench, suffix):
    huge = "x" * 10_000_000
    rows = [
        {"id": "1", "title": "Cup", "description": "fine"},
        {"id": "2", "title": "Pot", "description": huge},
        {"id": "3", "title": "Pan", "description": ""},
    ]
    path = bench.folder / f"a.{suffix}"
    if suffix == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == "csv":
        path.write_text("id,title,description\n" + "".join(",".join(row.values()) + "\n" for row in rows))
    else:
        path.write_text(
            "<rss>"
            + "".join(f"<item>{''.join(f'<{k}>{v}</{k}>' for k, v in row.items())}</item>" for row in rows)
            + "</rss>"
        )
    bench.take("products", path.name)
    assert [(column, reason) for _, column, reason in bench.refused()] == [("description", "cell too large")]
    assert list(bench.items) == ["1", "3"]
    assert bench.rejects.stat().st_size < 1000
    assert bench.take("products", path.name, cell_limit=20_000_000).added == 1


def test_malformed_json_lines(bench):
    lines = [
        '{"id":"1","title":"Cup"}',
        "{nonsense",
        "[1,2]",
        "",
        '{"id":"2","title":"Pot","price":NaN}',
        '{"id":"3","title":"Pan"}',
    ]
    bench.take("products", "a.jsonl", "\n".join(lines))
    assert bench.refused() == [(2, "", "malformed JSON"), (3, "", "not a JSON object"), (5, "", "malformed JSON")]
    assert list(bench.items) == ["1", "3"]


def test_formulas_stay_text_on_the_way_in_and_are_quoted_on_the_way_out(bench):
    bench.take("products", "a.csv", "id,title\n1,=1+1\n2,@home\n3,-10% off\n4,'=quoted\n")
    assert [item.title for item in bench.items.values()] == ["=1+1", "@home", "-10% off", "=quoted"]
    out = bench.folder / "out.csv"
    export_products(bench.store, out, "csv")
    with out.open(encoding="utf-8", newline="") as file:
        assert all(not cell.startswith(("=", "+", "-", "@")) for row in csv.reader(file) for cell in row)
    assert bench.take("products", "out.csv").unchanged == 4


def test_html_scripts_and_control_characters_never_reach_the_store(bench):
    title = "<b>Cup</b>&nbsp;&amp; saucer\x00<script>alert(1)</script>"
    bench.take(
        "products",
        "a.jsonl",
        json.dumps({"id": "1", "title": title, "description": "<p>One</p><p>Two</p>", "note": "<i>x</i>"}),
    )
    item = bench.items["1"]
    assert (item.title, item.description, item.attributes) == ("Cup & saucer", "One\n\nTwo", {"note": "x"})


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a,b\n1,2\n", {}, "recognised as id"),
        (GOOD, {"mapping": {"title": "nane"}}, "no column 'nane'"),
        (GOOD, {"mapping": {"titel": "title"}}, "Did you mean 'title'"),
        (GOOD, {"mapping": {"price": ["price", "id"]}}, "one column only"),
        (GOOD, {"mapping": {"dates": "ymd"}}, "order"),
        (GOOD, {"format": "xlsx"}, "no format"),
    ],
)
def test_unusable_files_and_mappings_say_what_to_do(bench, content, options, message):
    with pytest.raises(InputError, match=message):
        bench.take("products", "a.csv", content, **options)


def test_missing_files_and_folders(bench):
    for name in ("none.csv", "none.parquet", "none.xml", ""):
        with pytest.raises(InputError, match="read"):
            bench.take("products", name)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_an_empty_file_has_no_rows(bench, name):
    report = bench.take("products", name, "")
    assert (report.rows, report.rejected) == (0, 0)


def test_nothing_is_removed_as_missing_when_the_file_broke_off(bench):
    bench.take("products", "a.xml", FEED + "<item><g:id>2</g:id><title>Pot</title></item></channel></rss>")
    report = bench.take("products", "a.xml", FEED, remove_missing=True)
    assert (report.removed, report.complete) == (0, False)
    assert list(bench.items) == ["1", "2"]
    refused = bench.take("products", "b.csv", "id,title,price\n1,Cup,x\n", remove_missing=True)
    assert (refused.removed, refused.rejected) == (1, 1)
    assert list(bench.items) == ["1"]
