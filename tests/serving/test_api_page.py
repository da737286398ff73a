"""The requests that docs/api.md shows do what it says."""

import re
from pathlib import Path

from fastapi.testclient import TestClient

from shopkeeper.records import EventKind
from shopkeeper.serving.auth import Scope

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_request_of_the_page_works(client: TestClient):
    shown = re.findall(r"^```http\n(GET|POST) (\S+)\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(shown) >= 7
    replies = {}
    for method, path, body in shown:
        response = client.request(
            method, path, content=body.encode() or None, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 200, (method, path, response.text)
        replies[path.partition("?")[0], method] = response.json()
    assert replies["/v1/items", "POST"]["added"] == 2
    assert replies["/v1/search", "GET"]["hits"][0]["item"] == "sku-1"
    assert replies["/v1/search", "POST"]["hits"][0]["details"]["title"] == "青花瓷茶壶"
    assert replies["/v1/events", "POST"] == {"accepted": 3, "repeated": 0, "rejected": []}
    client.delete("/v1/items", params={"id": ["sku-1", "sku-2"]})


def test_the_page_names_every_address_scope_and_kind(client: TestClient):
    for path in client.get("/v1/openapi.json").json()["paths"]:
        assert path.replace("/{item}", "") in PAGE
    for name in [*Scope, *EventKind]:
        assert name in PAGE
