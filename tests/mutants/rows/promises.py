"""What is promised of the whole: the CHECK, commit before acknowledgement, the fence, moves and their history."""

from tests.mutants.row import row

MOVES = "engine/orders/moves.py"
OF_MOVES = "tests/integration/orders/test_moves.py::"
OF_ORDERS = "tests/integration/stream/test_catches_orders.py::"

ROWS = (
    row(
        "the CHECK of the stock is dropped",
        "engine/db/sql/0001_core.sql",
        "CHECK (reserved BETWEEN 0 AND total)",
        "CHECK (true)",
        OF_ORDERS + "test_an_order_beyond_the_stock_is_cancelled_by_the_last_line",
    ),
    row(
        "an entry is acknowledged before its commit",
        "engine/stream/drain.py",
        "            await self._apply(entries)\n",
        "            await self._acknowledge([raw[0] for raw in raws])\n            await self._apply(entries)\n",
        OF_ORDERS + "test_an_entry_is_acknowledged_only_after_its_commit",
    ),
    row(
        "an entry of a fenced-off writer is obeyed",
        "engine/stream/intents.py",
        "if entry.epoch < epoch:",
        "if entry.epoch < 0:",
        OF_ORDERS + "test_an_order_of_a_fenced_off_writer_takes_no_stock",
    ),
    row(
        "Postgres gives a hold back twice",
        MOVES,
        "{ids} AND orders.status = '{source}'{guard}",
        "{ids}{guard}",
        OF_ORDERS + "test_a_hold_that_ended_meanwhile_is_not_released_again",
    ),
    row(
        "a move leaves no history",
        MOVES,
        "$2::text, $3::text FROM moved",
        "$2::text, $3::text FROM moved WHERE false",
        OF_MOVES + "test_of_two_who_move_one_does",
    ),
    row(
        "an order that is owed keeps its units",
        "engine/runtime/consequences.py",
        "moves.OWE: (stock.give_back, ",
        "moves.OWE: (",
        OF_MOVES + "test_the_page_says_what_the_code_does",
    ),
    row(
        "a table is written by a second package",
        "engine/money/payments.py",
        "class Payments:",
        "SPOIL = \"UPDATE orders SET status = 'PAID' WHERE id = $1\"\n\n\nclass Payments:",
        "tests/unit/test_tables.py::test_a_table_is_written_by_the_package_that_owns_it",
    ),
    row(
        "an import goes up",
        "engine/orders/holds.py",
        "import logging\n",
        "import logging\nfrom engine.money import refunds\n",
        "tests/unit/test_architecture.py::test_the_floors_hold",
    ),
)
