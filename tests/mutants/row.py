"""What a row of the table is: one small bug, and the tests most likely to notice it."""

from typing import NamedTuple


class Edit(NamedTuple):
    """One change of text; `before` stands exactly once in `file`."""

    file: str
    before: str
    after: str


class Row(NamedTuple):
    """A bug. `what` says what is wrong then, and is its name; `by` are tests, as pytest names them: one must fail.

    `equivalent`: why nothing can notice it; then `by` are the tests nearest to it, and they stay green.
    """

    what: str
    edits: tuple[Edit, ...]
    by: tuple[str, ...]
    equivalent: str = ""


def row(what: str, file: str, before: str, after: str, *by: str, equivalent: str = "") -> Row:
    """A bug that is one change."""
    return Row(what, (Edit(file, before, after),), by, equivalent)
