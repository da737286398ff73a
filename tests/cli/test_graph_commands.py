"""The knowledge graph on the command line: in, shown, checked, taken back."""

import json
from pathlib import Path

import pytest
from test_commands import run, shop  # noqa: F401 - fixtures

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_triples_go_in_are_shown_and_taken_back(shop):  # noqa: F811
    code, out, _ = shop("graph", "import", str(EXAMPLES / "fits.csv"), "--json")
    report = json.loads(out)
    assert (code, report["added"], report["rejected"]) == (0, 7, 0)
    assert json.loads(shop("graph", "import", str(EXAMPLES / "fits.csv"), "--json")[1])["unchanged"] == 7
    found = json.loads(shop("graph", "show", "garden-12", "--json")[1])
    assert ["garden-14", "fits", "garden-12"] in found["triples"]
    assert ["garden-12", "brand", "brand=Greenleaf"] in found["triples"]
    status = json.loads(shop("graph", "status", "--json")[1])
    assert status["sources"] == {"fits.csv": 7}
    assert status["relations"]["fits"] == 2
    assert json.loads(shop("graph", "remove", "fits.csv", "--json")[1]) == {"removed": 7}
    assert "garden-14" not in str(json.loads(shop("graph", "show", "garden-12", "--json")[1])["triples"])


def test_departments_stand_in_googles_taxonomy(shop, tmp_path):  # noqa: F811
    assert "google_taxonomy" not in json.loads(shop("graph", "status", "--json")[1])
    for name, added in (("taxonomy-with-ids.en-US.txt", 17), ("departments.csv", 2)):
        assert json.loads(shop("graph", "import", str(EXAMPLES / name), "--json")[1])["added"] == added
    found = json.loads(shop("graph", "show", "garden-00", "--json")[1])["triples"]
    assert {tail for _, relation, tail in found if relation == "google_taxonomy"} == {
        f"google_taxonomy={number}" for number in (536, 689, 2962, 3173)
    }
    (tmp_path / "more.jsonl").write_text(
        '{"id": "hose", "title": "Hose", "category": "Yard", "google_product_category": "2962"}\n'
        '{"id": "pot", "title": "Pot", "category": "Yard", "google_product_category": "371"}\n'
    )
    assert shop("import", "products", str(tmp_path / "more.jsonl"))[0] == 0
    assert json.loads(shop("graph", "status", "--json")[1])["google_taxonomy"] == {"items": 21, "unknown": {"371": 1}}
    said = shop("graph", "status")[1]
    assert "21 of 42 items stand in Google's taxonomy." in said
    assert "371" in said


def test_bad_rows_and_unknown_names(shop, tmp_path):  # noqa: F811
    (tmp_path / "bad.csv").write_text("head,relation,tail\na,r,b\na,,b\n")
    code, _, err = shop("graph", "import", str(tmp_path / "bad.csv"))
    assert code == 3
    assert "bad.csv.rejects.jsonl" in err.replace("\n", "")
    assert shop("graph", "import", str(tmp_path / "bad.csv"), "--strict")[0] == 1
    code, _, err = shop("graph", "show", "nobody")
    assert code == 1
    assert "does not know 'nobody'" in err
    assert "--map takes" in shop("graph", "import", str(tmp_path / "bad.csv"), "--map", "x=y")[2]


def test_the_example_rules_are_sound(shop):  # noqa: F811
    shop("graph", "import", str(EXAMPLES / "fits.csv"))
    code, out, _ = shop("graph", "rules", "check", str(EXAMPLES / "logic.txt"), "--json")
    assert code == 0
    assert json.loads(out)["conflicts"] == []
    assert len(json.loads(out)["rules"]) == 4


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('never: category(Y, "Gardn")\n', 3, "Did you mean 'Garden'"),
        ('never: category(Y, "Garden"\n', 1, "logic.txt, line 1, column 28"),
        ("", 0, ""),
    ],
)
def test_rules_of_the_shop_are_checked(shop, tmp_path, text, code, said):  # noqa: F811
    assert "cannot be read" in shop("graph", "rules", "check")[2]
    (tmp_path / "shop" / "logic.txt").write_text(text, encoding="utf-8")
    found, _, err = shop("graph", "rules", "check")
    assert found == code
    assert said in " ".join(err.split())
