"""Request lines, the repeat of a click, and what is one's own."""

from tests.mutants.row import row

AGAIN = "api/hot/again.py"
GATE = "engine/gate/gate.py"
HOT = "api/hot/clicks.py"
OWN = "api/hot/own.py"
OWN_LIST = "engine/reports/own.py"
REQUESTS = "api/requests.py"
QUERIES_CHECKED = "api/schema/queries.py"

LINES = "tests/integration/api/test_request_lines.py::"
OWN_INSTANCES = "tests/integration/api/test_own_instances.py::"
REPEATS = "tests/integration/api/test_hot_repeats.py::"

ON_EVERY_ROUTE = LINES + "test_a_parameter_that_a_route_does_not_have_is_refused_on_every_route"
METHODS = LINES + "test_every_path_tells_its_methods"
NAMES_NONE = OWN_INSTANCES + "test_a_refused_open_without_one_of_ones_own_names_none"
QUERIES = LINES + "test_a_query_that_cannot_be_read_is_a_problem_document"
SILENT_REDIS = OWN_INSTANCES + "test_while_redis_does_not_say_the_refusal_stands_alone"
SILENT_POSTGRES = REPEATS + "test_without_postgres_a_repeat_leaves_the_status_out"
TOUCHED = OWN_INSTANCES + "test_what_one_opened_joined_and_acted_in_comes_newest_first"

ROWS = (
    row(
        "OPTIONS and 405 forget HEAD",
        REQUESTS,
        '    if "GET" in taken:\n        taken.add("HEAD")\n',
        "",
        METHODS,
    ),
    row("OPTIONS and 405 forget OPTIONS", REQUESTS, '{*methods, "OPTIONS"}', "{*methods}", METHODS),
    row("OPTIONS is answered as if it had content", REQUESTS, "return 204, [", "return 200, [", METHODS),
    row(
        "a hot path does not answer OPTIONS",
        HOT,
        'if method == "OPTIONS":',
        'if method == "options":',
        METHODS,
    ),
    row(
        "raw bytes in a query reach the routes that do not read it",
        HOT,
        "if not scope.query_string.isascii():",
        "if False:",
        QUERIES,
    ),
    row(
        "raw bytes in a query are read as text",
        "api/hot/clicks.py",
        "    if not scope.query_string.isascii():",
        "    if scope is None:",
        QUERIES,
    ),
    row("escapes that are no UTF-8 are guessed", REQUESTS, 'errors="strict"', 'errors="replace"', QUERIES),
    row("a query may have any number of parameters", REQUESTS, "PARAMETERS_MAX = 20", "PARAMETERS_MAX = 1000", QUERIES),
    row(
        "a parameter without a value is overlooked",
        REQUESTS,
        "keep_blank_values=True",
        "keep_blank_values=False",
        QUERIES,
    ),
    row(
        "the last of two parameters of one name counts",
        REQUESTS,
        "        if name in found:\n            raise BadInput(errors=[wrong_parameter(name, TWICE)])\n",
        "",
        QUERIES,
    ),
    row(
        "a refusal repeats the name of a parameter however long it is",
        REQUESTS,
        "shown = name[:NAME_CHARS_SHOWN]",
        "shown = name",
        LINES + "test_a_parameter_that_is_there_twice_is_named_shortly",
    ),
    row(
        "a parameter with a slash in its name points elsewhere",
        REQUESTS,
        'FieldError(f"/{escape(shown)}",',
        'FieldError(f"/{shown}",',
        LINES + "test_a_parameter_that_is_there_twice_is_named_shortly",
    ),
    row(
        "the text null is no filter of one's own instances",
        QUERIES_CHECKED,
        'if value not in known[name]["enum"]:',
        'if value not in ("null", *known[name]["enum"]):',
        OWN_INSTANCES + "test_a_filter_or_cursor_that_is_none_is_refused",
    ),
    row(
        "every repeat of a held order asks Postgres",
        AGAIN,
        "_STATUS.get(EffectState(state)) or await",
        "await",
        REPEATS + "test_what_redis_knows_is_not_asked_of_postgres",
    ),
    row(
        "the repeat of a paid order says that it is held",
        AGAIN,
        'EffectState.PAID: "PAID"',
        'EffectState.PAID: "HELD"',
        REPEATS + "test_a_repeat_tells_what_the_order_is_now",
    ),
    row(
        "the repeat of an action looks for its order",
        AGAIN,
        "        if state == EffectState.ACTION:\n            return first\n",
        "",
        REPEATS + "test_an_action_has_no_order",
    ),
    row(
        "a repeat fails while Postgres is away",
        AGAIN,
        "except AWAY as error:",
        "except KeyError as error:",
        SILENT_POSTGRES,
    ),
    row(
        "a repeat waits for a Postgres that never answers",
        AGAIN,
        "asyncio.timeout(STATUS_WAIT_S)",
        "asyncio.timeout(1000 * STATUS_WAIT_S)",
        SILENT_POSTGRES,
    ),
    row(
        "a repeat of what was given back says nothing of its order",
        AGAIN,
        "                return await self._status_of(order_id)\n",
        "                await self._status_of(order_id)\n                return None\n",
        REPEATS + "test_a_repeat_of_what_was_given_back_tells_how_it_ended",
    ),
    row(
        "every refused open asks Redis for one's own",
        HOT,
        'if verb == "open" and outcome in SECOND:',
        'if verb == "open":',
        OWN_INSTANCES + "test_an_open_that_is_refused_for_another_reason_names_none",
    ),
    row(
        "a second open that its playbook calls a conflict names nothing",
        OWN,
        "frozenset({int(Outcome.LIMIT_REACHED), int(Outcome.CONFLICT)})",
        "frozenset({int(Outcome.LIMIT_REACHED)})",
        OWN_INSTANCES + "test_whatever_a_playbook_calls_the_refusal_ones_own_is_named[CONFLICT]",
    ),
    row(
        "a second open fails while Redis is away",
        OWN,
        "except AWAY as error:",
        "except KeyError as error:",
        SILENT_REDIS,
    ),
    row(
        "a second open waits for a Redis that never answers",
        OWN,
        "asyncio.timeout(LOOK_S)",
        "asyncio.timeout(1000 * LOOK_S)",
        SILENT_REDIS,
    ),
    row("the refusal of a second open names what one joined", GATE, "if one.suffix == one.key and", "if", NAMES_NONE),
    row(
        "the refusal of a second open names what was given back",
        GATE,
        "if one.suffix == one.key and one.state != EffectState.RELEASED)",
        "if one.suffix == one.key)",
        NAMES_NONE,
    ),
    row(
        "of several instances that one opened the oldest is named",
        GATE,
        "for one in reversed(effects) if",
        "for one in effects if",
        OWN_INSTANCES + "test_of_several_the_newest_is_named",
    ),
    row(
        "what one joined and gave back is still one's own",
        OWN_LIST,
        "WHERE (lasts OR opened) AND",
        "WHERE",
        OWN_INSTANCES + "test_what_was_given_back_is_ones_own_only_if_one_opened_it",
    ),
    row(
        "what one opened and gave back is one's own no more",
        OWN_LIST,
        "WHERE (lasts OR opened) AND",
        "WHERE lasts AND",
        OWN_INSTANCES + "test_what_was_given_back_is_ones_own_only_if_one_opened_it",
    ),
    row(
        "a list of one's own has everybody's orders",
        OWN_LIST,
        "FROM orders WHERE user_id = $1 AND",
        "FROM orders WHERE $1::text IS NOT NULL AND",
        TOUCHED,
    ),
    row(
        "a list of one's own has everybody's actions",
        OWN_LIST,
        "FROM actions WHERE user_id = $1\n",
        "FROM actions WHERE $1::text IS NOT NULL\n",
        TOUCHED,
    ),
    row(
        "what one clicked on first is last however often one came back",
        OWN_LIST,
        "max(created_at) AS touched_at",
        "min(created_at) AS touched_at",
        TOUCHED,
    ),
    row(
        "what one opened and acted in is said to be somebody else's",
        OWN_LIST,
        "bool_or(opened) AS opened",
        "bool_and(opened) AS opened",
        OWN_INSTANCES + "test_what_one_opened_is_ones_own_whatever_one_did_in_it",
    ),
    row(
        "an order that a fence cancelled makes an instance one's own",
        OWN_LIST,
        " AND reason IS DISTINCT FROM 'FENCED'",
        "",
        "tests/integration/api/test_own_instances.py",
        equivalent="an open that a fence cancelled has left no instance, and a join that was cancelled does not last",
    ),
    row(
        "one's own of a config are those of all",
        OWN_LIST,
        " AND ($2::text IS NULL OR config_id = $2) GROUP",
        " AND ($2::text IS NULL OR config_id <> '') GROUP",
        TOUCHED,
    ),
    row(
        "one's own of a status are those of all",
        OWN_LIST,
        "($3::text IS NULL OR i.status = $3)",
        "($3::text IS NULL OR i.status <> '')",
        TOUCHED,
    ),
    row(
        "pages of one's own overlap",
        OWN_LIST,
        "(own.touched_at, i.id) < ($4, $5)",
        "(own.touched_at, i.id) <= ($4, $5)",
        TOUCHED,
    ),
    row(
        "a parameter that a hot list does not have is overlooked",
        QUERIES_CHECKED,
        "    if name not in known:\n        yield wrong_parameter(name, _others(known))\n",
        "    if name not in known:\n        return\n",
        ON_EVERY_ROUTE,
    ),
    row(
        "a parameter that a route of Litestar's does not have is overlooked",
        "api/app.py",
        "        checked(query, taken_by(request.route_handler.parsed_fn_signature.parameters))\n",
        "        parameters(query)\n",
        ON_EVERY_ROUTE,
    ),
    row(
        "a click takes any parameters",
        HOT,
        "        if query:\n            checked(query, ())\n",
        "",
        ON_EVERY_ROUTE,
    ),
    row(
        "a page of a hundred is refused",
        QUERIES_CHECKED,
        "not least <= int(value) <= most:",
        "not least <= int(value) < most:",
        LINES + "test_what_a_parameter_may_be_is_said",
    ),
    row(
        "a page of none is taken",
        QUERIES_CHECKED,
        "not least <= int(value) <= most:",
        "not 0 <= int(value) <= most:",
        LINES + "test_what_a_parameter_may_be_is_said",
    ),
    row(
        "an empty token is an invalid one",
        REQUESTS,
        'if authorization.strip().lower() in ("", "bearer"):',
        'if authorization.strip().lower() in (" ",):',
        "tests/integration/access/test_roles.py::test_a_token_that_is_none_is_told_so",
    ),
)
