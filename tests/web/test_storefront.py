"""The storefront without a browser: pages, what they record, and what they refuse."""

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_goods import HOSTILE

from shopkeeper.records import EventKind
from shopkeeper.tasks.shop import Shop
from shopkeeper.web.view import product_path

Arrive = Callable[..., TestClient]


def titles(text: str, shelf: str = "") -> list[str]:
    """Titles of the cards of a page, or of one of its shelves."""
    if shelf:
        text = text.partition(f'data-shelf="{shelf}"')[2].partition("</section>")[0]
    found = re.findall(r'<a class="whole" [^>]*>(.*?)</a>', text)
    return [unescape(re.sub("</?mark>", "", title)) for title in found]


def links(text: str) -> list[str]:
    return [unescape(href) for href in re.findall(r'<a class="whole" href="([^"]*)"', text)]


def events(shop: Shop, visitor: TestClient):
    return shop.store.events.of_session(visitor.cookies["shop_session"])


def kinds(shop: Shop, visitor: TestClient) -> list[EventKind]:
    return [event.kind for event in events(shop, visitor) if event.kind is not EventKind.IMPRESSION]


@pytest.mark.parametrize("path", ["/", "/search", "/search?q=pan", "/p/kitchen-04", "/basket", "/docs"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_speaks_both_languages(visitor: Arrive, path: str, language: str):
    response = visitor(language).get(path)
    assert response.status_code == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in response.text
    assert ("购物篮" in response.text) == (language == "zh")
    assert response.headers["Cache-Control"] == "no-store"


def test_the_language_asked_for_is_kept(visitor: Arrive):
    browser = visitor("en-GB,en;q=0.9")
    assert "搜索全店" in browser.get("/?lang=zh").text
    assert "搜索全店" in browser.get("/basket").text
    assert "搜索全店" in visitor("fr;q=1.0,zh-TW;q=0.8,en;q=0.5").get("/").text
    assert "Search the shop" in visitor("fr;q=x,;,").get("/?lang=klingon").text


def test_pages_use_nothing_from_elsewhere_and_no_inline_script(visitor: Arrive):
    for path in ("/", "/search?q=pan", "/p/kitchen-04", "/docs"):
        text = visitor().get(path).text
        assert not re.search(r"<script(?![^>]* src=)", text)
        assert not re.search(r'\s(on\w+|style)="', text)
        assert not re.search(r'(src|href)="(https?:)?//', text)


def test_search_shows_what_was_asked_for_and_records_it(visitor: Arrive, shop: Shop):
    browser = visitor()
    response = browser.get("/search?q=frying+pan")
    assert "Cast iron frying pan" in titles(response.text)[:3]
    assert kinds(shop, browser) == [EventKind.SEARCH]
    assert "铸铁煎锅" in titles(visitor("zh").get("/search?q=煎锅").text)[:3]


def test_filters_sorting_and_chips(visitor: Arrive):
    text = (
        visitor().get("/search?category=Kitchen&brand=Hearth&low=10&high=30&sort=price_desc&attribute=colour:blue").text
    )
    found = titles(text)
    assert "Chef knife stainless steel" in found
    assert "Steel garden rake" not in found
    prices = [float(price) for price in re.findall(r'class="price">€([\d.]+)<', text)]
    assert prices == sorted(prices, reverse=True)
    assert 10 <= min(prices) <= max(prices) <= 30
    assert len(re.findall(r'aria-label="Remove filter', text)) == 4
    assert (
        titles(
            visitor()
            .get("/search?category=Kitchen&brand=Hearth&low=30&high=10&sort=price_desc&attribute=colour:blue")
            .text
        )
        == found
    )


def test_sold_out_and_hidden_are_never_listed(visitor: Arrive):
    items = [link.partition("?")[0] for link in links(visitor().get("/search?category=Kitchen&sort=newest").text)]
    assert "/p/kitchen-16" in items
    assert not {"/p/kitchen-18", "/p/kitchen-19"} & set(items)
    assert visitor().get("/p/kitchen-19").status_code == 404
    assert "Sold out" in visitor().get("/p/kitchen-18").text
    assert "Add to basket" not in visitor().get("/p/kitchen-18").text


def test_nothing_found_shows_ways_on(visitor: Arrive, monkeypatch: pytest.MonkeyPatch):
    text = visitor().get("/search?q=frying+pan&low=9000").text
    assert "Nothing matches “frying pan”" in unescape(text)
    assert "without filters" in text
    assert "Search only “frying”" in unescape(text)
    assert titles(text, "meanwhile")


def test_paging_beyond_the_end_is_said_not_broken(visitor: Arrive):
    text = visitor().get("/search?page=999").text
    assert "There is no such page" in text


def test_clicks_change_the_home_page(visitor: Arrive, shop: Shop):
    browser = visitor()
    assert 'data-shelf="for-you"' not in browser.get("/").text
    for name in ("kitchen-00", "kitchen-02", "kitchen-04"):
        browser.get(product_path(name))
    text = browser.get("/").text
    mine = [*titles(text, "because"), *titles(text, "for-you")]
    kitchen = {item.title for item in shop.store.catalogue.scan() if item.category[0] == "Kitchen"}
    assert len([title for title in mine if title in kitchen]) >= 12
    assert "Because you looked at “Bamboo cutting board”" in unescape(text)
    assert "Your session" in text
    assert "Hearth" in text.partition('class="leaning"')[2].partition("</p>")[0]


def test_a_click_is_tied_to_its_answer_and_counted_once(visitor: Arrive, shop: Shop, site: TestClient):
    browser = visitor()
    link = links(browser.get("/search?q=knife").text)[0]
    browser.get(link)
    browser.get(link)
    site.app.state.desk.flush()
    log = events(shop, browser)
    (click,) = [event for event in log if event.kind is EventKind.CLICK]
    shown = [event for event in log if event.kind is EventKind.IMPRESSION and event.request == click.request]
    assert len(shown) == 1
    assert click.item in shown[0].impression.items
    assert click.query == "knife"
    assert [event.kind for event in log].count(EventKind.VIEW) == 2


def test_the_basket_fills_empties_and_is_bought(visitor: Arrive, shop: Shop):
    browser = visitor()
    browser.get("/")
    for _ in range(2):
        assert (
            browser.post("/basket/add", data={"item": "kitchen-00", "back": "/p/kitchen-00"}).url.path
            == "/p/kitchen-00"
        )
    answer = browser.post("/basket/add", data={"item": "garden-00"}, headers={"Accept": "application/json"})
    assert answer.json() == {"basket": 3, "said": "In your basket"}
    text = browser.get("/basket").text
    assert "€15.00" in text
    browser.post("/basket/remove", data={"item": "garden-00", "back": "/basket"})
    assert "€10.00" in browser.get("/basket").text
    assert "Thank you" in browser.post("/checkout").text
    assert "Your basket is empty" in browser.get("/basket").text
    (bought,) = [event for event in events(shop, browser) if event.kind is EventKind.PURCHASE]
    assert (bought.item, bought.quantity, bought.value) == ("kitchen-00", 2, 10.0)
    assert browser.post("/checkout").url.path == "/basket"


def test_not_interested_takes_it_from_the_shelves(visitor: Arrive):
    browser = visitor()
    for name in ("kitchen-00", "kitchen-02"):
        browser.get(product_path(name))
    first = links(browser.get("/").text.partition('data-shelf="for-you"')[2])[0]
    item = first.removeprefix("/p/").partition("?")[0]
    browser.post("/dismiss", data={"item": item, "back": "/"})
    after = browser.get("/").text.partition('data-shelf="for-you"')[2].partition("</section>")[0]
    assert item not in [link.removeprefix("/p/").partition("?")[0] for link in links(after)]
    assert "Not interested in" in browser.get("/").text


def test_starting_afresh_forgets(visitor: Arrive):
    browser = visitor()
    browser.get("/p/kitchen-00")
    before = browser.cookies["shop_session"]
    assert 'data-shelf="for-you"' not in browser.post("/forget").text
    assert browser.cookies["shop_session"] != before


def test_a_demonstration_lets_visitors_act_as_customers(visitor: Arrive, shop: Shop):
    browser = visitor()
    browser.get("/")
    text = browser.post("/as", data={"customer": "c01"}).text
    assert "<option selected>c01</option>" in text
    kitchen = {item.title for item in shop.store.catalogue.scan() if item.category[0] == "Kitchen"}
    assert titles(text, "for-you")
    mine = {title for shelf in ("for-you", "because", "continue", "again") for title in titles(text, shelf)}
    assert len(mine & kitchen) >= 4  # on whichever shelf: an item stands on the page once
    browser.get("/p/kitchen-00")
    assert events(shop, browser)[-1].customer == "c01"
    assert browser.post("/as", data={"customer": "nobody"}).status_code == 404
    assert 'data-shelf="for-you"' not in browser.post("/as", data={"customer": ""}).text


def test_the_session_cookie_is_for_the_server_only(visitor: Arrive):
    header = visitor().get("/").headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=lax" in header
    secure = TestClient(visitor().app, base_url="https://testserver").get("/")
    assert "Secure" in secure.headers["Set-Cookie"]
    forged = visitor()
    forged.cookies["shop_session"] = "<script>"
    assert "shop_session" in forged.get("/").headers["Set-Cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Referer": "http://evil.example/"},
        {"Origin": ""},
    ],
)
def test_posts_from_elsewhere_are_refused(visitor: Arrive, shop: Shop, headers: dict[str, str]):
    browser = visitor()
    browser.get("/")
    refused = browser.post("/basket/add", data={"item": "kitchen-00"}, headers=headers)
    assert refused.status_code == 403
    assert kinds(shop, browser) == []


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_the_way_back_never_leaves_the_shop(visitor: Arrive, place: str):
    answer = visitor().post("/basket/add", data={"item": "kitchen-00", "back": place}, follow_redirects=False)
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("data", [{}, {"item": "none"}, {"item": "kitchen-18"}, {"item": "x" * 3000}])
def test_what_cannot_be_bought_is_refused_politely(visitor: Arrive, data: dict[str, str]):
    answer = visitor().post("/basket/add", data=data)
    assert answer.status_code in (400, 404)
    assert "Go on shopping" in answer.text


def test_too_many_posts_are_slowed(visitor: Arrive):
    browser = visitor()
    answers = [browser.post("/dismiss", data={"item": "none"}) for _ in range(150)]
    assert {answer.status_code for answer in answers} == {404, 429}
    assert all("A little slower" in answer.text for answer in answers if answer.status_code == 429)


class _Scripts(HTMLParser):
    """Collects what would run or load."""

    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_hostile_goods_are_harmless(visitor: Arrive):
    browser = visitor()
    pages = [product_path(HOSTILE.id), "/search?q=alert", f"/search?brand={HOSTILE.brand}", "/?lang=<script>", "/"]
    pages += [
        "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
        "/search?q=%22%3E%3Csvg%20onload=alert(1)%3E&category=%3Ci%3E",
    ]
    for path in pages:
        parser = _Scripts()
        response = browser.get(path)
        assert response.status_code == 200, path
        parser.feed(response.text)
        assert parser.tags.count("script") == 2, path  # the shop's own two
        assert not [name for name, _ in parser.attributes if name.startswith("on")], path
        assert not [value for _, value in parser.attributes if (value or "").startswith("javascript:")], path
    assert HOSTILE.title in unescape(browser.get(product_path(HOSTILE.id)).text)


def test_pictures_come_from_the_media_folder_only(visitor: Arrive):
    browser = visitor()
    picture = browser.get("/media/toys/red%201.png")
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"
    for path in (
        "../shop.db",
        "%2e%2e/shop.db",
        "..%2fshop.db",
        "toys/../../shop.db",
        "note.txt",
        "out.png",
        "toys",
        "",
        "%00.png",
    ):
        assert browser.get(f"/media/{path}").status_code == 404, path


def test_a_product_page_shows_its_clips_and_a_browser_may_ask_for_parts(visitor: Arrive):
    browser = visitor("zh")
    page = browser.get("/p/earphones-zh")
    assert page.text.count("<video") == 1
    assert 'src="/media/toys/turning.webm"' in page.text
    assert "media-src 'self'" in page.headers["content-security-policy"]
    part = browser.get("/media/toys/turning.webm", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.headers["content-type"]) == (206, "video/webm")
    assert part.content == b"\x1a\x45\xdf\xa3"


def test_missing_pages_are_pages_and_missing_addresses_of_the_api_are_problems(visitor: Arrive):
    missing = visitor("zh").get("/nowhere")
    assert missing.status_code == 404
    assert "这个货架是空的" in missing.text
    assert visitor().get("/p/none").status_code == 404
    assert visitor().get("/static/none.css").status_code == 404
    assert visitor().get("/v1/nowhere").headers["content-type"] == "application/problem+json"
    assert visitor().get("/v1/search?q=x").status_code == 401


def test_a_fault_inside_is_a_page_that_tells_nothing(visitor: Arrive, shop: Shop, monkeypatch: pytest.MonkeyPatch):
    def fall(request):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(shop, "similar", fall)
    response = visitor().get("/p/kitchen-00")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers["X-Request-Id"] in response.text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["q", "category", "brand", "low", "high", "sort", "page", "attribute", "ignore", "lang"]),
        st.text(max_size=30) | st.integers().map(str) | st.floats().map(str),
    )
)
def test_no_address_breaks_the_search_page(visitor: Arrive, parameters: dict[str, str]):
    encodable = {name: value.encode("utf-8", "ignore").decode() for name, value in parameters.items()}
    assert visitor().get("/search", params=encodable).status_code == 200
