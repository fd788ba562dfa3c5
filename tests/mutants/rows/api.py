"""The doors: answers, headers, lists, what a process knows without asking."""

from tests.mutants.row import row

BODY = "api/hot/body.py"
REQUESTS = "api/requests.py"
AGAIN = "api/hot/again.py"
LINES = "tests/integration/api/test_request_lines.py::"
REPEATS = "tests/integration/api/test_hot_repeats.py::"
OWN = "tests/integration/api/test_own_instances.py::"


ROWS = (
    row(
        "a length of a thousand digits is counted",
        BODY,
        "if len(length) > 9 or int(length) > self._bytes_max:",
        "if int(length) > self._bytes_max:",
        "tests/integration/api/test_bodies.py",
        equivalent="of so many digits int() says no just as well, as an error that is answered; it only costs more",
    ),
    row(
        "OPTIONS and 405 forget HEAD",
        REQUESTS,
        '    if "GET" in taken:\n        taken.add("HEAD")\n',
        "",
        LINES + "test_every_path_tells_its_methods",
    ),
    row(
        "a hot path does not answer OPTIONS",
        "api/hot/clicks.py",
        'if method == "OPTIONS":',
        'if method == "options":',
        LINES + "test_every_path_tells_its_methods",
    ),
    row(
        "raw bytes in a query reach the routes that do not read it",
        "api/hot/clicks.py",
        "if not scope.query_string.isascii():",
        "if False:",
        LINES + "test_a_query_that_cannot_be_read_is_a_problem_document",
    ),
    row(
        "the last of two parameters of one name counts",
        REQUESTS,
        "        if name in found:\n            raise BadInput(errors=[wrong_parameter(name)])\n",
        "",
        LINES + "test_a_query_that_cannot_be_read_is_a_problem_document",
    ),
    row(
        "the text null is no filter of one's own instances",
        "api/routes/play.py",
        "if in_status not in (None, *STATUSES):",
        'if in_status not in (None, "null", *STATUSES):',
        OWN + "test_a_filter_or_cursor_that_is_none_is_refused",
    ),
    row(
        "every repeat of a held order asks Postgres",
        AGAIN,
        "_STATUS.get(EffectState(state)) or await",
        "await",
        REPEATS + "test_what_redis_knows_is_not_asked_of_postgres",
    ),
    row(
        "a repeat fails while Postgres is away",
        AGAIN,
        "except AWAY as error:",
        "except KeyError as error:",
        REPEATS + "test_without_postgres_a_repeat_leaves_the_status_out",
    ),
    row(
        "the refusal of a second open names what was given back, or somebody else's",
        "engine/gate/gate.py",
        "if one.suffix == one.key and",
        "if",
        OWN + "test_a_refused_open_without_one_of_ones_own_names_none",
    ),
    row(
        "what one joined and gave back is still one's own",
        "engine/reports/own.py",
        "WHERE (lasts OR opened) AND",
        "WHERE",
        OWN + "test_what_was_given_back_is_ones_own_only_if_one_opened_it",
    ),
)
