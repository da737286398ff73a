"""The way of copy to the public: approved, edited, refused, split, withdrawn; nothing twice, nothing lost."""

import dataclasses
from collections import Counter

import pytest
from penshop import PenShop

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.tasks.write.briefs import Brief, Copy
from shopkeeper.tasks.write.desk import EDITED, TASK, stamp, stamped


@pytest.fixture
def shop(tmp_path):
    made = PenShop(tmp_path)
    yield made
    made.store.close()


def proposed(shop, kind="description", item="rake", **brief):
    (found,) = shop.task.write(Brief(kind=kind, **brief), [item])
    shop.task.desk.propose(found.copies)
    return list(found.copies)


def test_a_copy_is_shown_once_a_human_approved_it_and_no_sooner(shop):
    first, *_ = proposed(shop)
    desk = shop.task.desk
    assert desk.shown("rake", "description", "en", "c1") is None
    assert first.subject in {one.subject for one in desk.queue()}
    desk.approve(first.subject, "anna")
    shown = desk.shown("rake", "description", "en", "c1")
    assert (shown.text, shown.propensity) == (first.text, 1.0)
    assert first.subject not in {one.subject for one in desk.queue()}
    assert desk.shown("rake", "description", "zh", "c1") is None


def test_nothing_is_published_twice_and_another_process_sees_the_same(shop):
    first, *_ = proposed(shop)
    shop.task.desk.approve(first.subject)
    shop.task.desk.approve(first.subject)
    assert shop.task.desk.propose([first]) == 0
    other = shop.pen()
    other.desk.approve(first.subject)
    assert len(other.desk.published("rake", "description", "en")) == 1
    other.desk.unapprove(first.subject)
    shop.task.desk.refresh()
    assert shop.task.desk.published("rake", "description", "en") == ()
    with pytest.raises(InputError, match="not published"):
        other.desk.unapprove(first.subject)
    other.desk.approve(first.subject)
    assert len(other.desk.published("rake", "description", "en")) == 1


def test_an_edit_publishes_the_new_words_and_keeps_both(shop):
    first, *_ = proposed(shop)
    desk = shop.task.desk
    made = desk.edit(first.subject, "  A steel rake by Greenleaf.  ", "anna")
    assert made.text == "A steel rake by Greenleaf."
    assert [one.text for one in desk.published("rake", "description", "en")] == [made.text]
    labels = {one.subject: one.label for one in desk.decided()}
    assert labels[first.subject].startswith(EDITED)
    assert desk.edit(made.subject, made.text).label == "publish"  # unchanged words are an approval
    with pytest.raises(InputError, match="180 cm"):
        desk.edit(made.subject, "The handle is 180 cm long.")
    assert len(desk.published("rake", "description", "en")) == 1


def test_a_refused_copy_is_not_asked_about_again(shop):
    first, *rest = proposed(shop)
    shop.task.desk.refuse(first.subject, "anna")
    assert shop.task.desk.propose([first, *rest]) == 0
    assert {one.subject for one in shop.task.desk.queue()} == {one.subject for one in rest}
    with pytest.raises(NotFoundError):
        shop.task.desk.refuse("rake/description/en/000000000000")
    with pytest.raises(NotFoundError):
        shop.task.desk.approve("rake/description/en/000000000000")


def test_a_changed_price_withdraws_what_names_the_old_one_and_lists_it(shop):
    copies = {copy.lead: copy for copy in proposed(shop, "ad", candidates=8)}
    desk = shop.task.desk
    desk.approve(copies["price"].subject)
    desk.approve(copies["brand"].subject)
    assert len(desk.published("rake", "ad", "en")) == 2
    shop.items["rake"] = dataclasses.replace(shop.items["rake"], price=29.99)
    assert [one.subject for one in desk.published("rake", "ad", "en")] == [copies["brand"].subject]
    (back,) = desk.withdrawn()
    assert back.subject == copies["price"].subject
    assert "$24.99" in back.rater
    with pytest.raises(InputError, match=r"\$24.99"):
        desk.approve(copies["price"].subject)
    shop.items["rake"] = dataclasses.replace(shop.items["rake"], price=24.99)
    assert len(desk.published("rake", "ad", "en")) == 1  # a human decides whether it comes back
    desk.approve(copies["price"].subject)
    assert len(desk.published("rake", "ad", "en")) == 2


def test_refresh_withdraws_in_a_process_that_never_showed_them(shop):
    copies = {copy.lead: copy for copy in proposed(shop, "ad", candidates=8)}
    for lead in ("price", "brand"):
        shop.task.desk.approve(copies[lead].subject)
    shop.items["rake"] = dataclasses.replace(shop.items["rake"], price=1.0)
    assert [one.subject for one in shop.pen().desk.refresh()] == [copies["price"].subject]
    del shop.items["rake"]
    assert [one.subject for one in shop.pen().desk.refresh()] == [copies["brand"].subject]


def test_copies_about_reviews_go_when_reviews_change(shop):
    copy = next(one for one in proposed(shop, "reviews") if "“" in one.text)
    desk = shop.task.desk
    desk.approve(copy.subject)
    shop.store.words.put([Passage(id="new", kind=PassageKind.REVIEW, item="rake", text="Poor quality.", rating=1.0)])
    late = dataclasses.replace(shop.store.words.get(["r0"])["r0"], id="late", text="Solid quality.",
                               time=shop.store.words.get(["r4"])["r4"].time.replace(year=2027))  # fmt: skip
    shop.store.words.remove(["new"])
    shop.store.words.put([late])
    assert desk.refresh() == ()  # its counts are as of a day, and still right
    shop.store.words.remove([one.id for one in shop.store.words.of_item("rake")])
    assert [one.subject for one in desk.refresh()] == [copy.subject]


def turned(shop):
    """The reviews of the rake, each put anew as a complaint: as many, of the same days."""
    old = [one for one in shop.store.words.of_item("rake") if one.kind is PassageKind.REVIEW]
    shop.store.words.put([dataclasses.replace(one, text="Poor quality.", rating=1.0) for one in old])


def test_a_count_of_praise_is_taken_from_pages_once_reviews_have_turned(shop, monkeypatch):
    praise = next(copy for copy in proposed(shop, candidates=8) if "4 of 5 buyers praise the quality" in copy.text)
    desk, now = shop.task.desk, [1_000.0]
    monkeypatch.setattr("shopkeeper.tasks.write.desk.time.monotonic", lambda: now[0])
    desk.approve(praise.subject)
    assert len(desk.published("rake", "description", "en")) == 1
    turned(shop)
    now[0] += 10
    assert desk.published("rake", "description", "en") == ()
    assert [one.subject for one in desk.withdrawn()] == [praise.subject]


def test_pages_ask_for_reviews_seldom_and_only_for_copy_that_speaks_of_them(shop, monkeypatch):
    copies = {copy.lead: copy for copy in proposed(shop, candidates=8)}
    desk, asked, now = shop.task.desk, [], [1_000.0]
    real = desk._reviews
    monkeypatch.setattr(desk, "_reviews", lambda item: asked.append(item) or real(item))
    monkeypatch.setattr("shopkeeper.tasks.write.desk.time.monotonic", lambda: now[0])
    desk.approve(copies["brand"].subject)
    for _ in range(20):
        desk.published("rake", "description", "en")
    assert asked == []
    desk.approve(copies["praise"].subject)
    for _ in range(20):
        assert len(desk.published("rake", "description", "en")) == 2
    assert asked == ["rake"]
    now[0] += 6
    desk.published("rake", "description", "en")
    assert asked == ["rake", "rake"]
    assert desk.refresh() == ()
    turned(shop)
    assert [one.subject for one in desk.refresh()] == [copies["praise"].subject]


@pytest.mark.parametrize("nothing", ["", "  \n ", "\t"])
def test_no_words_are_no_approval(shop, nothing):
    first, *_ = proposed(shop)
    with pytest.raises(InputError, match="There are no words") as told:
        shop.task.desk.edit(first.subject, nothing)
    assert told.value.where == first.subject
    assert told.value.cure
    assert shop.task.desk.published("rake", "description", "en") == ()
    assert first.subject in {one.subject for one in shop.task.desk.queue()}


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("title", "<b>Steel rake</b> " + "with handle " * 40 + "☆!!", "markup"),
        ("title", "Steel rake with handle " * 10, "too long"),
        ("title", "Steel rake\u200b with handle", "cannot be printed"),
        ("title", "Steel rake ☆", "markup"),
        ("title", "Steel rake\nwith handle", "2 lines"),
        ("ad", "Steel rake", "1 lines"),
        ("bullets", "\n".join(["Steel rake"] * 6), "6 lines"),
    ],
)
def test_an_edit_is_held_to_the_form_of_its_kind(shop, kind, text, why):
    first, *_ = proposed(shop, kind)
    with pytest.raises(InputError, match=why) as told:
        shop.task.desk.edit(first.subject, text)
    assert "without markup" in told.value.cure
    assert shop.task.desk.published("rake", kind, "en") == ()
    assert first.subject in {one.subject for one in shop.task.desk.queue(100)}


def test_an_edit_may_be_as_long_as_the_words_before(shop):
    long = "A steel rake with handle. " * 27
    copy = Copy(item="rake", kind="description", language="en", text=long.strip())
    desk = shop.task.desk
    desk.propose([copy])
    assert desk.edit(copy.subject, long.strip().replace("A steel", "Steel", 1)).label == "publish"


def test_what_is_sold_out_or_hidden_is_not_pushed(shop):
    copy = proposed(shop, "push")[0]
    shop.task.desk.approve(copy.subject)
    shop.items["rake"] = dataclasses.replace(shop.items["rake"], hidden=True)
    assert shop.task.desk.published("rake", "push", "en") == ()
    shop.items["rake"] = dataclasses.replace(shop.items["rake"], hidden=False)
    assert len(shop.task.desk.published("rake", "push", "en")) == 1


def test_variants_are_split_evenly_and_visitors_keep_theirs(shop):
    copies = proposed(shop, "title", candidates=4)[:3]
    desk = shop.task.desk
    for copy in copies:
        desk.approve(copy.subject)
    given = {f"v{n}": desk.shown("rake", "title", "en", f"v{n}") for n in range(900)}
    counts = Counter(one.variant for one in given.values())
    assert len(counts) == 3
    assert all(240 < count < 360 for count in counts.values())
    assert {one.propensity for one in given.values()} == {1 / 3}
    assert all(desk.shown("rake", "title", "en", who).variant == one.variant for who, one in list(given.items())[:50])
    gone = copies[0].variant
    desk.unapprove(copies[0].subject)
    moved = [who for who, one in given.items() if desk.shown("rake", "title", "en", who).variant != one.variant]
    assert all(given[who].variant == gone for who in moved)
    assert {desk.shown("rake", "title", "en").variant for _ in range(40)} == {copies[1].variant, copies[2].variant}


def test_a_stamp_says_what_was_shown_and_rubbish_says_nothing(shop):
    copy = proposed(shop, "title")[0]
    shop.task.desk.approve(copy.subject)
    shown = shop.task.desk.shown("rake", "title", "en", "c1")
    assert stamped(stamp([shown])) == [("rake", "title", "en", copy.variant, 1.0)]
    assert stamp([]) == {}
    for rubbish in ("", "{", "[1]", "[[1,2]]", 7, '[["a","b","c","d","e"]]'):
        assert stamped({"copies": rubbish}) == []


def test_a_copy_with_objections_never_enters_the_queue(shop):
    (found,) = shop.pen(own=["rake"]).write(Brief(kind="title"), ["rake"])
    assert shop.task.desk.propose(found.refused) == 0
    assert shop.store.labels.pending(TASK) == []


def test_an_item_with_a_long_id_is_found_again(shop):
    long = "x" * 190
    shop.items[long] = dataclasses.replace(shop.items["rake"], id=long)
    copy = Copy(item=long, kind="title", language="en", text="Steel rake")
    assert len(copy.subject) < 200
    shop.task.desk.propose([copy])
    assert [one.subject for one in shop.task.desk.queue()] == [copy.subject]
