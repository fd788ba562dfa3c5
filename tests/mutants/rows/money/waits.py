"""How long money waits, and what becomes of answers that are neither yes nor no."""

from tests.mutants.row import row

REFUNDS, ASKING, PAYMENTS = (f"engine/money/{name}.py" for name in ("refunds", "asking", "payments"))
TESTS = "tests/integration/money/"
WAITS, STEPS, ASKS, ANSWERS = (
    TESTS + f"{name}.py" for name in ("test_refund_waits", "test_refund_steps", "test_asking", "test_provider_answers")
)

ROWS = (
    row(
        "a refund whose worker died is tried again while the provider may still be at it",
        REFUNDS,
        "LEASE = timedelta(seconds=90)",
        "LEASE = timedelta(seconds=50)",
        WAITS,
    ),
    row(
        "a refund whose worker died waits for an hour",
        REFUNDS,
        "LEASE = timedelta(seconds=90)",
        "LEASE = timedelta(hours=1)",
        WAITS + "::test_a_worker_that_died_keeps_nobody_waiting_for_long",
    ),
    row(
        "a refund that is being processed has had an attempt",
        REFUNDS,
        "attempted_at = now(), attempts = attempts - 1\n",
        "attempted_at = now()\n",
        WAITS,
    ),
    row(
        "a refund that is being processed is asked for at once",
        REFUNDS,
        "PROCESSING_WAIT = timedelta(seconds=60)",
        "PROCESSING_WAIT = timedelta(seconds=0)",
        WAITS,
    ),
    row(
        "two refunds of one order follow each other at once",
        REFUNDS,
        "APART = timedelta(minutes=1)",
        "APART = timedelta(0)",
        WAITS,
    ),
    row(
        "a question waits a step less than it should",
        ASKING,
        "self._waits[asks + 1]\n",
        "self._waits[asks]\n",
        ASKS + "::test_questions_have_the_gaps_of_the_settings_and_an_end",
    ),
    row(
        "the last question is never asked",
        ASKING,
        "or asks + 1 >= len(self._waits)",
        "or asks + 2 >= len(self._waits)",
        ASKS + "::test_questions_have_the_gaps_of_the_settings_and_an_end",
    ),
    row(
        "a question that was not answered counts",
        ASKING,
        "ASK_AGAIN, order_id, asks, NO_ANSWER_WAIT, asks)",
        "ASK_AGAIN, order_id, asks, NO_ANSWER_WAIT, asks + 1)",
        ASKS,
    ),
    row(
        "a question whose worker died is never asked again",
        ASKING,
        "UPDATE payments SET ask_at = now() + $2::interval\n",
        "UPDATE payments SET ask_at = CASE WHEN $2::interval IS NULL THEN now() END\n",
        ASKS,
    ),
)
