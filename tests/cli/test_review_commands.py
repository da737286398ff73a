"""The review queue as people work it off: ask, show, decide, train."""

import json

import pytest
from test_commands import run  # noqa: F401 - a fixture


@pytest.fixture
def queue(run, tmp_path):  # noqa: F811
    run("init")
    rows = [{"id": f"p{n}", "text": f"{'late parcel' if n % 2 else 'wrong size'} of order {n}"} for n in range(30)]
    file = tmp_path / "reviews.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    assert run("import", "reviews", str(file))[0] == 0
    return run


def test_questions_are_asked_answered_and_not_asked_again(queue):
    code, out, _ = queue("review", "ask", "complaint", "--count", "4", "--json")
    first = [row["subject"] for row in json.loads(out)]
    assert code == 0
    assert len(first) == 4
    code, out, _ = queue("review", "decide", "complaint", *(f"{subject}=late" for subject in first[:3]), "--json")
    assert json.loads(out) == {"decided": dict.fromkeys(first[:3], "late"), "waiting": 1}
    queue("review", "ask", "complaint", "--count", "30", "--strategy", "random")
    _, out, _ = queue("review", "show", "complaint", "--limit", "100", "--json")
    waiting = {row["subject"] for row in json.loads(out)}
    assert waiting == {f"p{n}" for n in range(30)} - set(first[:3])
    assert "p0" in queue("review", "show", "complaint")[1] or "p1" in queue("review", "show", "complaint")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ask", "complaint", "--strategy", "guess"], 2, "'guess' is none of badge, cluster-margin"),
        (["ask", "complaint", "--kind", "faq"], 1, "There are no texts to ask about"),
        (["decide", "complaint", "p1"], 2, "'p1' is not SUBJECT=LABEL"),
        (["decide", "complaint", "p1="], 2, "'p1=' is not SUBJECT=LABEL"),
        (["decide", "complaint", "p1=late"], 1, "p1"),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(queue, arguments, code, said):
    found, _, err = queue("review", *arguments)
    assert found == code
    assert said in err
