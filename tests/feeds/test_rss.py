"""RSS and Atom as posts: what is read, what is refused, and who may be asked."""

import threading
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.records import PassageKind
from shopkeeper.store.feeds.downloading import Patience
from shopkeeper.store.feeds.rss import LARGEST, parse_feed, read_feed

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>Kettle news</title><link>https://news.example</link>
<item><title>Kettles recalled</title><guid>n-1</guid><link>https://news.example/1</link><dc:creator>Mia</dc:creator>
<pubDate>Fri, 01 May 2026 12:00:00 GMT</pubDate><description>short</description>
<content:encoded><![CDATA[<p>Two models <b>smoke</b> &amp; burn.</p><script>alert(1)</script>]]></content:encoded></item>
<item><title>电水壶涨价</title><link>https://news.example/2</link><pubDate>someday</pubDate></item>
<item><guid>empty</guid></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Forum</title>
<entry><id>urn:1</id><title>Late parcel</title><updated>2026-05-01T12:00:00Z</updated><author><name>Ann</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">It took <em>weeks</em>.</div></content></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><title>Old news</title></channel><item><title>Hello world</title><link>https://x.example/1</link></item></rdf:RDF>"""
BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><rss><channel><item><title>&c;</title></item></channel></rss>'


def test_rss_is_read_with_its_words_its_time_and_its_author():
    first, second = parse_feed(RSS.encode(), "https://news.example/rss")
    assert (first.kind, first.title, first.text) == (PassageKind.POST, "Kettles recalled", "Two models smoke & burn.")
    assert (first.time, first.author, first.source) == (datetime(2026, 5, 1, 12, tzinfo=UTC), "Mia", "Kettle news")
    assert (second.text, second.title, second.time, second.language) == ("电水壶涨价", "", None, "zh")
    assert [one.id for one in parse_feed(RSS.encode(), "elsewhere")] == [first.id, second.id]


def test_atom_and_rdf_are_read():
    (entry,) = parse_feed(ATOM.encode(), "forum.xml")
    assert (entry.text, entry.author, entry.source) == ("It took weeks .", "Ann", "Forum")
    assert entry.time == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert parse_feed(RDF.encode(), "old.xml")[0].text == "Hello world"


def test_the_credit_of_a_picture_is_not_the_post():
    feed = """<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>News</title><item>
    <title>Kettle recall</title><description>Kettles catch fire.</description><media:title>A kettle</media:title>
    <media:content url="https://x.example/1.jpg"><media:credit>Photograph: J. Doe</media:credit></media:content>
    </item></channel></rss>"""
    (post,) = parse_feed(feed.encode(), "news.xml")
    assert (post.title, post.text) == ("Kettle recall", "Kettles catch fire.")


def test_other_encodings_are_read():
    text = RSS.replace("utf-8", "gb2312", 1)
    assert parse_feed(text.encode("gb2312"), "x")[1].text == "电水壶涨价"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB.encode(), "entities"),
        (b"not xml", "no XML"),
        (b"", "no XML"),
        (b"<html><body/></html>", "no feed but 'html'"),
        (b"x" * (LARGEST + 1), "more than"),
        (b'<?xml version="1.0" encoding="nonsense"?><rss/>', "no XML"),
    ],
)
def test_what_is_no_feed_is_refused(content, said):
    with pytest.raises(InputError, match=said):
        parse_feed(content, "x")


def test_a_document_from_elsewhere_is_not_fetched():
    assert parse_feed(b'<!DOCTYPE rss SYSTEM "file:///none/rss.dtd"><rss/>', "x") == []
    outside = (
        b'<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><channel><title>&a;</title></channel></rss>'
    )
    with pytest.raises(InputError, match="entities"):
        parse_feed(outside, "x")


def test_files_and_only_listed_hosts_are_read(tmp_path):
    file = tmp_path / "feed.xml"
    file.write_text(RSS, encoding="utf-8")
    assert len(read_feed(str(file))) == 2
    with pytest.raises(InputError, match="cannot be read"):
        read_feed(str(tmp_path / "none.xml"))
    with pytest.raises(InputError, match=r"host not listed.*fetch\.hosts"):
        read_feed("https://news.example/rss")
    with pytest.raises(InputError, match="not a public address"):
        read_feed("http://127.0.0.1:9/rss", ["127.0.0.1:9"])


def test_a_feed_is_downloaded_within_limits():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = RSS.encode() if self.path == "/rss" else b"x" * 1_000
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) if self.path == "/rss" else LARGEST + 1))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        how = {"public": lambda _: True, "patience": Patience(total=20, idle=5)}
        assert len(read_feed(f"http://{host}/rss", [host], **how)) == 2
        with pytest.raises(InputError, match="too large"):
            read_feed(f"http://{host}/big", [host], **how)
        server.shutdown()
    with pytest.raises(InputError, match="cannot be had"):
        read_feed(f"http://{host}/rss", [host], **how)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    with suppress(InputError):
        assert len(parse_feed(content, "x")) >= 0
