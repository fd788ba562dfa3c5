"""What `wanfa up` says of conditions that come and go."""

from engine.local.health import Conditions, warnings_of


def test_a_condition_is_said_when_it_begins_and_when_it_is_over() -> None:
    conditions = Conditions()
    assert conditions.news([]) == []
    assert conditions.news(["Postgres is away"]) == ["warning: Postgres is away"]
    assert conditions.news(["Postgres is away", "No worker"]) == ["warning: No worker"]
    assert conditions.news(["No worker"]) == ["over: Postgres is away"]
    assert conditions.news(["Postgres is away"]) == ["warning: Postgres is away", "over: No worker"]


def test_a_number_that_grows_is_no_news() -> None:
    """It is told with its last number when it is over."""
    conditions = Conditions()
    assert conditions.news(["waited for 5 s"]) == ["warning: waited for 5 s"]
    assert conditions.news(["waited for 12 s"]) == []
    assert conditions.news([]) == ["over: waited for 12 s"]


def test_warnings_are_read_off_the_body_of_readyz() -> None:
    assert warnings_of('{"status":"degraded","warnings":["a","b"]}') == ["a", "b"]
    assert warnings_of("not ready") == []
    assert warnings_of("{}") == []
