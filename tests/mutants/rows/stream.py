"""The stream: what the gate decided, drained into rows; what Postgres decided, told to the gate."""

from tests.mutants.row import row

APPLY = "engine/stream/apply.py"
FOLLOW = "engine/stream/follow.py"
DISPATCH = "engine/stream/dispatch.py"
INTENTS = "engine/stream/intents.py"


ROWS = (
    row(
        "a rebate is opened in an instance that still goes on",
        APPLY,
        'if row["status"] == "SUCCESS" and ',
        "if ",
        "tests/integration/stream/test_promises.py",
        equivalent="the statement itself pays rebates of a SUCCESS only",
    ),
    row(
        "who pays while their instance ends is overlooked",
        FOLLOW,
        "status = 'PAID' ORDER BY id FOR NO KEY UPDATE OF orders",
        "status = 'PAID' ORDER BY id",
        "tests/integration/stream",
        equivalent="the move itself is guarded by the status that it leaves; the lock only puts two in an order",
    ),
    row(
        "two dispatchers send the same events",
        DISPATCH,
        "LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        "LIMIT $1",
        "tests/integration/stream",
        equivalent="an event takes effect once in Redis, however often it is sent: at worst it is sent twice",
    ),
    row(
        "configs are locked in the order in which they come",
        INTENTS,
        "return sorted(ids)",
        "return list(ids)",
        "tests/unit/stream",
        equivalent="the statement itself orders what it locks",
    ),
)
