"""What is answered: problems, their headers and languages."""

from tests.mutants.row import row

ERRORS = "api/errors.py"
LANGUAGES = "api/languages.py"
SCHEMA = "engine/core/schema.py"

PROBLEMS = "tests/unit/core/test_problems.py::"
SCHEMA_ERRORS = "tests/unit/core/test_schema_errors.py::"
TESTS_OF_LANGUAGES = "tests/integration/api/test_languages.py::"
TESTS_OF_TESTS_OF_LANGUAGES = "tests/unit/api/test_languages.py::"

ROWS = (
    row(
        "a problem does not say that it depends on the language",
        ERRORS,
        '        ("vary", "accept-language"),\n',
        "",
        PROBLEMS + "test_a_problem_document_is_complete[ACTION_UNKNOWN-zh]",
    ),
    row(
        "a problem does not say its language",
        ERRORS,
        '        ("content-language", language),\n',
        "",
        PROBLEMS + "test_a_problem_document_is_complete[ACTION_UNKNOWN-zh]",
    ),
    row(
        "a problem may be kept",
        ERRORS,
        '        ("cache-control", "no-store"),\n',
        "",
        PROBLEMS + "test_a_problem_document_is_complete[ACTION_UNKNOWN-zh]",
    ),
    row(
        "who is to come back is not told when",
        ERRORS,
        "isinstance(error, errors.Unavailable)",
        "isinstance(error, errors.Overloaded)",
        PROBLEMS + "test_only_what_may_pass_invites_a_retry",
    ),
    row(
        "who has no token is not told what to bring",
        ERRORS,
        '    if status == 401:\n        headers.append(("www-authenticate", "Bearer"))\n',
        "",
        PROBLEMS + "test_a_login_is_asked_for_and_other_methods_are_named",
    ),
    row(
        "who asks by the wrong method is not told the right ones",
        ERRORS,
        '    if allow := error.extra.get("allow"):\n',
        '    if allow := "":\n',
        PROBLEMS + "test_a_login_is_asked_for_and_other_methods_are_named",
    ),
    row(
        "a problem's title is always Chinese",
        ERRORS,
        "title=known.text.said_in(language)",
        'title=known.text.said_in("zh")',
        PROBLEMS + "test_a_problem_document_is_complete[ACTION_UNKNOWN-en]",
    ),
    row(
        "a problem says nothing but its title",
        ERRORS,
        "detail=known.detail.said_in(language)",
        "detail=known.text.said_in(language)",
        PROBLEMS + "test_a_detail_says_more_in_both_languages_and_logs_are_chinese",
    ),
    row(
        "a problem outside the hot routes is always Chinese",
        ERRORS,
        'rendered(error, language_of(request.headers.get("accept-language")))',
        "rendered(error)",
        TESTS_OF_LANGUAGES + "test_each_wrong_field_of_a_draft_is_named_in_both_languages",
    ),
    row(
        "a Postgres that does not answer is an internal error",
        ERRORS,
        (
            "AWAY = (RedisError, *UNREACHABLE, *UNDONE, asyncpg.ReadOnlySQLTransactionError, "
            "asyncpg.TransactionRollbackError)"
        ),
        ("AWAY = (RedisError, *UNDONE, asyncpg.ReadOnlySQLTransactionError, asyncpg.TransactionRollbackError)"),
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a Postgres that undid a transaction is an internal error",
        ERRORS,
        (
            "AWAY = (RedisError, *UNREACHABLE, *UNDONE, asyncpg.ReadOnlySQLTransactionError, "
            "asyncpg.TransactionRollbackError)"
        ),
        "AWAY = (RedisError, *UNREACHABLE, asyncpg.ReadOnlySQLTransactionError)",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a Postgres that only reads is an internal error",
        ERRORS,
        (
            "AWAY = (RedisError, *UNREACHABLE, *UNDONE, asyncpg.ReadOnlySQLTransactionError, "
            "asyncpg.TransactionRollbackError)"
        ),
        "AWAY = (RedisError, *UNREACHABLE, *UNDONE, asyncpg.TransactionRollbackError)",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "a text that Postgres cannot hold is an internal error",
        ERRORS,
        "    if isinstance(error, asyncpg.DataError):",
        "    if isinstance(error, ZeroDivisionError):",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "the framework's 404 is an internal error",
        ERRORS,
        "    404: errors.NotFound,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "the framework's 413 is an internal error",
        ERRORS,
        "    413: errors.BodyTooLarge,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "the framework's 405 is an internal error",
        ERRORS,
        "    405: MethodNotAllowed,\n",
        "",
        PROBLEMS + "test_errors_of_others_are_translated",
    ),
    row(
        "an unexpected error is not logged",
        ERRORS,
        '    log.error("unexpected error", exc_info=error)\n',
        "",
        PROBLEMS + "test_an_unexpected_error_is_logged_and_tells_nothing",
    ),
    row(
        "sold out is an internal error",
        ERRORS,
        '    "SOLD_OUT": 409,',
        '    "SOLD_OUT": 500,',
        PROBLEMS + "test_every_code_stands_in_the_readme_with_its_status_and_its_texts",
    ),
    row(
        "of two languages wanted alike the last is spoken",
        LANGUAGES,
        "return max([*named, *LANGUAGES],",
        "return max([*reversed(named), *LANGUAGES],",
        TESTS_OF_TESTS_OF_LANGUAGES + "test_the_language_that_is_wanted_most_is_chosen[en;q=0.5,zh;q=0.500-en]",
    ),
    row(
        "who wants neither language is told in English",
        LANGUAGES,
        "return max([*named, *LANGUAGES],",
        "return max([*named, *reversed(LANGUAGES)],",
        TESTS_OF_TESTS_OF_LANGUAGES + "test_the_language_that_is_wanted_most_is_chosen[-zh]",
    ),
    row(
        "of one language named twice the last wish counts",
        LANGUAGES,
        "max(quality, wanted.get(language, 0))",
        "quality",
        TESTS_OF_TESTS_OF_LANGUAGES
        + "test_the_language_that_is_wanted_most_is_chosen[en-US;q=0.7,en;q=0.1,zh;q=0.5-en]",
    ),
    row(
        "American English is not understood",
        LANGUAGES,
        'match[1].partition("-")[0]',
        "match[1]",
        TESTS_OF_TESTS_OF_LANGUAGES + "test_the_language_that_is_wanted_most_is_chosen[EN-gb-en]",
    ),
    row(
        "a flood of languages is read",
        LANGUAGES,
        "if header is None or len(header) > CHARACTERS_MAX else",
        "if header is None else",
        TESTS_OF_TESTS_OF_LANGUAGES + "test_a_flood_of_languages_is_not_read",
    ),
    row(
        "a wrong field of a list is not named by its place",
        SCHEMA,
        "must be less than",
        "must be at most",
        SCHEMA_ERRORS + "test_each_keyword_has_its_words",
    ),
)
