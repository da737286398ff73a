"""`shopkeeper listen` and `opinions`, as people and programs call them."""

import json

from test_commands import run  # noqa: F401 - a fixture

FEED = """<rss version="2.0"><channel><title>Forum</title>
<item><guid>1</guid><title>Delivery is slow</title><description>The parcel never arrived. Awful.</description></item>
<item><guid>2</guid><title>Lovely</title><description>Great quality, quick delivery.</description></item>
</channel></rss>"""


def test_a_feed_is_read_counted_found_and_corrected(run, tmp_path):  # noqa: F811
    run("init")
    feed = tmp_path / "feed.xml"
    feed.write_text(FEED, encoding="utf-8")

    def told(*arguments):
        code, out, err = run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    first = told("listen", "--feed", str(feed), "--once")
    assert (first["taken"], first["read"]) == (2, 2)
    assert told("listen", "--feed", str(feed), "--once")["taken"] == 0
    found = told("opinions", "--by", "topic", "--days", "2")
    assert ("delivery", 2) in {(one["key"], one["posts"]) for one in found["series"]}
    bad = told("opinions", "posts", "parcel", "--negative")
    assert len(bad) == 1
    assert bad[0]["risk"] == "delivery"
    said = told("opinions", "say", bad[0]["id"], "about=not_us", "risk=none")
    assert said["muted"]
    assert told("opinions", "posts")[0]["id"] != bad[0]["id"]
    code, _, err = run("opinions", "say", bad[0]["id"], "risk=awful")
    assert code == 1
    assert "Use safety, fraud" in err
    assert run("opinions", "--by", "nothing")[0] == 1
    assert run("listen", "--feed", "https://news.example/rss", "--once")[0] == 1
