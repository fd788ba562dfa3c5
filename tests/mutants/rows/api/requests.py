"""What is asked: bodies, clicks, facts; and whether there is anybody to ask."""

from tests.mutants.row import row

TRANSACT = "engine/core/transact.py"
TEXTS = "engine/core/texts.py"
BODIES_READ = "api/schema/bodies.py"
BODY = "api/hot/body.py"
CLICKS = "api/hot/clicks.py"
FACTS = "api/hot/facts.py"
RSGI = "api/rsgi.py"
BRIDGE = "api/bridge.py"
READINESS = "api/readiness.py"
OPS = "api/routes/ops.py"
PAYROUTE = "api/routes/payments.py"

BODIES = "tests/integration/api/test_bodies.py::"
HOT_CLICKS = "tests/integration/api/test_hot_clicks.py::"
HOT_FACTS = "tests/integration/api/test_hot_facts.py::"
HOT_INPUT = "tests/integration/api/test_hot_input.py::"
HOT_WIRE = "tests/integration/api/test_hot_wire.py::"
PARTS = "tests/unit/api/test_parts.py::"
HUMAN_TEXTS = "tests/unit/api/test_human_texts.py::"
WORDS = "tests/unit/core/test_words_and_values.py::"
PROBLEMS = "tests/unit/core/test_problems.py::"
READYZ = "tests/integration/api/test_readyz.py::"
TESTS_OF_FACTS = "tests/unit/api/test_facts.py::"
TESTS_OF_READINESS = "tests/unit/api/test_readiness.py::"

ROWS = (
    row(
        "a Postgres that is being shut down is an internal error",
        TRANSACT,
        "    asyncpg.OperatorInterventionError,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a Postgres that is full is an internal error",
        TRANSACT,
        "    asyncpg.InsufficientResourcesError,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a Postgres whose connection has gone is an internal error",
        TRANSACT,
        "    asyncpg.InterfaceError,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a Postgres that refuses connections is an internal error",
        TRANSACT,
        "    asyncpg.PostgresConnectionError,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a body of exactly the limit is too large",
        BODY,
        "int(length) > self._bytes_max",
        "int(length) >= self._bytes_max",
        PARTS + "test_a_body_of_up_to_the_limit_is_read[100-True]",
    ),
    row(
        "a body without a length may be of any size",
        BODY,
        "            if len(read) > self._bytes_max:\n                raise BodyTooLarge\n",
        "",
        BODIES + "test_a_body_too_large_is_refused",
    ),
    row(
        "a body without a length of exactly the limit is too large",
        BODY,
        "if len(read) > self._bytes_max:",
        "if len(read) >= self._bytes_max:",
        PARTS + "test_a_body_of_up_to_the_limit_is_read[100-False]",
    ),
    row(
        "a body may say that it is of any size",
        BODY,
        "if len(length) > 9 or int(length) > self._bytes_max:",
        "if len(length) > 9:",
        BODIES + "test_a_body_too_large_is_refused",
    ),
    row(
        "a length of a thousand digits is counted",
        BODY,
        "if len(length) > 9 or int(length) > self._bytes_max:",
        "if int(length) > self._bytes_max:",
        "tests/integration/api/test_bodies.py",
        equivalent="of so many digits int() says no just as well, as an error that is answered; it only costs more",
    ),
    row(
        "a body may take for ever",
        BODY,
        "                task.cancel()\n",
        "                pass\n",
        BODIES + "test_a_body_that_does_not_come_is_given_up",
    ),
    row(
        "whoever hangs up is an internal error",
        BODY,
        "        except self._gone as error:\n            raise ClientGone from error\n",
        "",
        BODIES + "test_a_client_that_has_gone_is_no_error_of_ours",
    ),
    row(
        "a body that was read is watched on",
        BODY,
        "        finally:\n            del self._reading[task]",
        "        finally:\n            pass",
        PARTS + "test_a_body_of_up_to_the_limit_is_read[0-True]",
    ),
    row(
        "a hot route takes requests without a token",
        CLICKS,
        "        if authorization is None:\n            raise errors.Unauthenticated\n",
        '        authorization = authorization or ""\n',
        HOT_INPUT + "test_only_a_consumer_may_click",
    ),
    row(
        "staff click",
        CLICKS,
        "        if caller.role is not Role.CONSUMER:\n            raise errors.Forbidden\n",
        "",
        HOT_INPUT + "test_only_a_consumer_may_click",
    ),
    row(
        "a hot route takes any scheme of authorization",
        CLICKS,
        'if authorization[:7].lower() != "bearer " or not token:',
        "if not token:",
        HOT_INPUT + "test_only_a_consumer_may_click",
    ),
    row(
        "a requestId may hold anything",
        CLICKS,
        "if not (request_id.isascii() and request_id.isprintable()):",
        "if not request_id.isascii():",
        HOT_INPUT + "test_a_body_that_does_not_fit_is_refused_and_changes_nothing",
    ),
    row(
        "a requestId may be in Chinese",
        CLICKS,
        "if not (request_id.isascii() and request_id.isprintable()):",
        "if not request_id.isprintable():",
        HOT_INPUT + "test_a_body_that_does_not_fit_is_refused_and_changes_nothing",
    ),
    row(
        "a click on what there is not is an internal error",
        "api/hot/clicks.py",
        "        if live is None:\n            order_id",
        "        if live is False:\n            order_id",
        "tests/integration/api/test_hot_input.py::test_an_id_of_nothing_is_not_found",
    ),
    row(
        "an action that its playbook does not have reaches Redis",
        CLICKS,
        "        if kind is Act and verb not in live.playbook.actions:\n",
        "        if False:\n",
        HOT_INPUT + "test_an_action_that_is_none_is_unknown",
    ),
    row(
        "a replay does not say so",
        "api/hot/clicks.py",
        "return 201, JSON_REPLAYED,",
        "return 201, JSON,",
        "tests/integration/api/test_hot_clicks.py::test_a_repeat_gets_the_first_answer_byte_for_byte",
    ),
    row(
        "a click that won answers 200",
        "api/hot/clicks.py",
        "return 201, JSON, won",
        "return 200, JSON, won",
        "tests/integration/api/test_hot_clicks.py::test_a_winner_is_told_what_the_design_says",
    ),
    row(
        "early crowds are told by memory when the sale begins",
        CLICKS,
        "live.starts_ms - self._live.now_ms() > NOT_STARTED_MARGIN_MS",
        "live.starts_ms - self._live.now_ms() > -1000 * NOT_STARTED_MARGIN_MS",
        HOT_CLICKS + "test_the_crowd_for_the_last_units_is_served_exactly",
    ),
    row(
        "memory that is old refuses those who come early",
        CLICKS,
        "            and self._live.fresh(live.shard)\n",
        "",
        HOT_CLICKS + "test_memory_refuses_nobody_while_redis_is_away",
    ),
    row(
        "an early action is refused by memory",
        CLICKS,
        "            and verb not in live.playbook.early\n",
        "",
        PARTS + "test_who_comes_early_is_refused_from_memory_but_for_what_is_early",
    ),
    row(
        "a sold-out sale refuses actions that take no units",
        CLICKS,
        "if verb in live.playbook.reserves and self._live.sold_out(live, user):",
        "if self._live.sold_out(live, user):",
        PARTS + "test_of_what_is_sold_out_only_what_takes_units_is_refused_from_memory",
    ),
    row(
        "a quantity of a hundred is taken",
        CLICKS,
        "Meta(ge=1, le=99)",
        "Meta(ge=1, le=100)",
        HOT_INPUT + "test_a_body_that_does_not_fit_is_refused_and_changes_nothing",
    ),
    row(
        "a join on another instance has the fingerprint of this one",
        "api/hot/clicks.py",
        "        fingerprint = ids.fingerprint(verb, suffix or config_id, quantity)\n        suffix = suffix or",
        "        fingerprint = ids.fingerprint(verb, config_id, quantity)\n        suffix = suffix or",
        "tests/integration/api/test_hot_clicks.py::test_a_reused_request_id_is_refused",
    ),
    row(
        "an opened instance has the name of its whole click",
        CLICKS,
        "suffix = suffix or ids.opened_suffix(order_id)",
        "suffix = suffix or order_id",
        HOT_CLICKS + "test_a_winner_is_told_what_the_design_says",
    ),
    row(
        "the deadline for paying is told in local time",
        CLICKS,
        "datetime.fromtimestamp(ms / 1000, UTC)",
        "datetime.fromtimestamp(ms / 1000 + 28800, UTC)",
        HOT_CLICKS + "test_a_winner_is_told_what_the_design_says",
    ),
    row(
        "a client says its own address",
        FACTS,
        'lines[-1].rpartition(",")[2].strip()',
        'lines[0].partition(",")[0].strip()',
        HOT_FACTS + "test_behind_a_proxy_the_address_is_what_its_header_says_last",
    ),
    row(
        "each address of a house is one of its own",
        FACTS,
        "return str(ip_network((found, IPV6_HOUSE_BITS), strict=False))",
        "return str(found)",
        TESTS_OF_FACTS + "test_a_network_is_an_ipv4_address_or_a_house",
    ),
    row(
        "a device's name may be of any length",
        FACTS,
        "len(said) <= DEVICE_CHARS_MAX and said",
        "said",
        TESTS_OF_FACTS + "test_a_device_that_says_nothing_sensible_says_nothing",
    ),
    row(
        "HEAD is answered as if it were unknown",
        RSGI,
        'self.find("GET" if method == "HEAD" else method, scope.path)',
        "self.find(method, scope.path)",
        HOT_WIRE + "test_whatever_the_wire_brings_is_answered",
    ),
    row(
        "HEAD is refused outside the hot routes",
        BRIDGE,
        '"GET" if scope.method == "HEAD" else scope.method',
        "scope.method",
        PARTS + "test_who_asks_for_the_head_is_answered_as_who_asks_for_all",
    ),
    row(
        "a query string is lost",
        BRIDGE,
        "scope.query_string.encode()",
        'b""',
        PARTS + "test_a_request_is_carried_over_whole",
    ),
    row(
        "a process that can sell nothing says that it is ready",
        READINESS,
        'status=status if shards_open else "unavailable"',
        "status=status",
        READYZ + "test_without_an_open_shard_nothing_can_be_sold",
    ),
    row(
        "what cannot sell answers 200",
        READINESS,
        '503 if readiness.status == "unavailable" else 200',
        "200",
        READYZ + "test_without_an_open_shard_nothing_can_be_sold",
    ),
    row(
        "a shard is ready in any epoch",
        READINESS,
        "words == str(books.epochs.get(shard)).encode()",
        "bool(words)",
        READYZ + "test_a_shard_with_an_epoch_that_is_not_that_of_postgres_is_closed",
    ),
    row(
        "a shard is ready in no epoch at all while Postgres is away",
        READINESS,
        "return as_epoch(words) > 0 if",
        "return True if",
        READYZ + "test_without_postgres_what_redis_says_counts",
    ),
    row(
        "a Redis that was restarted is ready before it is recovered",
        READINESS,
        "if scripted and lane.open and",
        "if lane.open and",
        READYZ + "test_a_redis_that_was_restarted_is_not_open_before_it_is_recovered",
    ),
    row(
        "a Redis that loses what it answered is not warned of",
        READINESS,
        "        *_of_durability(durability),\n",
        "",
        READYZ + "test_a_less_durable_redis_is_told",
    ),
    row(
        "a closed shard is not warned of",
        READINESS,
        "    if closed:\n",
        "    if False:\n",
        TESTS_OF_READINESS + "test_whatever_is_wrong_is_said",
    ),
    row(
        "a shard counts as open by what the lane remembers",
        READINESS,
        " and _is_open(lane.shard, words, books)",
        "",
        READYZ + "test_without_an_open_shard_nothing_can_be_sold",
    ),
    row(
        "a Postgres that is away is not told",
        READINESS,
        "postgres=books is not None",
        "postgres=True",
        READYZ + "test_without_postgres_clicks_are_still_taken",
    ),
    row(
        "a playbook that fails is not told",
        READINESS,
        "        *_of_playbooks(engine.playbooks.quarantined),\n",
        "",
        READYZ + "test_a_quarantined_playbook_is_named",
    ),
    row(
        "a shard that nobody drains is not told",
        READINESS,
        "    if books.unowned:\n",
        "    if False:\n",
        TESTS_OF_READINESS + "test_whatever_is_wrong_is_said",
    ),
    row(
        "a dead letter is not told",
        READINESS,
        "    if books.dead_intents:\n",
        "    if False:\n",
        READYZ + "test_what_waits_for_a_person_is_told",
    ),
    row(
        "a stuck refund is not told",
        READINESS,
        "    if books.stuck_refunds:\n",
        "    if False:\n",
        READYZ + "test_what_waits_for_a_person_is_told",
    ),
    row(
        "the sandbox looks up any text",
        PAYROUTE,
        'return len(text) == 32 and not text.strip("0123456789abcdef")',
        "return len(text) == 32",
        PARTS + "test_only_what_may_be_an_order_is_looked_up[gggggggggggggggggggggggggggggggg-False]",
    ),
    row(
        "words that nobody can read are a title",
        BODIES_READ,
        "if (schema := schema_of(kind)).has_words and (found",
        "if not (schema := schema_of(kind)).has_words and (found",
        HUMAN_TEXTS + "test_a_text_that_nobody_can_read_is_refused_by_its_field",
    ),
    row(
        "a mark with nothing to stand on can be read",
        TEXTS,
        '[0] in "LNPS" and',
        '[0] in "LMNPS" and',
        WORDS + "test_words_that_cannot_be_seen_or_hide_something_do_not",
    ),
    row(
        "a letter that is drawn as nothing can be read",
        TEXTS,
        ' in "LNPS" and char not in BLANKS',
        ' in "LNPS"',
        WORDS + "test_words_that_cannot_be_seen_or_hide_something_do_not",
    ),
    row(
        "what shows makes up for what hides",
        TEXTS,
        "any(map(_shows, words)) and not any(map(_hides, words))",
        "any(map(_shows, words))",
        WORDS + "test_words_that_cannot_be_seen_or_hide_something_do_not",
    ),
    row(
        "a code that is disabled and none is not told",
        READINESS,
        "        *_of_disabled(engine.playbooks.disabled_unknown),\n",
        "",
        READYZ + "test_a_disabled_code_that_is_none_is_named",
    ),
    row(
        "an action of a playbook that is gone is paused for ever",
        CLICKS,
        "return Outcome.ENDED if self._live.now_ms() >= live.ends_ms else Outcome.PAUSED",
        "return Outcome.PAUSED",
        "tests/integration/playbooks/test_missing_playbooks.py::test_clicks_are_told_paused",
    ),
)
