"""/v1/assist, the chat endpoint and the desk: whole and streamed, who may read what, and all that people send by mistake."""

import asyncio
import json

import pytest

from shopkeeper.records import Passage, PassageKind
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.talk import LONGEST, Talk
from shopkeeper.serving.telemetry import Metrics
from shopkeeper.store.orders import OrderStatus
from shopkeeper.tasks.assist.turns import Turn


@pytest.fixture
def shop(assisting):
    return assisting


def events(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event:")]
    return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in blocks]


def test_a_question_is_answered_with_what_it_rests_on(callers):
    reply = callers["read"].post("/v1/assist", json={"message": "How long do I have to return an item?"}).json()
    assert "30 days" in reply["text"]
    assert "policy-returns" in [citation["id"] for citation in reply["citations"]]
    assert reply["language"] == "en"
    assert reply["intents"][0].keys() == {"name", "probability"}
    assert "summary" not in reply
    assert "summary" in callers["admin"].post("/v1/assist", json={"message": "Hello"}).json()


def test_products_come_as_cards_and_are_noted_as_shown(callers, shop):
    body = {"message": "Recommend something for the garden, please", "session": "s-cards"}
    reply = callers["read"].post("/v1/assist", json=body).json()
    assert reply["products"]
    card = reply["products"][0]
    assert card.keys() == {"item", "title", "price", "currency", "link", "image", "reasons"}
    assert card["link"].startswith("/p/")
    callers["read"].app.state.desk.flush()
    shown = [one for one in shop.store.events.of_session("s-cards", 50) if one.impression]
    assert [one.request for one in shown if one.impression.surface == "assist"] == [reply["id"]]


@pytest.mark.parametrize("asked", [{"stream": True}, {}])
def test_a_stream_says_the_same_piece_by_piece(callers, asked):
    headers = {} if asked else {"Accept": "text/event-stream"}
    body = {"message": "How long do I have to return an item?", **asked}
    response = callers["read"].post("/v1/assist", json=body, headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    found = events(response.text)
    assert [name for name, _ in found[-1:]] == ["reply"]
    assert "".join(data["text"] for name, data in found if name == "text") == found[-1][1]["text"]


def test_a_conversation_goes_on_is_read_rated_and_forgotten(callers):
    first = callers["events"].post("/v1/assist", json={"message": "Hello"}).json()
    place = f"/v1/assist/{first['conversation']}"
    body = {"message": "您好，怎么退货？", "conversation": first["conversation"]}
    second = callers["events"].post("/v1/assist", json=body).json()
    assert second["conversation"] == first["conversation"]
    transcript = callers["read"].get(place).json()
    assert [turn["author"] for turn in transcript["turns"]] == ["customer", "assistant"] * 2
    assert transcript["with_human"] is False
    rating = {"reply": second["id"], "up": False, "correction": "Say it in fewer words."}
    assert callers["events"].post(f"{place}/rating", json=rating).json() == {"noted": True}
    wrong = callers["events"].post(f"{place}/rating", json={"reply": "nothing", "up": True})
    assert wrong.status_code == 404
    assert callers["read"].delete(place).status_code == 403
    assert callers["events"].delete(place).json() == {"removed": True}
    assert callers["read"].get(place).status_code == 404
    assert callers["events"].delete(place).status_code == 404


def test_acting_for_a_customer_needs_the_scope_and_the_right_customer(callers, shop):
    body = {"message": "Where is my order?", "customer": "c02"}
    assert callers["read"].post("/v1/assist", json=body).status_code == 403
    reply = callers["events"].post("/v1/assist", json=body).json()
    assert "A1001" in reply["text"]
    assert "A1002" not in reply["text"]
    conversation = reply["conversation"]
    for customer in ("c04", ""):
        other = callers["events"].post(
            "/v1/assist", json={"message": "Go on", "conversation": conversation, "customer": customer}
        )
        assert other.status_code == 404
        assert "A1001" not in other.text
        read = callers["events"].get(f"/v1/assist/{conversation}", params={"customer": customer})
        unknown = callers["events"].get("/v1/assist/0000", params={"customer": customer})
        assert read.status_code == unknown.status_code == 404
        assert read.json()["detail"] == unknown.json()["detail"]
        gone = callers["events"].delete(f"/v1/assist/{conversation}", params={"customer": customer})
        assert gone.status_code == 404
    assert callers["events"].get(f"/v1/assist/{conversation}", params={"customer": "c02"}).json()["turns"]
    assert callers["admin"].get(f"/v1/assist/{conversation}").json()["turns"]


def test_nothing_is_done_before_a_yes_and_once_after_it(callers, shop):
    asked = {"message": "Please cancel my order A1002", "customer": "c04"}
    reply = callers["events"].post("/v1/assist", json=asked).json()
    assert reply["kind"] == "confirm"
    assert shop.store.orders.get(["A1002"])["A1002"].status is OrderStatus.PLACED
    yes = {"conversation": reply["conversation"], "customer": "c04", "confirm": reply["proposal"]["id"]}
    assert callers["read"].post("/v1/assist", json=yes).status_code == 403
    assert callers["events"].post("/v1/assist", json={**yes, "customer": "c02"}).status_code == 404
    assert callers["events"].post("/v1/assist", json=yes).json()["kind"] == "done"
    assert shop.store.orders.get(["A1002"])["A1002"].status is OrderStatus.CANCELLED


def test_imported_dialogues_are_no_conversations(callers, shop):
    words = Passage(id="old-1", kind=PassageKind.DIALOGUE, text="secret", thread="old", author="customer")
    shop.store.words.put([words])
    assert callers["read"].get("/v1/assist/old").status_code == 404
    assert callers["read"].post("/v1/assist", json={"message": "Hi", "conversation": "old"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"message": ""}, 400),
        ({"message": " \n\t\x00 "}, 400),
        ({}, 400),
        ({"message": "x" * (LONGEST + 1)}, 400),
        ({"message": "x" * 1_000_000}, 400),
        ({"mesage": "typo"}, 400),
        ({"message": "hi", "language": "fr"}, 400),
        ({"message": "hi", "conversation": "a\nb"}, 400),
        ({"message": 7}, 400),
        ({"message": "a\x00b\x1b[31m\u202ec"}, 200),
        ({"message": "<script>alert(1)</script><b>return</b>"}, 200),
        ({"message": "🛍️👩‍👩‍👧‍👦🔥"}, 200),
        ({"message": "x" * LONGEST}, 200),
        ({"message": "'; DROP TABLE passages; --"}, 200),
        ({"message": "退货 return возврат إرجاع"}, 200),
    ],
)
def test_whatever_is_said_is_answered_or_refused_with_advice(callers, body, status):
    response = callers["read"].post("/v1/assist", json=body)
    assert response.status_code == status
    if status == 400:
        assert response.json()["cure"]
    else:
        assert response.json()["text"]


def test_a_body_that_is_too_large_is_not_read(callers):
    assert callers["read"].post("/v1/assist", json={"message": "x" * 6_000_000}).status_code == 413
    surrogate = callers["read"].post("/v1/assist", content=b'{"message": "\\ud800"}')
    assert surrogate.status_code in (200, 400)


def test_too_many_turns_have_to_wait(callers):
    body = {"message": "Hello", "conversation": "hasty"}
    codes = [callers["read"].post("/v1/assist", json=body) for _ in range(42)]
    assert [response.status_code for response in codes][:40] == [200] * 40
    assert codes[-1].status_code == 429
    assert 0 < int(codes[-1].headers["retry-after"]) <= 60
    assert callers["read"].post("/v1/assist", json={"message": "Hello"}).status_code == 200


def test_a_listener_who_goes_away_stops_the_stream_and_nothing_else(shop):
    async def leave() -> None:
        talk = Talk(Desk(shop, Metrics()))
        turn = Turn(text="How long do I have to return an item?", conversation="left")
        stream = talk.stream(turn)
        assert await anext(stream)
        await stream.aclose()
        whole = await talk.answer(Turn(text="Hello", conversation="left"))
        assert whole.text
        talk.close()

    asyncio.run(leave())
    said = [passage.author for passage in shop.conversations.turns("left")]
    assert said == ["customer", "assistant"] * 2


def test_the_desk_takes_over_answers_corrects_and_gives_back(callers, shop):
    assert callers["events"].get("/v1/desk").status_code == 403
    begun = (
        callers["events"].post("/v1/assist", json={"message": "I want to talk to a human", "customer": "c06"}).json()
    )
    conversation = begun["conversation"]
    assert begun["kind"] == "handover"
    waiting = callers["admin"].get("/v1/desk").json()["waiting"]
    mine = next(one for one in waiting if one["conversation"] == conversation)
    assert mine["customer"] == "c06"
    assert mine["summary"]
    assert mine["taken"] is False
    place = f"/v1/desk/{conversation}"
    assert callers["admin"].post(f"{place}/take").json() == {"noted": True}
    taken = callers["admin"].get("/v1/desk").json()["waiting"]
    assert [one["taken"] for one in taken if one["conversation"] == conversation] == [True]
    assert callers["admin"].post(f"{place}/say", json={"text": "How can I help?"}).status_code == 200
    assert callers["admin"].post(f"{place}/say", json={"text": "  "}).status_code == 400
    again = {"message": "Hello?", "conversation": conversation, "customer": "c06"}
    assert callers["events"].post("/v1/assist", json=again).json()["kind"] == "waiting"
    turns = callers["admin"].get(place).json()["turns"]
    assert "How can I help?" in [turn["text"] for turn in turns if turn["author"] == "staff"]
    right = {"turn": begun["turn"], "intent": "complaint"}
    assert callers["admin"].post(f"{place}/intent", json=right).json() == {"noted": True}
    assert ("complaint", begun["turn"]) in [(d.label, d.subject) for d in shop.store.labels.decided("intent")]
    assert callers["admin"].post(f"{place}/intent", json={**right, "turn": begun["id"]}).status_code == 404
    assert callers["admin"].post(f"{place}/close").json() == {"noted": True}
    assert callers["admin"].post(f"{place}/close").status_code == 404
    assert callers["admin"].get("/v1/desk/nowhere").status_code == 404


def test_the_shop_may_have_no_assistant(shop, callers, monkeypatch):
    off = shop.settings.model_copy(update={"assist": shop.settings.assist.model_copy(update={"enabled": False})})
    monkeypatch.setattr(shop, "settings", off)
    assert callers["read"].post("/v1/assist", json={"message": "Hello"}).status_code == 404
