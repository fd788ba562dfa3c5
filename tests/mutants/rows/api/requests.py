"""What is asked: bodies, clicks, facts; and whether there is anybody to ask."""

from tests.mutants.row import row

BODY = "api/hot/body.py"
CLICKS = "api/hot/clicks.py"
FACTS = "api/hot/facts.py"
FAILURES = "api/hot/failures.py"
RSGI = "api/rsgi.py"
BRIDGE = "api/bridge.py"
OPS = "api/routes/ops.py"
PAYROUTE = "api/routes/payments.py"

BODIES = "tests/integration/api/test_bodies.py::"
HOT_CLICKS = "tests/integration/api/test_hot_clicks.py::"
HOT_FACTS = "tests/integration/api/test_hot_facts.py::"
HOT_INPUT = "tests/integration/api/test_hot_input.py::"
HOT_WIRE = "tests/integration/api/test_hot_wire.py::"
PARTS = "tests/unit/api/test_parts.py::"
READYZ = "tests/integration/api/test_readyz.py::"
TESTS_OF_FACTS = "tests/unit/api/test_facts.py::"

ROWS = (
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
        BODIES + "test_a_body_too_large_is_refused[headers2]",
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
        BODIES + "test_a_body_too_large_is_refused[headers0]",
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
        '        if authorization[:7].lower() != "bearer ":\n            raise errors.TokenInvalid\n',
        "",
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
        CLICKS,
        (
            "        if live is None:\n"
            '            return self._refused(Outcome.CONFIG_NOT_FOUND if verb == "open" else '
            "Outcome.INSTANCE_NOT_FOUND, headers)\n"
        ),
        "        assert live is not None\n",
        HOT_INPUT + "test_an_id_of_nothing_is_not_found",
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
        CLICKS,
        "JSON_REPLAYED if reply.replayed else JSON",
        "JSON",
        HOT_CLICKS + "test_a_repeat_gets_the_first_answer_byte_for_byte",
    ),
    row(
        "a click that won answers 200",
        CLICKS,
        "return 201, JSON_REPLAYED",
        "return 200, JSON_REPLAYED",
        HOT_CLICKS + "test_a_winner_is_told_what_the_design_says",
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
        CLICKS,
        "ids.fingerprint(verb, suffix or config_id, quantity)",
        "ids.fingerprint(verb, config_id, quantity)",
        HOT_CLICKS + "test_a_reused_request_id_is_refused",
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
        TESTS_OF_FACTS + "test_a_device_that_says_nothing_sensible_says_nothing[said2]",
    ),
    row(
        "a crowd that meets one bug writes a line each",
        FAILURES,
        "        if now < self._silent_until:\n            return\n",
        "",
        PARTS + "test_a_crowd_that_meets_one_bug_writes_one_line",
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
        "what cannot sell answers 200",
        OPS,
        '503 if readiness.status == "unavailable" else 200',
        "200",
        READYZ + "test_without_an_open_shard_nothing_can_be_sold",
    ),
    row(
        "the sandbox looks up any text",
        PAYROUTE,
        'return len(text) == 32 and not text.strip("0123456789abcdef")',
        "return len(text) == 32",
        PARTS + "test_only_what_may_be_an_order_is_looked_up[gggggggggggggggggggggggggggggggg-False]",
    ),
)
