"""Ads in the storefront: labelled, told apart in the markup, clicked as ads."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from test_storefront import events, links

from shopkeeper.records import EventKind
from shopkeeper.store.advertising import Campaign
from shopkeeper.tasks.shop import Shop

Arrive = Callable[..., TestClient]


@pytest.fixture
def campaigns(shop: Shop) -> Iterator[None]:
    """Every garden item is advertised by somebody."""
    names = [f"garden-{number:02d}" for number in range(18)]
    wanted = [
        Campaign(id=f"c-{name}", name="Ad", advertiser=f"<b>{name}</b>", items=(name,), bid=0.5, currency="EUR")
        for name in names
    ]
    shop.store.campaigns.put(wanted)
    shop.refresh()
    yield
    shop.store.campaigns.remove([campaign.id for campaign in wanted])
    shop.refresh()


def test_no_campaigns_no_ads(visitor: Arrive):
    browser = visitor()
    for path in ("/search?q=garden", "/p/garden-00"):
        assert "data-sponsored" not in browser.get(path).text


@pytest.mark.usefixtures("campaigns")
@pytest.mark.parametrize(("language", "label"), [("en", "Sponsored"), ("zh", "广告")])
def test_ads_are_labelled_and_their_clicks_are_ad_clicks(shop: Shop, visitor: Arrive, language: str, label: str):
    browser = visitor(language)
    text = browser.get("/p/garden-00").text
    assert text.count("data-sponsored") == 1
    assert label in text.partition("data-sponsored")[2].partition("</li>")[0]
    assert 'rel="sponsored nofollow"' in text
    assert "<b>garden" not in text
    [href] = [href for href in links(text) if "ad=1" in href]
    item = href.partition("/p/")[2].partition("?")[0]
    assert item != "garden-00"
    assert text.count(f"/p/{item}?") == 1  # no item twice on the page
    before = shop.ad_spend.spent(f"c-{item}")
    for _ in range(2):
        assert browser.get(href).status_code == 200
    clicks = [event for event in events(shop, browser) if event.kind is EventKind.AD_CLICK]
    assert [(event.item, event.properties["surface"]) for event in clicks] == [(item, "product")]
    assert shop.ad_spend.spent(f"c-{item}") - before == pytest.approx(clicks[0].value or 0.0)
    assert not [event for event in events(shop, browser) if event.kind is EventKind.CLICK]


@pytest.mark.usefixtures("campaigns")
def test_a_search_shows_at_most_one_ad_for_four_hits(visitor: Arrive):
    text = visitor().get("/search?category=Garden").text
    found = links(text)
    paid = [href for href in found if "ad=1" in href]
    assert len(paid) <= (len(found) - len(paid)) // 4
    names = [href.partition("/p/")[2].partition("?")[0] for href in found]
    assert len(names) == len(set(names))
