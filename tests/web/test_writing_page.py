"""The desk where copy is approved, and what product pages show of it."""

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from fastapi.testclient import TestClient

from shopkeeper.serving.auth import Keys
from shopkeeper.tasks.shop import Shop
from shopkeeper.tasks.write.briefs import Brief
from shopkeeper.tasks.write.desk import stamped
from shopkeeper.web.site import create_site
from shopkeeper.web.visits import Visit
from shopkeeper.web.writing import product_copy, router

ITEM = "kitchen-04"


@pytest.fixture(scope="module")
def clerk(shop: Shop) -> Iterator[Callable[[str], TestClient]]:
    """Makes a browser of staff who came in, in a language."""
    app = create_site(shop)
    if "/desk/copy" not in {getattr(route, "path", "") for route in app.routes}:
        app.include_router(router)
        app.router.routes.sort(key=lambda route: "copy" not in repr(getattr(route, "path", route)))
    secret = Keys(shop.settings.home / "keys.json").create("pen", ["admin"])[1]
    with TestClient(app):

        def make(language: str = "en", *, inside: bool = True) -> TestClient:
            browser = TestClient(app, headers={"accept-language": language, "sec-fetch-site": "same-origin"})
            if inside:
                browser.post("/desk/enter", data={"key": secret})
            return browser

        yield make


@pytest.fixture(scope="module", autouse=True)
def proposed(shop: Shop) -> list[str]:
    task = shop.pen
    (found,) = task.write(Brief(kind="description"), [ITEM])
    (points,) = task.write(Brief(kind="bullets"), [ITEM])
    task.desk.propose([*found.copies, *points.copies])
    return [copy.subject for copy in (*found.copies, *points.copies)]


def token(page: str) -> str:
    return re.search(r'name="token" value="([0-9a-f]+)"', page)[1]


def send(browser: TestClient, subject: str, decision: str, **more: str) -> str:
    page = browser.get("/desk/copy").text
    sent = {"token": token(page), "subject": subject, "decision": decision, **more}
    answer = browser.post("/desk/copy", data=sent)
    return unescape(answer.text)


def test_the_desk_is_shut_to_strangers_and_to_forms_of_others(clerk, proposed, shop):
    stranger = clerk(inside=False)
    assert stranger.get("/desk/copy", follow_redirects=False).headers["location"] == "/desk"
    sent = {"subject": proposed[0], "decision": "approve"}
    assert stranger.post("/desk/copy", data=sent, follow_redirects=False).headers["location"] == "/desk"
    assert clerk().post("/desk/copy", data={**sent, "token": "0" * 64}).status_code == 403
    assert proposed[0] in {one.subject for one in shop.pen.desk.queue(100)}


def test_copy_is_approved_changed_and_taken_back(clerk, proposed, shop):
    browser, desk = clerk(), shop.pen.desk
    page = unescape(browser.get("/desk/copy").text)
    assert "Copy to approve" in page
    assert "待审核文案" in clerk("zh").get("/desk/copy").text
    send(browser, proposed[0], "approve")
    assert desk.shown(ITEM, "description", "en", "s1").subject == proposed[0]
    assert "Published" in browser.get("/desk/copy").text
    wrong = send(browser, proposed[1], "edit", text="The best <b>machine</b>, only $1")
    assert "cannot be published" in wrong
    assert "<b>machine" not in wrong.split("<main")[1].split("<textarea")[0]
    assert "There are no words." in send(browser, proposed[1], "edit", text=" \n ")
    assert [one.subject for one in desk.published(ITEM, "description", "en")] == [proposed[0]]
    send(browser, proposed[1], "edit", text="A machine for the kitchen.")
    assert {one.text for one in desk.published(ITEM, "description", "en")} >= {"A machine for the kitchen."}
    send(browser, proposed[0], "unapprove")
    assert [one.text for one in desk.published(ITEM, "description", "en")] == ["A machine for the kitchen."]
    sent = {"token": token(browser.get("/desk/copy").text), "subject": proposed[0], "decision": "perhaps"}
    assert browser.post("/desk/copy", data=sent).status_code in (400, 422)


def test_a_product_page_has_the_approved_words_in_the_visitors_language(clerk, proposed, shop):
    desk = shop.pen.desk
    points = next(subject for subject in proposed if "/bullets/" in subject)
    desk.approve(points)
    item = shop.shelf.items[shop.shelf.row(ITEM)]
    app_desk = clerk().app.state.desk
    shown = product_copy(app_desk, Visit("s1", "", "en", "r1"), item)
    assert shown.bullets == tuple(desk.shown(ITEM, "bullets", "en", "s1").text.split("\n"))
    assert {row[1] for row in stamped(shown.properties)} >= {"bullets"}
    other = product_copy(app_desk, Visit("s1", "", "zh", "r1"), item)
    assert (other.description, other.bullets, other.properties) == (item.description, (), {})
