"""A click: who gets what, once, and what holds on every sale."""

from tests.mutants.row import row

DECIDE = "scripts/lua/include/decide.lua"
RULES = "scripts/lua/include/rules.lua"

CATCHES_GATE = "tests/integration/gate/test_catches_gate.py::"
CONTRACT = "tests/lua/test_contract.py::"
GATE = "tests/lua/test_gate.py::"
KEEN_PEOPLE = "tests/plugins/test_keen_people.py::"
MODEL = "tests/lua/test_model.py::"
PEOPLE = "tests/lua/test_people.py::"
STEPS = "tests/lua/test_steps.py::"
VERY_MOMENTS = "tests/plugins/test_very_moments.py::"
WIRE = "tests/lua/test_wire.py::"

ROWS = (
    row(
        "a repeated request is decided anew",
        DECIDE,
        "  if seen then\n",
        "  if false then\n",
        CATCHES_GATE + "test_a_repeated_request_takes_nothing_and_hears_the_first_answer",
    ),
    row(
        "a requestId may be used again for something else",
        DECIDE,
        "    if seen[EFFECT_FINGERPRINT] ~= fingerprint then return REQUEST_ID_REUSED end\n",
        "",
        CATCHES_GATE + "test_the_same_request_with_another_body_is_refused",
    ),
    row(
        "a person may have more than the limit",
        RULES,
        "reserving and config.head.limit > 0 and units",
        "false and config.head.limit > 0 and units",
        CATCHES_GATE + "test_a_person_gets_no_more_than_the_limit",
    ),
    row(
        "the last unit is sold twice",
        RULES,
        "config.left < quantity or ",
        "",
        CATCHES_GATE + "test_the_last_unit_goes_to_one",
    ),
    row(
        "an action goes to the instance its person is bound to, not to the one clicked on",
        DECIDE,
        "verb == 'join' and config.mine[user]",
        "config.mine[user]",
        KEEN_PEOPLE + "test_whoever_follows_every_invitation_can_buy",
    ),
    row(
        "a person bound to an instance that is gone opens an empty one",
        DECIDE,
        " and config.cells[mine.at] and mine.at",
        " and mine.at",
        CONTRACT + "test_a_person_whose_place_is_gone_joins_where_they_click[standalone]",
    ),
    row(
        "an action is answered as if it had reserved something",
        DECIDE,
        "effect[EFFECT_STATE] == ACTION and DONE or RESERVED",
        "RESERVED",
        CONTRACT + "test_an_early_verb_works_before_the_start_and_no_other_does[standalone]",
    ),
    row(
        "the price that a step has lowered is not charged",
        DECIDE,
        "return refusal, changed, asked.price",
        "return refusal, changed, config.head.price",
        CONTRACT + "test_a_step_may_lower_the_price[standalone]",
    ),
    row(
        "three units cost what one does",
        DECIDE,
        "price * quantity,",
        "price,",
        GATE + "test_intents_say_what_an_order_needs[standalone]",
    ),
    row(
        "an instance that its step leaves as it is is not opened",
        DECIDE,
        "changed or verb == 'open' or",
        "changed or",
        CONTRACT + "test_a_person_with_a_place_joins_there[standalone]",
    ),
    row(
        "what a session has left is not written",
        DECIDE,
        " or (reserving and cells.left)",
        "",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "an action has a number of units",
        DECIDE,
        "reserving and quantity or 0",
        "quantity",
        WIRE + "test_actions_and_events_are_told_of_by_their_names[standalone]",
    ),
    row(
        "an action has a deadline for paying",
        DECIDE,
        "reserving and now_ms + hold_ttl_ms or 0",
        "now_ms + hold_ttl_ms",
        WIRE + "test_actions_and_events_are_told_of_by_their_names[standalone]",
    ),
    row(
        "an action takes units",
        DECIDE,
        "  if reserving then take_units(config, cells, quantity) end",
        "  take_units(config, cells, quantity)",
        STEPS + "test_an_action_changes_cells_and_holds_nothing[standalone]",
    ),
    row(
        "a step is told the address in the place of the device",
        DECIDE,
        "facts.newcomer, facts.device, facts.address",
        "facts.newcomer, facts.address, facts.device",
        CONTRACT + "test_facts_reach_the_step_that_asked_for_them[standalone]",
    ),
    row(
        "a person's click is forgotten after its batch",
        DECIDE,
        "  config.people_changed[user] = record\n",
        "",
        GATE + "test_a_repeated_click_gets_the_first_answer_and_changes_nothing[standalone]",
    ),
    row(
        "a replay is not called one",
        "scripts/lua/include/decide.lua",
        "return reply_of(seen, seen[EFFECT_STATE])",
        "return reply_of(seen, false)",
        "tests/lua/test_gate.py::test_a_repeated_click_gets_the_first_answer_and_changes_nothing[standalone]",
    ),
    row(
        "a step is told acts in the place of seats",
        DECIDE,
        "    seats = seats, acts = acts, instance",
        "    seats = acts, acts = seats, instance",
        MODEL + "test_the_gate_does_what_its_model_does",
    ),
    row(
        "a hold may be paid for twice as long as is said",
        DECIDE,
        "reserving and now_ms + hold_ttl_ms or 0",
        "reserving and now_ms + 2 * hold_ttl_ms or 0",
        GATE + "test_intents_say_what_an_order_needs[standalone]",
    ),
    row(
        "the order's row says another requestId",
        DECIDE,
        "click[CLICK_ORDER_ID], config.id, suffix, user, click[CLICK_REQUEST_ID], quantity",
        "click[CLICK_ORDER_ID], config.id, suffix, user, click[CLICK_ORDER_ID], quantity",
        GATE + "test_intents_say_what_an_order_needs[standalone]",
    ),
    row(
        "a playbook's early action is refused before the start",
        RULES,
        " and not config.early[verb]",
        "",
        CONTRACT + "test_an_early_verb_works_before_the_start_and_no_other_does[standalone]",
    ),
    row(
        "at its very start a sale has not begun",
        RULES,
        "now_ms < head.starts",
        "now_ms <= head.starts",
        KEEN_PEOPLE + "test_whoever_helps_everybody_can_buy",
    ),
    row(
        "at its very end a sale still goes on",
        RULES,
        "now_ms >= head.ends",
        "now_ms > head.ends",
        VERY_MOMENTS + "test_a_sale_ends",
    ),
    row(
        "a paused sale goes on selling",
        RULES,
        "head.status ~= CONFIG_PUBLISHED or not config.steps",
        "not config.steps",
        GATE + "test_a_config_not_on_sale_is_refused[standalone-2--10-60-17]",
    ),
    row(
        "a sale whose playbook is gone is not paused",
        RULES,
        "head.status ~= CONFIG_PUBLISHED or not config.steps",
        "head.status ~= CONFIG_PUBLISHED",
        CONTRACT + "test_a_config_whose_playbook_is_gone_is_paused[standalone]",
    ),
    row(
        "a sale that has ended is said to be paused",
        RULES,
        "head.status == CONFIG_ENDED or now_ms",
        "now_ms",
        GATE + "test_a_config_not_on_sale_is_refused[standalone-3--10-60-14]",
    ),
    row(
        "a paused sale whose time is over is said to be paused",
        RULES,
        "now_ms >= head.ends then return ENDED",
        "now_ms >= head.ends and head.status ~= CONFIG_PAUSED then return ENDED",
        GATE + "test_a_config_not_on_sale_is_refused[standalone-2--10--1-14]",
    ),
    row(
        "the last unit is never sold",
        RULES,
        "config.left < quantity or",
        "config.left <= quantity or",
        GATE + "test_the_last_unit_goes_to_exactly_one_of_fifty[standalone]",
    ),
    row(
        "a session's last unit is never sold",
        RULES,
        "cells.left < quantity))",
        "cells.left <= quantity))",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "a session sells more than its own stock",
        RULES,
        " or (cells and cells.left and cells.left < quantity)",
        "",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "a session's own stock does not get less",
        RULES,
        "  if cells.left then cells.left = cells.left - quantity end\n",
        "",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "a session's own stock does not come back",
        RULES,
        "  if cells and cells.left then cells.left = cells.left + quantity end\n",
        "",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "every process is told to wait though there was one unit left",
        RULES,
        "config.left == 0 then",
        "config.left <= 1 then",
        GATE + "test_units_back_in_a_sale_that_goes_on_are_sold_at_once[standalone]",
    ),
    row(
        "units that come back are sold at once",
        RULES,
        "    config.reopens_ms = now_ms + reopen_ms\n",
        "",
        GATE + "test_units_back_in_a_sold_out_sale_wait_until_every_process_knows[standalone]",
    ),
    row(
        "a reopening is written though it is switched off",
        RULES,
        "config.reopening = reopen_ms > 0",
        "config.reopening = true",
        "tests/gate/test_reopening.py",
        equivalent="`reopens` is then the present moment: from that very millisecond on nothing waits for it",
    ),
    row(
        "a person may have one effect too many",
        RULES,
        "#record - released >= person_effects_max",
        "#record - released > person_effects_max",
        WIRE + "test_a_batch_carries_the_settings[standalone]",
    ),
    row(
        "the limit itself is too much",
        RULES,
        "units + quantity > config.head.limit",
        "units + quantity >= config.head.limit",
        GATE + "test_nobody_exceeds_the_limit[standalone]",
    ),
    row(
        "actions count as units against the limit",
        RULES,
        "if reserving and config.head.limit > 0 and",
        "if config.head.limit > 0 and",
        CONTRACT + "test_an_action_needs_neither_stock_nor_room_under_the_limit[standalone]",
    ),
    row(
        "units that came back are sold a millisecond late",
        RULES,
        "now_ms < config.reopens_ms",
        "now_ms <= config.reopens_ms",
        "tests/plugins/test_very_moments.py::test_units_that_came_back_are_sold_again",
    ),
    row(
        "an action is refused when everything is sold out",
        RULES,
        "if reserving and (now_ms",
        "if (now_ms",
        CONTRACT + "test_an_action_needs_neither_stock_nor_room_under_the_limit[standalone]",
    ),
    row(
        "one joins an instance that is not there",
        RULES,
        "  elseif not config.cells[suffix] then\n    return INSTANCE_NOT_FOUND\n",
        ("  elseif not config.cells[suffix] and not INSTANCE_NOT_FOUND then\n    return INSTANCE_NOT_FOUND\n"),
        GATE + "test_unknown_things_are_refused[standalone]",
    ),
    row(
        "what is paid for does not count against the limit",
        RULES,
        "if state == HELD or state == PAID then",
        "if state == HELD then",
        GATE + "test_what_is_paid_for_counts_against_the_limit[standalone]",
    ),
    row(
        "the limit counts within one instance only",
        RULES,
        (
            "      units = units + effect[EFFECT_QUANTITY]\n"
            "      if effect[EFFECT_SUFFIX] == suffix then seats = seats + 1 end"
        ),
        (
            "      if effect[EFFECT_SUFFIX] == suffix then\n"
            "        units, seats = units + effect[EFFECT_QUANTITY], seats + 1\n      end"
        ),
        CONTRACT + "test_stock_and_limit_hold_for_late_payers_too[standalone]",
    ),
    row(
        "a step is told the seats of every instance",
        RULES,
        "if effect[EFFECT_SUFFIX] == suffix then seats = seats + 1 end",
        "seats = seats + 1",
        CONTRACT + "test_a_step_is_told_what_its_person_has_in_this_instance[standalone]",
    ),
    row(
        "a step is told the acts of every instance",
        RULES,
        "    elseif effect[EFFECT_SUFFIX] == suffix then\n      acts",
        "    else\n      acts",
        CONTRACT + "test_a_step_is_told_what_its_person_has_in_this_instance[standalone]",
    ),
    row(
        "what a person gave back counts against what is kept of them",
        RULES,
        "#record - released >= person_effects_max",
        "#record >= person_effects_max",
        "tests/lua/test_people.py::test_what_a_person_has_is_bounded",
    ),
    row(
        "there is no end to orders that are let go",
        RULES,
        "reserving and released >= PERSON_RELEASED_MAX",
        "reserving and released > PERSON_RELEASED_MAX",
        PEOPLE + "test_who_lets_go_of_everything_for_ever_is_given_nothing_more[standalone]",
    ),
    row(
        "who has let go of too many orders may not act any more",
        RULES,
        "if reserving and released >= PERSON_RELEASED_MAX",
        "if released >= PERSON_RELEASED_MAX",
        PEOPLE + "test_who_lets_go_of_everything_for_ever_is_given_nothing_more[standalone]",
    ),
    row(
        "who has let go of a handful of orders is given no further one",
        "engine/gate/records.py",
        "PERSON_RELEASED_MAX = 256",
        "PERSON_RELEASED_MAX = 8",
        PEOPLE + "test_who_has_changed_their_mind_often_can_still_act_on_what_they_pay_for[standalone]",
    ),
)
