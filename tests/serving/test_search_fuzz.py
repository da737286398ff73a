"""Thousands of searches that nobody would make, through HTTP: each is answered consistently or refused with a problem."""

import json
import random
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from test_api_answers import assert_problem
from toyshop import toy_footwear, toy_items, toy_stars, toy_store

from shopkeeper import settings as settings_module
from shopkeeper.records import Filters
from shopkeeper.serving.app import create_app
from shopkeeper.store.merchandising import Boost, Pin, Rule, Then, When
from shopkeeper.tasks.search.task import SORTS
from shopkeeper.tasks.shop import open_shop

ITEMS = {item.id: item for item in [*toy_items(), *toy_footwear()]}
UNSEEN = {"garden-18", "garden-19", "kitchen-18", "kitchen-19"}
BRANDS = sorted({item.brand for item in ITEMS.values()})
PATHS = sorted({item.category[:depth] for item in ITEMS.values() for depth in (1, 2)})
ATTRIBUTES = {"colour": ["red", "green", "blue", "black"], "size": ["38", "39"], "rating": ["all weather"]}
WORDS = " ".join(f"{item.title} {item.brand} {item.description}" for item in ITEMS.values()).split()
SAID = [
    "under $40", "over 20", "between 10 and 50", "不超过三十元", "30元以下", "cheapest", "最便宜", "newest", "4 stars and up",
    "四星以上", "not leather", "without leather", "不要真皮", "-leather", "no", "not", "不", "无", "size 38", "38码", "10 litres",
    "10l", "1.7 升", "1e400", "$" * 9, "0", "-5", "∞", "NaN", "all weather", "rating", "brand", "price",
]  # fmt: skip
SYNTAX = [
    "title:rake AND (", "a:b^9~", "[a TO z]", "/.*/", "(?R)", "(a+)+$", "\\", "{}", "*", "?", "~", "' OR 1=1 --",
    "; DROP TABLE items", "%' UNION SELECT *", "<script>alert(1)</script>", "<b>", "&amp;", "{{7*7}}", "${jndi:x}", "%00",
    "../../etc/passwd", "\x00", "\x1b[31m", "\u202eesrever", "\u200f\u200b", "\ufeff", "🛒", "👩‍👩‍👧", "𝕣𝕒𝕜𝕖", "Ｒａｋｅ",
    "ａ", "ﬁ", "İ", "ß", "한국어", "ру́сский", "עברית", "العربية", "ไทย", "龘", "𠮷", "e\u0301\u0301\u0301", "\u0300" * 30,
]  # fmt: skip
IGNORE = [
    "price",
    "spelling",
    "pinyin",
    "synonym",
    "rating",
    "not:leather",
    "sort:price_asc",
    "brand:Hearth",
    "size:38",
    "?",
]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The toy shop with shoes, reviews and rules that hide, pin, filter, rewrite and redirect; no keys."""
    home: Path = tmp_path_factory.mktemp("fuzzed")
    store = toy_store(home)
    store.catalogue.put(toy_footwear())
    store.events.append(toy_stars())
    store.rules.put(
        [
            Rule(id="a", name="hide", when=When(contains=("shoes",)), then=Then(hide=("run-0-red", "boot-03"))),
            Rule(id="b", name="pin", when=When(contains=("boots",)), then=Then(pins=(Pin(item="run-1-blue", position=2),))),
            Rule(id="c", name="only", when=When(contains=("kitchen",)), then=Then(filters=Filters(brands=("Hearth",)))),
            Rule(id="d", name="other", when=When(exact=("煎锅",)), then=Then(query="frying pan")),
            Rule(id="e", name="lift", when=When(languages=("en",)), then=Then(boosts=(Boost(filters=Filters(brands=("Fleet",)), factor=2.0),))),
            Rule(id="f", name="garden", when=When(categories=(("Garden",),)), then=Then(hide=("garden-00",))),
        ],
        "test",
    )  # fmt: skip
    store.close()
    overrides = {"models.encoder": "use-multilingual", "serve.keys_required": False, "serve.log_impressions": False}
    shop = open_shop(settings_module.load(home, environ={}, overrides=overrides))
    with TestClient(create_app(shop, keys=None)) as client:
        yield client
    shop.close()


class Corpus:
    """Requests from a seed: some sound ones, some that must be refused."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.cursors: list[str] = []

    def pick(self, share: float) -> bool:
        return self.rng.random() < share

    def some(self, of: list, most: int = 3) -> list:
        return self.rng.sample(of, self.rng.randint(1, min(most, len(of))))

    def query(self) -> str:
        rng = self.rng
        parts = [
            lambda: rng.choice(WORDS),
            lambda: rng.choice(SAID),
            lambda: rng.choice(SYNTAX),
            lambda: mistyped(rng, rng.choice(WORDS)),
            lambda: "".join(chr(rng.randrange(0x20, 0x3000)) for _ in range(rng.randint(1, 12))),
            lambda: "".join(rng.choice(string.printable) for _ in range(rng.randint(1, 20))),
            lambda: f"{rng.uniform(-1, 1e6):.3g} {rng.choice(['gb', 'l', 'kg', 'inch', '元', 'km/h', '码', '$'])}",
            lambda: "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(rng.randint(1, 8))),
        ]
        if self.pick(0.05):
            return ""
        if self.pick(0.05):
            return (rng.choice([rng.choice(WORDS), rng.choice(SYNTAX), rng.choice(SAID)]) + rng.choice(["", " "])) * 200
        weights = [6, 4, 2, 2, 1, 1, 1, 1]
        joint = rng.choice([" ", " ", " ", "", ",", "、"])
        return joint.join(make() for make in rng.choices(parts, weights, k=rng.randint(1, 5)))

    def filters(self) -> dict[str, object]:
        rng, chosen = self.rng, {}
        if self.pick(0.25):
            chosen["brands"] = self.some([*BRANDS, "nobody", "", rng.choice(SYNTAX[:21])])
        if self.pick(0.2):
            chosen["categories"] = [
                " > ".join(path) for path in self.some([*PATHS, ("Nowhere",), ("Garden", "x"), ("",)])
            ]
        if self.pick(0.2):
            chosen["price_min"] = rng.choice([0, 1, 7.5, 22.5, 60, 1e30, 1e300])
        if self.pick(0.2):
            chosen["price_max"] = rng.choice([60, 22.5, 1e5, 1e300])
        if self.pick(0.2):
            name = rng.choice([*ATTRIBUTES, "nothing", "price", "brand"])
            chosen["attributes"] = {name: self.some([*ATTRIBUTES.get(name, ["x"]), "", "none"])}
        if self.pick(0.1):
            chosen["languages"] = self.some(["en", "zh", "fr"])
        if self.pick(0.1):
            chosen["sellable"] = False
        if self.pick(0.1):
            chosen["exclude"] = self.some([*ITEMS, "no such"], 8)
        return chosen

    def request(self) -> tuple[dict[str, object], bool]:
        """A body, and whether it is sound."""
        rng = self.rng
        body: dict[str, object] = {
            "query": self.query(),
            "filters": self.filters(),
            "limit": rng.choice([1, 3, 10, 24, 200]),
        }
        for name, share, values in (
            ("sort", 0.4, SORTS),
            ("offset", 0.3, (1, 5, 30, 1_000_000)),
            ("customer", 0.2, ("c00", "c01", "nobody")),
            ("session", 0.2, ("c00-s0", "s")),
            ("language", 0.2, ("en", "zh", "zh-CN", "fr")),
            ("explain", 0.3, (True,)),
            ("details", 0.1, (True,)),
        ):
            if self.pick(share):
                body[name] = rng.choice(values)
        if self.pick(0.2):
            body["ignore"] = self.some(IGNORE, 5)
        sound = len(body["query"]) <= 500 and fair(body["filters"])
        if self.pick(0.15):
            sound = False
            wrong = rng.choice(
                [
                    {"query": "rake" * 2_500},
                    {"query": None},
                    {"query": rng.choice(["\ud800 rake", "rake \udfff"])},
                    {"sort": rng.choice(["best", "", "PRICE_ASC", "price", 3])},
                    {"limit": rng.choice([0, -1, 201, 10**30, "many", 1.5])},
                    {"offset": rng.choice([-1, 1_000_001, 10**30, "x"])},
                    {"cursor": rng.choice([*self.cursors[-50:], "A" * 28, "no cursor", "", "=" * 100]) or "x"},
                    {rng.choice(["querry", "filter", "page", "q", "", "\x00"]): "x"},
                    {"filters": {rng.choice(["brand", "colour", "price", "$where"]): ["x"]}},
                    {"filters": {"price_min": rng.choice(["cheap", -1, float("nan"), [], "1e999"])}},
                    {"filters": {"price_min": 9, "price_max": 1}},
                    {"filters": {"attributes": rng.choice([{"a": "b"}, ["a"], {"a": [1]}])}},
                    {"ignore": ["x"] * 51},
                ]
            )
            body.update(wrong)
            if "cursor" in wrong:
                body["offset"] = 0
        return body, sound

    def ask(self, client: TestClient, body: dict[str, object], *, by_address: bool):
        if by_address:
            return client.get("/v1/search", params=address(body))
        content = json.dumps(body, ensure_ascii=True).encode()
        return client.post("/v1/search", content=content, headers={"Content-Type": "application/json"})


def mistyped(rng: random.Random, word: str) -> str:
    at = rng.randrange(len(word))
    return word[:at] + rng.choice([word[at] * 2, "", "x", word[at:][1:2] + word[at]]) + word[at + 1 :]


def fair(filters: dict[str, object]) -> bool:
    return filters.get("price_min", 0) <= filters.get("price_max", 1e308)


def address(body: dict[str, object]) -> list[tuple[str, object]]:
    """A sound body without the filters that an address cannot say, as parameters."""
    filters = body["filters"]
    pairs = [("q", body["query"])]
    pairs += [("brand", brand) for brand in filters.get("brands", [])]
    pairs += [("category", path) for path in filters.get("categories", [])]
    pairs += [("attribute", f"{n}:{v}") for n, values in filters.get("attributes", {}).items() for v in values]
    pairs += [(name, filters[name]) for name in ("price_min", "price_max", "sellable") if name in filters]
    pairs += [("ignore", key) for key in body.get("ignore", [])]
    return pairs + [(name, value) for name, value in body.items() if name not in ("query", "filters", "ignore")]


def check(document: dict[str, object], body: dict[str, object], *, filtered: bool = True) -> None:
    """What holds for every answer."""
    hits, total, facets = document["hits"], document["total"], document["facets"]
    ids = [hit["item"] for hit in hits]
    assert len(ids) == max(0, min(body["limit"], total - body.get("offset", 0)))
    shown = [*ids, *(other for hit in hits for other in hit["variants"])]
    assert len(shown) == len(set(shown))
    assert not UNSEEN & set(shown)
    assert not document["found"] or total
    assert bool(document["cursor"]) == (body.get("offset", 0) + body["limit"] < total)
    chosen = body["filters"]
    for name in ("brand", "category", "price"):
        counts = facets.get(name, {})
        assert all(count > 0 for count in counts.values())
    if "brands" not in chosen:
        assert sum(facets.get("brand", {}).values()) <= total
    elif "" not in chosen["brands"]:
        assert sum(facets.get("brand", {}).get(brand, 0) for brand in set(chosen["brands"])) == total
    if not {"price_min", "price_max"} & chosen.keys() and "price" not in [
        c["key"] for c in document["understood"]["chips"]
    ]:
        assert sum(facets.get("price", {}).values()) <= total
    if "categories" not in chosen:
        assert sum(facets.get("category", {}).values()) <= total
    for name in ("colour", "size", "season"):
        if name not in chosen.get("attributes", {}):
            assert all(count <= total for count in facets.get(name, {}).values())
    if filtered:
        for item in map(ITEMS.__getitem__, shown):
            assert item.brand in chosen.get("brands", [item.brand])
            assert chosen.get("price_min", 0) <= item.price <= chosen.get("price_max", 1e308)
            assert all(item.attributes.get(n) in values for n, values in chosen.get("attributes", {}).items())
            assert item.id not in chosen.get("exclude", ())
            assert "languages" not in chosen or item.language in chosen["languages"]
    for hit in hits:
        for part in ("title", "snippet"):
            marked = hit[part]
            assert marked is None or all(0 <= a < b <= len(marked["text"]) for a, b in marked["ranges"])
    if body.get("sort", "relevance") in ("price_asc", "price_desc"):
        prices = [ITEMS[item].price for item in ids]
        assert prices == sorted(prices, reverse=body["sort"] == "price_desc")
    for way in document["relaxations"]:
        assert way["count"] > total


def fuzz(client: TestClient, count: int, seed: int) -> Counter[int]:
    corpus, statuses = Corpus(seed), Counter()
    for number in range(count):
        body, sound = corpus.request()
        by_address = sound and not {"languages", "exclude"} & body["filters"].keys() and number % 2 == 0
        response = corpus.ask(client, body, by_address=by_address)
        statuses[response.status_code] += 1
        told = f"request {number} of seed {seed}: {body!r} -> {response.status_code} {response.text[:2_000]}"
        if response.status_code == 200:
            document = response.json()
            if document["cursor"]:
                corpus.cursors.append(document["cursor"])
            try:
                check(document, body)
            except AssertionError as error:
                raise AssertionError(told) from error
        else:
            assert not sound, told
            assert 400 <= response.status_code < 500, told
            assert_problem(response, response.status_code)
    return statuses


def test_a_thousand_strange_searches_are_answered_or_refused(fuzzed: TestClient):
    statuses = fuzz(fuzzed, 1_000, seed=1)
    assert statuses[200] > 700
    assert statuses[400] > 50
    assert set(statuses) <= {200, 400}


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_ten_thousand_strange_searches_are_answered_or_refused(fuzzed: TestClient):
    statuses = fuzz(fuzzed, 10_000, seed=2)
    assert statuses[200] > 7_000
    assert set(statuses) <= {200, 400}


chosen_filters = st.fixed_dictionaries(
    {},
    optional={
        "brands": st.lists(st.sampled_from([*BRANDS, "nobody"]), max_size=3),
        "categories": st.lists(st.sampled_from([" > ".join(path) for path in [*PATHS, ("Nowhere",)]]), max_size=3),
        "price_min": st.floats(0, 80),
        "price_max": st.floats(80, 1e12),
        "attributes": st.dictionaries(
            st.sampled_from([*ATTRIBUTES, "nothing"]), st.lists(st.sampled_from(["red", "blue", "38", ""]), max_size=2)
        ),
        "exclude": st.lists(st.sampled_from(sorted(ITEMS)), max_size=5),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    filters=chosen_filters,
    sort=st.sampled_from(SORTS),
    query=st.sampled_from(["", "shoes", "garden 花园", "boots not leather", "跑鞋", "厨房 under 40"]),
    limit=st.integers(1, 30),
)
def test_pages_by_cursor_are_the_whole_in_order_under_any_filters_and_order(fuzzed, filters, sort, query, limit):
    filters = {name: value for name, value in filters.items() if value or isinstance(value, float)}
    body = {"query": query, "filters": filters, "sort": sort, "limit": 200}
    whole = fuzzed.post("/v1/search", json=body).json()
    check(whole, body)
    paged, cursor = [], ""
    for _ in range(100):
        page = fuzzed.post("/v1/search", json={**body, "limit": limit, "cursor": cursor}).json()
        assert page["total"] == whole["total"]
        assert page["facets"] == whole["facets"]
        paged += [hit["item"] for hit in page["hits"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert paged == [hit["item"] for hit in whole["hits"]]


@pytest.mark.parametrize(
    ("body", "where", "cure"),
    [
        ({"filters": {"brand": ["Hearth"]}}, "body.filters", "brands"),
        ({"filters": {"colour": ["red"]}}, "body.filters", "Known here"),
        ({"sort": "cheapest"}, "body.sort", ""),
        ({"sort": "price"}, "body.sort", ""),
        ({"offset": 1_000_001}, "body.offset", ""),
        ({"offset": -1}, "body.offset", ""),
        ({"cursor": "A" * 28}, "cursor", "`cursor`"),
        ({"cursor": "no cursor"}, "cursor", "`cursor`"),
        ({"cursor": "x" * 101}, "body.cursor", ""),
        ({"ignore": ["price"] * 51}, "body.ignore", ""),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(fuzzed: TestClient, body, where: str, cure: str):
    problem = assert_problem(fuzzed.post("/v1/search", json={"query": "shoes", **body}), 400)
    assert str(problem["where"]).startswith(where)
    assert cure in str(problem["cure"])


def test_beyond_the_end_there_are_no_hits_and_no_cursor_but_the_same_total(fuzzed: TestClient):
    first = fuzzed.post("/v1/search", json={"query": "shoes"}).json()
    beyond = fuzzed.post("/v1/search", json={"query": "shoes", "offset": 1_000_000}).json()
    assert beyond["hits"] == []
    assert beyond["cursor"] == ""
    assert beyond["total"] == first["total"] > 0


def test_a_cursor_of_another_search_is_refused_and_one_of_an_older_shop_is_gone(fuzzed: TestClient):
    asked = {"query": "shoes", "limit": 1}
    cursor = fuzzed.post("/v1/search", json=asked).json()["cursor"]
    assert fuzzed.post("/v1/search", json={**asked, "cursor": cursor}).status_code == 200
    for other in ({"query": "boots"}, {"sort": "newest"}, {"filters": {"brands": ["Fleet"]}}, {"ignore": ["price"]}):
        assert_problem(fuzzed.post("/v1/search", json={**asked, **other, "cursor": cursor}), 400)
    broken = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    assert_problem(fuzzed.post("/v1/search", json={**asked, "cursor": broken}), 400)
    item = {"id": "extra", "title": "Periscope", "hidden": True}
    fuzzed.post("/v1/items", json={"items": [item]})
    try:
        assert_problem(fuzzed.post("/v1/search", json={**asked, "cursor": cursor}), 410)
    finally:
        fuzzed.delete("/v1/items/extra")
