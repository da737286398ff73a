"""The analytics of searches through HTTP and the command line."""

import json
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from test_api_answers import assert_problem

from shopkeeper.cli.main import main
from shopkeeper.records import Event, EventKind, now
from shopkeeper.tasks.shop import Shop


@pytest.fixture(scope="module", autouse=True)
def searched(shop: Shop, client: TestClient):
    for n in range(3):
        facts = {"time": now() - timedelta(hours=1), "session": f"analytics-{n}", "request": f"analytics-{n}"}
        shop.record([Event(id=f"analytics-{n}", kind=EventKind.SEARCH, query="量子钢琴", **facts)])
        client.post("/v1/search", json={"query": "frying pan", "session": f"analytics-{n}"})
    client.app.state.desk.flush()


def test_the_report_says_what_failed_in_both_languages(client: TestClient):
    found = client.get("/v1/analytics/searches", params={"days": 2}).json()
    [row] = [row for row in found["unanswered"] if row["query"] == "量子钢琴"]
    assert row["searches"] == 3
    assert row["repair"]["kind"] == "category"
    assert "量子" in row["repair"]["text"]["zh"]
    assert "Nothing in the shop" in row["repair"]["text"]["en"]
    assert any(row["query"] == "frying pan" for row in found["top"])
    assert len(client.get("/v1/analytics/searches", params={"limit": 1}).json()["top"]) == 1


def test_only_the_shops_own_people_see_it(client: TestClient, keys: dict[str, str]):
    assert_problem(client.get("/v1/analytics/searches", headers={"Authorization": f"Bearer {keys['read']}"}), 403)
    assert_problem(client.get("/v1/analytics/searches", params={"days": 0}), 400)


@pytest.mark.parametrize(("language", "said"), [("en", "Without result"), ("zh", "无结果")])
def test_the_command_shows_the_same(shop: Shop, monkeypatch, capsys, language, said):
    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["shopkeeper", "--home", str(shop.settings.home), *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert not caught.value.code
        return capsys.readouterr().out

    out = run("analytics", "searches", "--days", "2", "--language", language)
    assert said in out
    assert "量子钢琴" in out
    assert json.loads(run("analytics", "searches", "--json"))["unanswered"][0]["repair"]["kind"] == "category"
