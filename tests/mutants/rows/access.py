"""Who may do what: logins, tokens, the role of each route, pages."""

from tests.mutants.row import row

TOKENS = "engine/access/tokens.py"
DOORS = "api/doors.py"


ROWS = (
    row(
        "a token lives a second too long",
        TOKENS,
        "if caller.expires_at_s <= time.time():",
        "if caller.expires_at_s < time.time():",
        "tests/unit/access",
        equivalent="the clock has microseconds: the very second is over before anybody can ask",
    ),
    row(
        "a caller of no store acts for one",
        DOORS,
        "    if who.store_id is None:\n        raise Forbidden\n    return who.store_id",
        '    return who.store_id or "1001"',
        "tests/integration/access",
        equivalent="only STORE and CLERK get here, and their tokens always name a store",
    ),
)
