"""The planted bugs: each switches off one thing that keeps a promise, and names tests that must notice."""

from typing import NamedTuple


class Edit(NamedTuple):
    """One change of text; `old` stands exactly once in `file`."""

    file: str
    old: str
    new: str


class Bug(NamedTuple):
    """What is switched off, how, and the fastest tests that must fail then."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]


GATE = "scripts/lua/gate.lua"
RULES = "scripts/lua/include/rules.lua"
DECIDE = "scripts/lua/include/decide.lua"
SETTLE = "scripts/lua/include/settle.lua"
CATCHES_GATE = "tests/integration/gate/test_catches_gate.py::"
MOVES = "tests/integration/orders/test_moves.py::"
CATCHES_ORDERS = "tests/integration/stream/test_catches_orders.py::"

BUGS = (
    Bug(
        "the idempotency check is off",
        (Edit(DECIDE, "  if seen then\n", "  if false then\n"),),
        (CATCHES_GATE + "test_a_repeated_request_takes_nothing_and_hears_the_first_answer",),
    ),
    Bug(
        "the body fingerprint is not compared",
        (Edit(DECIDE, "    if seen[EFFECT_FINGERPRINT] ~= fingerprint then return REQUEST_ID_REUSED end\n", ""),),
        (CATCHES_GATE + "test_the_same_request_with_another_body_is_refused",),
    ),
    Bug(
        "the limit per person is off",
        (Edit(RULES, "reserving and config.head.limit > 0 and units", "false and config.head.limit > 0 and units"),),
        (CATCHES_GATE + "test_a_person_gets_no_more_than_the_limit",),
    ),
    Bug(
        "the stock check is off",
        (Edit(RULES, "config.left < quantity or ", ""),),
        (CATCHES_GATE + "test_the_last_unit_goes_to_one",),
    ),
    Bug(
        "release-once is off in Redis",
        (Edit(SETTLE, "kind == EVENT_RELEASED and (state == HELD or state == PAID)", "kind == EVENT_RELEASED"),),
        (CATCHES_GATE + "test_a_hold_released_twice_gives_its_units_back_once",),
    ),
    Bug(
        "the fence is off: the epoch is not compared",
        (Edit(GATE, "if redis.call('GET', KEYS[1]) ~= ARGV[1] then", "if not redis.call('GET', KEYS[1]) then"),),
        (CATCHES_GATE + "test_a_writer_of_an_earlier_epoch_changes_nothing",),
    ),
    Bug(
        "the fence is off: an unknown script is loaded again",
        (
            Edit(
                "engine/gate/gate.py",
                "for shard in range(settings.shards)]\n",
                "for shard in range(settings.shards)]\n"
                "        for lane in self.lanes:\n            lane.reload = self.load_script\n",
            ),
            Edit(
                "engine/gate/lane.py",
                'await self._closed("Redis does not know the script: it was restarted")',
                "await self.reload()",
            ),
        ),
        (CATCHES_GATE + "test_a_restarted_redis_decides_nothing_before_it_is_recovered",),
    ),
    Bug(
        "the CHECK is dropped",
        (Edit("engine/db/sql/0001_core.sql", "CHECK (reserved BETWEEN 0 AND total)", "CHECK (true)"),),
        (CATCHES_ORDERS + "test_an_order_beyond_the_stock_is_cancelled_by_the_last_line",),
    ),
    Bug(
        "acknowledged before the commit",
        (
            Edit(
                "engine/stream/drain.py",
                "            await self._apply(entries)\n",
                "            await self._acknowledge([raw[0] for raw in raws])\n"
                "            await self._apply(entries)\n",
            ),
        ),
        (CATCHES_ORDERS + "test_an_entry_is_acknowledged_only_after_its_commit",),
    ),
    Bug(
        "the fence is off in the drain",
        (Edit("engine/stream/intents.py", "if entry.epoch < epoch:", "if entry.epoch < 0:"),),
        (CATCHES_ORDERS + "test_an_order_of_a_fenced_off_writer_takes_no_stock",),
    ),
    Bug(
        "release-once is off in Postgres",
        (Edit("engine/orders/moves.py", "{ids} AND orders.status = '{source}'{guard}", "{ids}{guard}"),),
        (CATCHES_ORDERS + "test_a_hold_that_ended_meanwhile_is_not_released_again",),
    ),
    Bug(
        "a move leaves no history",
        (Edit("engine/orders/moves.py", "$2::text, $3::text FROM moved", "$2::text, $3::text FROM moved WHERE false"),),
        (MOVES + "test_of_two_who_move_one_does",),
    ),
    Bug(
        "an order that is owed keeps its units",
        (
            Edit(
                "engine/runtime/consequences.py",
                "moves.OWE: (stock.give_back, ",
                "moves.OWE: (",
            ),
        ),
        (MOVES + "test_the_page_says_what_the_code_does",),
    ),
    Bug(
        "a table is written by a second package",
        (
            Edit(
                "engine/money/payments.py",
                "class Payments:",
                "SPOIL = \"UPDATE orders SET status = 'PAID' WHERE id = $1\"\n\n\nclass Payments:",
            ),
        ),
        ("tests/unit/test_tables.py::test_a_table_is_written_by_the_package_that_owns_it",),
    ),
    Bug(
        "an import goes up",
        (
            Edit(
                "engine/orders/holds.py",
                "import logging\n",
                "import logging\nfrom engine.money import refunds\n",
            ),
        ),
        ("tests/unit/test_architecture.py::test_the_floors_hold",),
    ),
)
