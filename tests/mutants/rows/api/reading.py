"""What a process knows without asking, and how it is listed and shown."""

from tests.mutants.row import row

LISTS = "api/hot/lists.py"
READS = "api/hot/reads.py"
LIVE = "engine/live/live.py"
VIEW = "engine/live/view.py"
OFFER = "engine/live/offer.py"

HOT_READS = "tests/integration/api/test_hot_reads.py::"
MEMORY = "tests/unit/live/test_memory.py::"
TESTS_OF_LISTS = "tests/unit/api/test_lists.py::"
TESTS_OF_LIVE = "tests/integration/live/test_live.py::"
TESTS_OF_OFFER = "tests/unit/live/test_offer.py::"
TESTS_OF_VIEW = "tests/unit/live/test_view.py::"

ROWS = (
    row(
        "an ended product is listed",
        "engine/live/shelf.py",
        "on_sale = live.head_status in (HeadStatus.PUBLISHED, HeadStatus.PAUSED)",
        "on_sale = True",
        "tests/unit/api/test_lists.py::test_what_is_on_sale_or_paused_is_listed[3-0]",
    ),
    row(
        "a paused product is not listed",
        "engine/live/shelf.py",
        "on_sale = live.head_status in (HeadStatus.PUBLISHED, HeadStatus.PAUSED)",
        "on_sale = live.head_status == HeadStatus.PUBLISHED",
        "tests/unit/api/test_lists.py::test_what_is_on_sale_or_paused_is_listed[2-1]",
    ),
    row(
        "a list's tag depends on its length only",
        LISTS,
        "etag = f'\"{len(body):x}-{crc32(body):08x}\"'",
        "etag = f'\"{len(body):x}\"'",
        TESTS_OF_LISTS + "test_two_pages_of_one_length_have_two_tags",
    ),
    row(
        "a detail's tag depends on its length only",
        READS,
        "f'\"{len(instance.body):x}-{crc32(instance.body):08x}\"'",
        "f'\"{len(instance.body):x}\"'",
        TESTS_OF_LISTS + "test_two_pages_of_one_length_have_two_tags",
    ),
    row(
        "a list does not filter by city",
        "api/hot/lists.py",
        "Filters(query.store_id, query.city, ",
        "Filters(query.store_id, None, ",
        "tests/integration/api/test_hot_reads.py::test_filters_hold_together",
    ),
    row(
        "a list does not filter by playbook",
        "api/hot/lists.py",
        "query.city, query.play_code, label)",
        "query.city, None, label)",
        "tests/integration/api/test_hot_reads.py::test_filters_hold_together",
    ),
    row(
        "a list does not filter by status",
        "api/hot/lists.py",
        "label = ANY if query.status is UNSET else query.status",
        "label = ANY",
        "tests/integration/api/test_hot_reads.py::test_a_paid_group_shows_its_progress",
    ),
    row(
        "a list does not filter by store",
        "api/hot/lists.py",
        "Filters(query.store_id, ",
        "Filters(None, ",
        "tests/integration/api/test_hot_reads.py::test_filters_hold_together",
    ),
    row(
        "a list begins with the oldest",
        "engine/live/entries.py",
        "{(1 << 48) - ms(config.created_at):013x}",
        "{ms(config.created_at):013x}",
        "tests/integration/api/test_hot_reads.py::test_filters_hold_together",
    ),
    row(
        "a page begins with the last of the one before",
        "api/hot/lists.py",
        "            start = bisect_right(suffixes, suffix) if",
        "            start = bisect_right(suffixes, suffix) - 1 if",
        "tests/unit/api/test_lists.py::test_pages_of_instances_go_through_their_configs_in_order",
    ),
    row(
        "a list's second page is its first",
        "api/hot/lists.py",
        '    return found["config"], found.groupdict().get("suffix", "")',
        '    return "", ""',
        "tests/unit/api/test_lists.py::test_pages_of_instances_go_through_their_configs_in_order",
    ),
    row(
        "a page shows what has been",
        LISTS,
        "if self._version != self._live.version or self._live.now_ms() >= self._until_ms:",
        "if self._live.now_ms() >= self._until_ms:",
        TESTS_OF_LISTS + "test_a_page_shows_what_is_known_now",
    ),
    row(
        "a page goes on when time alone changes it",
        LISTS,
        "if self._version != self._live.version or self._live.now_ms() >= self._until_ms:",
        "if self._version != self._live.version:",
        HOT_READS + "test_time_alone_changes_what_is_shown",
    ),
    row(
        "any text is a cursor",
        "api/hot/lists.py",
        "    if found is None:\n        raise errors.CursorInvalid\n",
        '    if found is None:\n        return "", ""\n',
        "tests/unit/api/test_lists.py::test_only_a_place_is_a_cursor[x]",
    ),
    row(
        "a detail shows what has been",
        READS,
        "        if self._live.now_ms() >= instance.valid_until_ms:\n",
        "        if not instance.body:\n",
        HOT_READS + "test_a_detail_shows_what_this_instance_costs_sells_and_takes",
    ),
    row(
        "who has a detail gets it again",
        READS,
        "if if_none_match is not None and if_none_match == instance.etag:",
        "if False:",
        HOT_READS + "test_a_client_that_has_the_bytes_gets_none",
    ),
    row(
        "who has another detail is told that nothing has changed",
        READS,
        "if if_none_match is not None and if_none_match == instance.etag:",
        "if if_none_match is not None:",
        HOT_READS + "test_a_client_that_has_the_bytes_gets_none",
    ),
    row(
        "sold out is told by memory that is old",
        LIVE,
        "if live.left > 0 or live.head_status == 0 or not self.fresh(live.shard):",
        "if live.left > 0 or live.head_status == 0:",
        MEMORY + "test_whatever_is_not_certain_is_asked_for[old]",
    ),
    row(
        "who has a click on record is told that all is sold out",
        LIVE,
        "return user not in live.holders",
        "return True",
        MEMORY + "test_only_who_has_nothing_is_told_that_all_is_sold",
    ),
    row(
        "a list of holders read across a move is believed",
        LIVE,
        "            if live.taken == taken:\n                live",
        "            if True:\n                live",
        MEMORY + "test_a_list_read_while_units_moved_is_not_believed",
    ),
    row(
        "units that moved leave the list of holders as it was",
        LIVE,
        "                self.configs[config_id].holders = None  # units moved, perhaps to someone new\n",
        "",
        MEMORY + "test_whoever_moved_units_may_be_a_new_holder",
    ),
    row(
        "who got a unit from this process is no holder",
        "engine/live/entries.py",
        "            self.holders.add(user)\n",
        "            pass\n",
        "tests/unit/live/test_memory.py::test_who_has_got_a_unit_here_is_known_at_once",
    ),
    row(
        "of many changes those of the last number are skipped",
        LIVE,
        "highest - 1 if len(scored) == PAGE else highest",
        "highest",
        TESTS_OF_LIVE + "test_a_rebuild_of_many_instances_becomes_visible_whole",
    ),
    row(
        "the clock is this host's",
        LIVE,
        "return int(time.monotonic() * 1000 + self._clock_offset_ms)",
        "return int(time.time() * 1000)",
        MEMORY + "test_the_time_is_what_redis_says",
    ),
    row(
        "a config that Redis knows first is never seen",
        LIVE,
        "            if config_id not in self.configs and tries < UNSEEN_TRIES_MAX:\n",
        "            if False:\n",
        TESTS_OF_LIVE + "test_a_config_announced_before_its_row_can_be_seen_appears_with_it",
    ),
    row(
        "units are shown before they may be sold",
        "engine/live/entries.py",
        "return self.left if now_ms >= self.reopens_ms else 0",
        "return self.left",
        "tests/unit/live/test_offer.py::test_units_that_came_back_are_shown_when_they_are_sold",
    ),
    row(
        "an error nobody expected ends the following of a shard",
        LIVE,
        "            except Exception:\n                # A process",
        "            except ZeroDivisionError:\n                # A process",
        MEMORY + "test_nothing_ends_the_following_of_a_shard",
    ),
    row(
        "a config without its playbook is shown as on sale",
        LIVE,
        "        if live.missing and head_status == HeadStatus.PUBLISHED:\n",
        "        if False:\n",
        TESTS_OF_LIVE + "test_a_config_without_its_playbook_stands_there_paused",
    ),
    row(
        "a change of a config leaves its instances as they were served",
        LIVE,
        ("            for instance in live.instances.values():\n                instance.valid_until_ms = 0\n"),
        "",
        HOT_READS + "test_a_change_is_seen_with_the_next_refresh",
    ),
    row(
        "a change of an instance leaves it as it was served",
        LIVE,
        "        instance.state = state\n        instance.valid_until_ms = 0\n",
        "        instance.state = state\n",
        HOT_READS + "test_a_paid_group_shows_its_progress",
    ),
    row(
        "a snapshot is young for ever",
        LIVE,
        "* 1000 < FRESH_MS",
        "* 1000 < 1000 * FRESH_MS",
        TESTS_OF_LIVE + "test_a_snapshot_outlives_its_valkey",
    ),
    row(
        "a view shows the config's stock in the place of its session's",
        VIEW,
        'min(left, cells.get("left", left))',
        "left",
        TESTS_OF_VIEW + "test_the_button_says_why_it_is_grey",
    ),
    row(
        "a button says that it can be clicked after the end",
        VIEW,
        "words, ended = playbook.view, now_ms >= ms(ends_at)",
        "words, ended = playbook.view, now_ms > ms(ends_at)",
        TESTS_OF_VIEW + "test_the_button_says_why_it_is_grey",
    ),
    row(
        "a button says that it cannot be clicked at the start",
        VIEW,
        "elif now_ms < ms(starts_at):",
        "elif now_ms <= ms(starts_at):",
        TESTS_OF_VIEW + "test_the_button_says_why_it_is_grey",
    ),
    row(
        "a full instance can be clicked on",
        VIEW,
        "elif seats_left == 0:",
        "elif seats_left == -1:",
        TESTS_OF_VIEW + "test_the_button_says_why_it_is_grey",
    ),
    row(
        "a price that is none is shown",
        VIEW,
        "return price if type(price) is int and 1 <= price <= config.price_fen else config.price_fen",
        "return price if type(price) is int else config.price_fen",
        TESTS_OF_VIEW + "test_a_price_that_nobody_could_be_asked_for_is_not_shown[0]",
    ),
    row(
        "a playbook's wrong time spoils a list",
        VIEW,
        "if type(cell) is not int or not 0 < cell < MOMENT_MAX_MS:",
        "if type(cell) is not int:",
        TESTS_OF_VIEW + "test_a_playbook_that_writes_no_time_is_drawn_all_the_same",
    ),
    row(
        "a view is served on when its sale ends",
        VIEW,
        ("edges = (starts_ms - POLL_WAITING_MS, starts_ms, ends_ms, ms(config.starts_at), ms(config.ends_at))"),
        "edges = (starts_ms - POLL_WAITING_MS, starts_ms, ms(config.starts_at), ms(config.ends_at))",
        TESTS_OF_VIEW + "test_drawn_bytes_stay_true_until_they_are_drawn_anew",
    ),
    row(
        "a view is served on when its sale begins",
        VIEW,
        "(starts_ms - POLL_WAITING_MS, starts_ms, ends_ms,",
        "(starts_ms - POLL_WAITING_MS, ends_ms,",
        TESTS_OF_VIEW + "test_drawn_bytes_stay_true_until_they_are_drawn_anew",
    ),
    row(
        "what is over is asked for every second",
        VIEW,
        "    if status in (Status.SUCCESS, Status.FAILED):\n        return POLL_FINAL_MS\n",
        "",
        TESTS_OF_VIEW + "test_a_waiting_client_asks_again_soon_enough",
    ),
    row(
        "early actions are not shown before the start",
        VIEW,
        "(started or verb in playbook.early)",
        "started",
        TESTS_OF_VIEW + "test_actions_are_offered_while_the_gate_takes_them",
    ),
    row(
        "a simulated success is shown as a real one",
        VIEW,
        'simulated=cells.get("simulated") is True',
        "simulated=False",
        TESTS_OF_VIEW + "test_a_simulated_instance_says_so",
    ),
    row(
        "a product that is over can be opened",
        OFFER,
        "if now_ms >= live.ends_ms or live",
        "if live",
        TESTS_OF_OFFER + "test_the_button_says_what_a_click_would_hear",
    ),
    row(
        "a product that is sold out can be opened",
        OFFER,
        "if live.to_sell(now_ms) < 1:",
        "if live.to_sell(now_ms) < 0:",
        TESTS_OF_OFFER + "test_the_button_says_what_a_click_would_hear",
    ),
    row(
        "a paused product says that it has ended",
        OFFER,
        (
            "    if live.head_status == HeadStatus.PAUSED:\n"
            '        return Button("暂停中", disabled=True, reason="PAUSED")\n'
        ),
        (
            "    if live.head_status == HeadStatus.PAUSED:\n"
            '        return Button("已结束", disabled=True, reason="ENDED")\n'
        ),
        TESTS_OF_OFFER + "test_the_button_says_what_a_click_would_hear",
    ),
)
