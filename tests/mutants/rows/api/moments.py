"""What memory says is true when it is said: how old it is, what time alone changes, and what it does not know yet."""

from tests.mutants.row import row

BODY = "api/hot/body.py"
CLICKS = "api/hot/clicks.py"
LISTS = "api/hot/lists.py"
LIVE = "engine/live/live.py"
VIEW = "engine/live/view.py"

MEMORY = "tests/unit/live/test_memory.py::"
PAGES = "tests/unit/api/test_lists.py::"
PARTS = "tests/unit/api/test_parts.py::"
VIEWS = "tests/unit/live/test_view.py::"

ROWS = (
    row(
        "an answer of Redis is as young as its arrival",
        LIVE,
        "self._refreshed_at[shard] = asked_at",
        "self._refreshed_at[shard] = time.monotonic()",
        MEMORY + "test_an_answer_is_as_old_as_its_question",
    ),
    row(
        "Postgres is asked for ever for what never becomes a row",
        LIVE,
        "not in self.configs and tries < UNSEEN_TRIES_MAX:",
        "not in self.configs:",
        MEMORY + "test_what_never_becomes_a_row_is_not_asked_for_without_end",
    ),
    row(
        "memory is believed for longer than units wait that come back",
        LIVE,
        "FRESH_MS = 400",
        "FRESH_MS = 500",
        MEMORY + "test_units_that_come_back_are_sold_when_every_process_has_heard_or_is_not_believed",
    ),
    row(
        "a client waits for five seconds when the sale begins in five",
        VIEW,
        "ms(starts_at) - now_ms > POLL_WAITING_MS",
        "ms(starts_at) - now_ms >= POLL_WAITING_MS",
        VIEWS + "test_a_waiting_client_asks_again_soon_enough",
    ),
    row(
        "an instance without an end ended in 1970",
        VIEW,
        "not 0 < cell < MOMENT_MAX_MS",
        "not 0 <= cell < MOMENT_MAX_MS",
        VIEWS + "test_a_playbook_that_writes_no_time_is_drawn_all_the_same[endsAt-0]",
    ),
    row(
        "a product that the gate has still to hear of is said not to be there",
        CLICKS,
        "if outcome == Outcome.CONFIG_NOT_FOUND:",
        "if outcome is None:",
        "tests/integration/api/test_archived.py::test_what_redis_has_still_to_hear_of_is_paused",
    ),
    row(
        "who got the last unit is told that all is sold",
        CLICKS,
        "        if live.guarded:\n            live.reserved(click.user)\n",
        "",
        "tests/integration/api/test_hot_clicks.py::test_who_got_the_last_unit_here_is_known_before_the_next_refresh",
    ),
    row(
        "a page of products shows late that units are sold again",
        LISTS,
        "edges = (live.starts_ms, live.ends_ms, live.reopens_ms)",
        "edges = (live.starts_ms, live.ends_ms)",
        PAGES + "test_units_that_came_back_show_when_they_are_sold[offers]",
    ),
    row(
        "a detail shows late that units are sold again",
        LISTS,
        "return min(edge, live.reopens_ms) if live.reopens_ms > now_ms else edge",
        "return edge",
        PAGES + "test_units_that_came_back_show_when_they_are_sold[detail]",
    ),
    row(
        "a moment that passes while a detail is drawn is missed",
        "api/hot/reads.py",
        "        view = self._view(instance)\n",
        "        view = self._view(instance)\n        now_ms = self._live.now_ms()\n",
        PAGES + "test_a_moment_that_passes_while_a_detail_is_drawn_is_not_missed",
    ),
    row(
        "a shared cache shows what was a while ago",
        LISTS,
        "s-maxage=1,",
        "s-maxage=10,",
        PAGES + "test_a_shared_cache_keeps_nothing_for_longer_than_a_client_would",
    ),
    row(
        "who is told to stop answers that a body is slow",
        BODY,
        "            if time.monotonic() - began < self._timeout_s:\n                raise  # somebody else's\n",
        "",
        "tests/integration/api/test_bodies.py::test_who_is_told_to_stop_while_a_body_comes_stops",
    ),
    row(
        "consumers see a publication later than the tour says",
        "config/default.toml",
        "refresh_ms = 50 ",
        "refresh_ms = 200 ",
        MEMORY + "test_the_settings_of_the_house_show_a_publication_as_soon_as_the_tour_says",
    ),
    row(
        "a page of products shows late that a sale has begun",
        LISTS,
        "edges = (live.starts_ms, live.ends_ms, live.reopens_ms)",
        "edges = (live.ends_ms, live.reopens_ms)",
        PAGES + "test_a_page_of_products_shows_that_time_has_passed[starts_ms-reasons0]",
    ),
    row(
        "a page of products shows late that a sale has ended",
        LISTS,
        "edges = (live.starts_ms, live.ends_ms, live.reopens_ms)",
        "edges = (live.starts_ms, live.reopens_ms)",
        PAGES + "test_a_page_of_products_shows_that_time_has_passed[ends_ms-reasons1]",
    ),
    row(
        "one more than may wait waits",
        "engine/core/bounded.py",
        "self._inside >= self._inside_max",
        "self._inside > self._inside_max",
        "tests/unit/core/test_bounded.py::test_so_many_at_once_and_so_many_who_wait",
    ),
)
