"""What nobody can complete because its product is over."""

from tests.mutants.row import row

SETTLE = "scripts/lua/include/settle.lua"
WAKE = "engine/stream/wake.py"

WAKES = "tests/integration/stream/test_wakes_and_events.py::"
EARLY = WAKES + "test_what_nobody_can_complete_any_more_is_woken_before_its_time"
OVER = "tests/integration/stream/test_over.py::"
TOLD = "tests/lua/test_steps.py::test_a_deadline_is_told_that_the_product_is_over"

ROWS = (
    row(
        "what nobody can complete waits for its own time",
        WAKE,
        "((DUE, AGAIN_S), (OVER, OVER_AGAIN_S))",
        "((DUE, AGAIN_S),)",
        EARLY,
    ),
    row(
        "an instance that somebody is about to pay for ends with its product",
        WAKE,
        "o.instance_id = i.id AND o.status = 'HELD')",
        "o.instance_id = i.id AND o.status = 'PAID' AND false)",
        OVER + "test_who_is_about_to_pay_is_waited_for",
    ),
    row(
        "a product that is paused ends what is open", WAKE, "c.status = 'ENDED' OR", "c.status <> 'PUBLISHED' OR", EARLY
    ),
    row("only what its store ends is over", WAKE, " OR c.ends_at <= now() - interval '1 s')", ")", EARLY),
    row("only what its time has ended is over", WAKE, "(c.status = 'ENDED' OR c.ends_at", "(c.ends_at", EARLY),
    row(
        "what does not stir is woken before its time twice a second",
        WAKE,
        "(OVER, OVER_AGAIN_S)",
        "(OVER, 0)",
        EARLY,
    ),
    row(
        "an end that the gate has still to hear of is lost for a minute",
        WAKE,
        " AND NOT c.warm_pending\n",
        "\n",
        OVER + "test_an_end_that_the_gate_has_not_heard_of_wakes_nobody_yet",
    ),
    row(
        "an end that Redis' clock has still to reach is lost for a minute",
        WAKE,
        "now() - interval '1 s')",
        "now())",
        WAKES + "test_redis_clock_may_be_a_second_behind[-0.999-0]",
    ),
    row(
        "what a closed shard keeps waiting waits for a minute",
        WAKE,
        "            self._woken[one] = min(again_at, asyncio.get_running_loop().time() + AGAIN_S)\n",
        "",
        WAKES + "test_a_closed_shard_keeps_nobody_waiting_for_long",
    ),
    row(
        "what the gate has forgotten is woken for ever",
        WAKE,
        "c.archived_at IS NULL AND ",
        "",
        OVER + "test_what_the_gate_has_forgotten_wakes_nobody",
    ),
    row("a step is not told that the product has ended", SETTLE, "head.status == CONFIG_ENDED or", "", TOLD),
    row(
        "a step is not told that the window has passed",
        SETTLE,
        " or now_ms >= head.ends --",
        " --",
        TOLD,
    ),
    row(
        "a group of a product that is over waits for its own time",
        "plugins/group_buy/step.lua",
        " and not click.over then",
        " then",
        OVER + "test_a_group_of_a_product_that_is_ended_fails_at_once",
    ),
    row(
        "a bargain of a product that is over waits for its own time",
        "plugins/bargain/step.lua",
        " and not click.over then",
        " then",
        OVER + "test_whatever_is_open_ends_with_its_product[BARGAIN-end]",
    ),
    row(
        "invitations to a product that is over wait for their own time",
        "plugins/referral/step.lua",
        " and not click.over then",
        " then",
        OVER + "test_whatever_is_open_ends_with_its_product[REFERRAL-end]",
    ),
    row(
        "a session of a product that is over waits for its own time",
        "plugins/flash_sale/step.lua",
        " and not click.over then",
        " then",
        OVER + "test_whatever_is_open_ends_with_its_product[FLASH_SALE-end]",
    ),
)
