from shopkeeper.progress import Span, listening, span, track


def test_a_listener_sees_every_step_and_the_end():
    seen: list[tuple[str, int, bool]] = []
    with listening(lambda s: seen.append((s.name, s.done, s.finished))):
        assert list(track("ab", "letters", total=2)) == ["a", "b"]
    assert seen == [("letters", 0, False), ("letters", 1, False), ("letters", 2, False), ("letters", 2, True)]


def test_a_failing_piece_of_work_still_ends_its_span():
    seen: list[bool] = []
    try:
        with listening(lambda s: seen.append(s.finished)), span("work"):
            raise RuntimeError
    except RuntimeError:
        pass
    assert seen[-1] is True


def test_nobody_needs_to_listen():
    with span("work", total=2) as current:
        current.advance(loss=0.5)
    assert current.notes == {"loss": "0.5"}


def test_time_left_follows_from_the_rate():
    current = Span("work", total=10, started=0.0)
    current.done = 5
    assert current.left is not None
    assert abs(current.left - current.seconds) < 1.0
    assert Span("work").left is None
