"""The search page without a browser: chips, other wordings, honest headings, marks, rules, and lines to complete."""

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_goods import HOSTILE

from shopkeeper.ranking.ranker import SURE, Confidence, Linear
from shopkeeper.records import EventKind, Request
from shopkeeper.tasks.shop import Shop

Arrive = Callable[..., TestClient]


class _Page(HTMLParser):
    """Links by the data attribute that names them, marked words, and headings."""

    def __init__(self, text: str):
        super().__init__()
        self.links: dict[str, list[tuple[str, str]]] = {}
        self.marks: list[str] = []
        self.heading = ""
        self.tags: list[str] = []
        self._open: list[tuple[str, str | None, str]] = []
        self._said = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        if tag in ("a", "mark", "h1"):
            kind = next((name for name in given if name.startswith("data-")), None)
            self._open.append((tag, kind, given.get("href") or ""))
            self._said = ""

    def handle_data(self, data):
        self._said += data

    def handle_endtag(self, tag):
        if not self._open or tag != self._open[-1][0]:
            return
        _, kind, href = self._open.pop()
        said = " ".join(self._said.split()).removesuffix(" ×").removesuffix(" +")
        if tag == "mark":
            self.marks.append(said)
        elif tag == "h1":
            self.heading = said
        elif kind:
            self.links.setdefault(kind, []).append((said, href))

    def link(self, kind: str) -> tuple[str, str]:
        (only,) = self.links[kind]
        return only


def look(browser: TestClient, path: str) -> _Page:
    response = browser.get(path)
    assert response.status_code == 200, path
    return _Page(response.text)


def cards(text: str) -> int:
    return text.count("data-card")


@pytest.mark.parametrize(
    ("language", "query", "label"),
    [("en", "knife under 10 euros", "price up to 10"), ("zh", "厨师刀 10元以下", "价格 不超过 10")],
)
def test_a_chip_is_taken_away_and_brought_back(visitor: Arrive, language: str, query: str, label: str):
    browser = visitor(language)
    page = look(browser, f"/search?q={query}&sort=popular")
    said, away = page.link("data-chip")
    assert said == label
    assert "ignore=price" in away
    assert "sort=popular" in away
    page = look(browser, away)
    assert "data-chip" not in page.links
    said, back = page.link("data-dropped")
    assert said == label
    assert "ignore" not in back
    assert look(browser, back).link("data-chip")[0] == label


def test_what_was_taken_away_stays_away_through_sorting_and_filtering(visitor: Arrive):
    text = visitor().get("/search?q=knife+under+10+euros&ignore=price").text
    assert text.count('<input type="hidden" name="ignore" value="price">') == 2
    links = re.findall(r'href="(/search\?q=[^"]*low=[^"]*)"', text)
    assert all("ignore=price" in link for link in links)


@pytest.mark.parametrize(("language", "typed", "shown"), [("en", "fring pan", "frying pan"), ("zh", "jianguo", "煎锅")])
def test_other_words_are_owned_up_to_and_can_be_undone(visitor: Arrive, language: str, typed: str, shown: str):
    browser = visitor(language)
    text = browser.get(f"/search?q={typed}").text
    said = unescape(text.partition("data-mended>")[2].partition("</p>")[0])
    assert f"“{shown}”" in said
    assert f"“{typed}”" in said
    undone = unescape(re.search('href="([^"]*)"', said)[1])
    page = look(browser, undone)
    assert "data-mended" not in browser.get(undone).text
    assert len(page.links["data-dropped"]) == 1


def test_did_you_mean_keeps_the_rest_of_the_query(visitor: Arrive, shop: Shop):
    browser = visitor()
    unsure = [query for query in ("moer pan", "fryng pn", "pan") if _instead(shop, query)]
    assert unsure
    for query in unsure:
        other = _instead(shop, query)
        said, href = look(browser, f"/search?q={query}+under+30+euros").link("data-instead")
        assert said == other
        assert look(browser, href).link("data-chip")[0] == "price up to 30"


def _instead(shop: Shop, query: str) -> str:
    return shop.search(Request(query=query)).instead


@pytest.mark.parametrize(
    ("language", "query", "nothing", "close"),
    [("en", "sofa", "Nothing matches “sofa”.", "Close to it"), ("zh", "铲子", "没有找到“铲子”。", "比较接近的")],
)
def test_hits_that_are_no_answer_are_not_called_results(
    visitor: Arrive, shop: Shop, monkeypatch: pytest.MonkeyPatch, language: str, query: str, nothing: str, close: str
):
    finder = shop._floor.search.finder
    none = np.zeros(len(SURE), dtype=np.float32)
    monkeypatch.setattr(finder, "confidence", Confidence(Linear(none, none, 0.0), candidate=0.0, answer=0.9))
    text = visitor(language).get(f"/search?q={query}").text
    assert _Page(text).heading == nothing
    assert f'<h2 class="close">{close} <small' in text
    assert text.count("data-count") == 1
    assert cards(text) > 0


@pytest.mark.parametrize(
    ("language", "query", "label"),
    [
        ("en", "frying pan", "Without the price limit: 1 item"),
        ("zh", "煎锅", "去掉价格限制：1 件商品"),
    ],
)
def test_what_to_give_up_is_told_with_what_it_brings(visitor: Arrive, language: str, query: str, label: str):
    browser = visitor(language)
    said, href = look(browser, f"/search?q={query}&low=9000").link("data-way")
    assert said == label
    assert cards(browser.get(href).text) >= 1


@pytest.mark.parametrize(("query", "word"), [("headphones", "headphones"), ("蓝牙耳机", "蓝牙")])
def test_words_searched_are_marked_in_title_and_snippet(visitor: Arrive, query: str, word: str):
    text = visitor().get(f"/search?q={query}").text
    assert word in _Page(text).marks
    assert re.search(f'class="whole" [^>]*>[^<]*<mark>{word}', text)
    assert re.search(f'class="snippet">[^<]*<mark>{word}', text)


def test_variants_stand_on_one_card(visitor: Arrive):
    text = visitor().get("/search?q=wireless+headphones").text
    assert "+2 variants" in text
    assert text.count("Wireless <mark>") + text.count("<mark>Wireless</mark> <mark>headphones</mark>") == 1
    assert "另有 2 款" in visitor("zh").get("/search?q=wireless+headphones").text


def test_rules_speak_lead_elsewhere_and_rewrite(visitor: Arrive, shop: Shop):
    text = visitor().get("/search?q=headphones").text
    banner = text.partition('<aside class="banner"')[2].partition("</aside>")[0]
    assert "&lt;b&gt;Earphone&lt;/b&gt; week &amp; more" in banner
    assert 'href="/search?brand=Tonfa"' in banner
    assert "&lt;b&gt;耳机&lt;/b&gt;周开始了" in visitor("zh").get("/search?q=耳机").text
    assert "<aside" not in visitor().get("/search?q=rake").text
    browser = visitor()
    led = browser.get("/search?q=Returns", follow_redirects=False)
    assert (led.status_code, led.headers["Location"]) == (303, "/basket")
    kinds = [event.kind for event in shop.store.events.of_session(browser.cookies["shop_session"])]
    assert kinds.count(EventKind.SEARCH) == 1
    assert visitor().get("/search?q=roundabout", follow_redirects=False).status_code == 200
    assert visitor().get("/search?q=hither").url.query == b"q=thither&led=1"
    rewritten = visitor().get("/search?q=brain+cans").text
    assert "Searched for “wireless headphones” instead." in rewritten
    assert "+2 variants" in rewritten


def test_the_chart_of_prices_shows_what_is_chosen(visitor: Arrive):
    text = visitor().get("/search?high=20").text
    chart = text.partition('<svg class="bars"')[2].partition("</svg>")[0]
    assert 0 < chart.count('class="inside"') < chart.count("<rect")
    assert "How many items cost how much, from " in text
    assert '<option value="rating">Best rated</option>' in text
    assert visitor().get("/search?sort=rating").status_code == 200


@pytest.mark.parametrize(("language", "typed", "text"), [("en", "fry", "frying pan"), ("zh", "厨", "厨房")])
def test_lines_to_complete(visitor: Arrive, language: str, typed: str, text: str):
    answer = visitor(language).get("/suggest", params={"q": typed})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    groups = {group["name"]: group for group in answer.json()["groups"]}
    (line,) = [line for line in groups["queries"]["lines"] if "".join(p for p, _ in line["pieces"]) == text]
    assert [piece for piece, marked in line["pieces"] if marked] == [typed]
    assert line["href"].startswith("/search?q=")
    assert groups["products"]["lines"][0]["href"].startswith("/p/kitchen-")
    assert groups["products"]["title"] == ("Products" if language == "en" else "商品")


def test_categories_and_brands_lead_to_their_goods(visitor: Arrive):
    browser = visitor()
    groups = {group["name"]: group for group in browser.get("/suggest?q=hea").json()["groups"]}
    (category,) = groups["categories"]["lines"]
    assert category["note"] == "Audio"
    assert "+2 variants" in browser.get(category["href"]).text
    (brand,) = groups["brands"]["lines"]
    assert cards(browser.get(brand["href"]).text) > 5


def test_own_searches_are_for_their_owner_only(visitor: Arrive):
    mine, other = visitor(), visitor()
    for browser in (mine, other):
        browser.get("/")
    mine.post("/as", data={"customer": "c02"})
    mine.get("/search?q=terracotta+surprise")
    notes = {"".join(p for p, _ in line["pieces"]): line["note"] for line in _queries(mine, "terra")}
    assert notes == {"terracotta surprise": "searched before"}
    assert _queries(other, "terra") == []
    other.cookies["shop_customer"] = "c03"
    assert _queries(other, "terra") == []


def _queries(browser: TestClient, typed: str) -> list[dict]:
    groups = browser.get("/suggest", params={"q": typed}).json()["groups"]
    return [line for group in groups if group["name"] == "queries" for line in group["lines"]]


def test_hostile_words_stay_words(visitor: Arrive):
    browser = visitor()
    attack = 'alert <script>alert(1)</script> "><img src=x onerror=alert(1)> under 30 euros without \'"><svg onload=1>'
    for parameters in (
        {"q": attack},
        {"q": attack, "ignore": ["price", "<script>", '"><img>']},
        {"q": f"headphones {attack}"},
        {"q": "fring pan <i>", "low": "9000"},
    ):
        page = _Page(browser.get("/search", params=parameters).text)
        assert page.tags.count("script") == 2  # the shop's own two
        assert not {"i", "b"} & set(page.tags)
        assert not [tag for tag in page.tags if tag == "img"][1:], parameters
    lines = browser.get("/suggest?q=script").json()["groups"]
    assert HOSTILE.title in ["".join(p for p, _ in line["pieces"]) for group in lines for line in group["lines"]]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300))
def test_anything_may_be_typed(visitor: Arrive, typed: str):
    answer = visitor().get("/suggest", params={"q": typed.encode("utf-8", "ignore").decode()})
    assert answer.status_code == 200
    assert answer.json().keys() == {"groups", "said"}


def test_single_words_are_those_searched_not_those_of_a_price(visitor: Arrive):
    text = unescape(visitor().get("/search?q=frying+pan+under+20+euros&low=9000").text)
    assert "Search only “frying”" in text
    assert "Search only “euros”" not in text


def test_stars_are_chosen_kept_and_taken_away(visitor: Arrive):
    browser = visitor("en")
    page = browser.get("/search", params={"stars": "4", "sort": "rating"}).text
    assert '<input type="hidden" name="stars" value="4">' in page or "Nothing" in page
    assert "★★★★ +" in page
    assert "★" not in browser.get("/search", params={"stars": "nine"}).text
