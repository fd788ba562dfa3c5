"""The doors: answers, headers, lists, what a process knows without asking."""

from tests.mutants.row import row

BODY = "api/hot/body.py"


ROWS = (
    row(
        "a length of a thousand digits is counted",
        BODY,
        "if len(length) > 9 or int(length) > self._bytes_max:",
        "if int(length) > self._bytes_max:",
        "tests/integration/api/test_bodies.py",
        equivalent="of so many digits int() says no just as well, as an error that is answered; it only costs more",
    ),
)
