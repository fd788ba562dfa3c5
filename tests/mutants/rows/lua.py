"""The gate's Lua: who gets what, once; what steps may do; what is written."""

from tests.mutants.row import row

GATE = "scripts/lua/gate.lua"
DECIDE = "scripts/lua/include/decide.lua"
RECORDS = "scripts/lua/include/records.lua"
RULES = "scripts/lua/include/rules.lua"
SETTLE = "scripts/lua/include/settle.lua"
WRITE = "scripts/lua/include/write.lua"

CATCHES_GATE = "tests/integration/gate/test_catches_gate.py::"
CONTRACT = "tests/lua/test_contract.py::"
TEST_GATE = "tests/lua/test_gate.py::"
KEEN_PEOPLE = "tests/plugins/test_keen_people.py::"
MODEL = "tests/lua/test_model.py::"
PEOPLE = "tests/lua/test_people.py::"
TEST_STEPS = "tests/lua/test_steps.py::"
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
        "Redis gives a hold back twice",
        SETTLE,
        "kind == EVENT_RELEASED and (state == HELD or state == PAID)",
        "kind == EVENT_RELEASED",
        CATCHES_GATE + "test_a_hold_released_twice_gives_its_units_back_once",
    ),
    row(
        "a writer of an earlier epoch is obeyed",
        GATE,
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then",
        "if not redis.call('GET', KEYS[1]) then",
        CATCHES_GATE + "test_a_writer_of_an_earlier_epoch_changes_nothing",
    ),
    row(
        "an action goes to the instance its person is bound to, not to the one clicked on",
        DECIDE,
        "verb == 'join' and config.mine[user]",
        "config.mine[user]",
        KEEN_PEOPLE + "test_whoever_follows_every_invitation_can_buy",
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
        TEST_GATE + "test_intents_say_what_an_order_needs[standalone]",
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
        TEST_STEPS + "test_an_action_changes_cells_and_holds_nothing[standalone]",
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
        TEST_GATE + "test_a_repeated_click_gets_the_first_answer_and_changes_nothing[standalone]",
    ),
    row(
        "a replay is not called one",
        DECIDE,
        "return reply_of(seen, seen[EFFECT_STATE])",
        "return reply_of(seen, false)",
        TEST_GATE + "test_a_repeated_click_gets_the_first_answer_and_changes_nothing[standalone]",
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
        TEST_GATE + "test_intents_say_what_an_order_needs[standalone]",
    ),
    row(
        "the order's row says another requestId",
        DECIDE,
        "click[CLICK_ORDER_ID], config.id, suffix, user, click[CLICK_REQUEST_ID], quantity",
        "click[CLICK_ORDER_ID], config.id, suffix, user, click[CLICK_ORDER_ID], quantity",
        TEST_GATE + "test_intents_say_what_an_order_needs[standalone]",
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
        "a paused sale is said to have ended",
        RULES,
        "head.status == CONFIG_PAUSED or not config.steps",
        "not config.steps",
        TEST_GATE + "test_a_config_not_on_sale_is_refused[standalone-2--10-60-17]",
    ),
    row(
        "a sale whose playbook is gone is not paused",
        RULES,
        "head.status == CONFIG_PAUSED or not config.steps",
        "head.status == CONFIG_PAUSED",
        CONTRACT + "test_a_config_whose_playbook_is_gone_is_paused[standalone]",
    ),
    row(
        "a sale that has ended goes on selling",
        RULES,
        "head.status ~= CONFIG_PUBLISHED or now_ms",
        "now_ms",
        TEST_GATE + "test_a_config_not_on_sale_is_refused[standalone-3--10-60-14]",
    ),
    row(
        "the last unit is never sold",
        RULES,
        "config.left < quantity or",
        "config.left <= quantity or",
        TEST_GATE + "test_the_last_unit_goes_to_exactly_one_of_fifty[standalone]",
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
        TEST_GATE + "test_units_back_in_a_sale_that_goes_on_are_sold_at_once[standalone]",
    ),
    row(
        "units that come back are sold at once",
        RULES,
        "    config.reopens_ms = now_ms + reopen_ms\n",
        "",
        TEST_GATE + "test_units_back_in_a_sold_out_sale_wait_until_every_process_knows[standalone]",
    ),
    row(
        "a reopening is written though it is switched off",
        RULES,
        "config.reopening = reopen_ms > 0",
        "config.reopening = true",
        "tests/lua/test_gate.py",
        equivalent="`reopens` is then the present moment: from that very millisecond on nothing waits for it",
    ),
    row(
        "a person may have one effect too many",
        RULES,
        "#record - released >= person_effects_max",
        "#record - released > person_effects_max",
        PEOPLE + "test_what_a_person_has_is_bounded[standalone]",
    ),
    row(
        "what was let go counts against what a person may have",
        RULES,
        "#record - released >= person_effects_max",
        "#record >= person_effects_max",
        PEOPLE + "test_who_has_changed_their_mind_often_can_still_act_on_what_they_pay_for[standalone]",
    ),
    row(
        "there is no end to orders that are let go",
        RULES,
        "reserving and released >= PERSON_RELEASED_MAX",
        "reserving and released > PERSON_RELEASED_MAX",
        PEOPLE + "test_who_lets_go_of_everything_for_ever_is_given_nothing_more[standalone]",
    ),
    row(
        "the limit itself is too much",
        RULES,
        "units + quantity > config.head.limit",
        "units + quantity >= config.head.limit",
        TEST_GATE + "test_nobody_exceeds_the_limit[standalone]",
    ),
    row(
        "an instance is opened over one that is there",
        RULES,
        "    if config.cells[suffix] then return CONFLICT end",
        "    local _ = CONFLICT",
        "tests/lua/test_gate.py",
        equivalent=(
            "the suffix is half of a hash of the click's own id, so nobody can have it but the same "
            "click, which is replayed"
        ),
    ),
    row(
        "one joins an instance that is not there",
        RULES,
        "  elseif not config.cells[suffix] then\n    return INSTANCE_NOT_FOUND\n",
        "  elseif not config.cells[suffix] and not INSTANCE_NOT_FOUND then\n    return INSTANCE_NOT_FOUND\n",
        TEST_GATE + "test_unknown_things_are_refused[standalone]",
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
        "a deadline that did something says that it did not",
        SETTLE,
        "(config.cells_changed[suffix] and DONE or UNCHANGED)",
        "(config.cells_changed[suffix] and UNCHANGED or DONE)",
        CONTRACT + "test_a_deadline_that_promises_must_leave_a_trace[standalone]",
    ),
    row(
        "a payment that the playbook refuses counts as paid",
        SETTLE,
        "  if refusal then return refusal end\n  effect[EFFECT_STATE] = PAID\n",
        "  effect[EFFECT_STATE] = PAID\n",
        TEST_STEPS + "test_a_failing_payment_step_is_told_again[standalone]",
    ),
    row(
        "a step is told that a released order was only held",
        SETTLE,
        "WAS[effect[EFFECT_STATE]]\n",
        "WAS[HELD]\n",
        TEST_GATE + "test_a_release_after_a_payment_takes_the_progress_back[standalone]",
    ),
    row(
        "what a session gets back is not written",
        SETTLE,
        "  if cells and cells.left then config.cells_changed[suffix] = cells end\n  tell",
        "  tell",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "a late payer gets an instance of any name",
        SETTLE,
        "local fresh = not cells and suffix == string.sub(id, KEY_LENGTH + 1)",
        "local fresh = not cells",
        CONTRACT + "test_a_late_payer_goes_to_the_first_place_that_takes_them[standalone]",
    ),
    row(
        "a late payer gets a unit that is sold",
        SETTLE,
        "  if not has_units(config, cells, quantity) then return SOLD_OUT end\n",
        "  local _ = has_units and SOLD_OUT\n",
        CONTRACT + "test_stock_and_limit_hold_for_late_payers_too[standalone]",
    ),
    row(
        "a late payer's unit is sold once more",
        SETTLE,
        "  take_units(config, cells, quantity)\n  effect[EFFECT_STATE]",
        "  local _ = take_units\n  effect[EFFECT_STATE]",
        CONTRACT + "test_a_late_payer_goes_to_the_first_place_that_takes_them[standalone]",
    ),
    row(
        "a late payer may exceed the limit",
        SETTLE,
        (
            "  if head.limit > 0 and live(record, '') + effect[EFFECT_QUANTITY] > head.limit then "
            "return LIMIT_REACHED end\n"
        ),
        "  local _ = LIMIT_REACHED\n",
        CONTRACT + "test_stock_and_limit_hold_for_late_payers_too[standalone]",
    ),
    row(
        "a late payer is taken in by every instance",
        SETTLE,
        "if outcome == DONE or outcome == PLAYBOOK_FAILED then break end",
        "if outcome == PLAYBOOK_FAILED then break end",
        CONTRACT + "test_a_late_payer_goes_to_the_first_place_that_takes_them[standalone]",
    ),
    row(
        "the release of a hold takes a late payer's new seat",
        SETTLE,
        "kind == EVENT_RELEASED and extra == HELD and state == PAID",
        "kind == EVENT_RELEASED and extra == ACTION and state == PAID",
        CONTRACT + "test_a_release_that_is_late_itself_does_not_empty_the_new_seat[standalone-s1]",
    ),
    row(
        "a payer who has a seat gets another one",
        SETTLE,
        "kind == EVENT_LATE and state == RELEASED",
        "kind == EVENT_LATE",
        CONTRACT + "test_a_late_payer_goes_to_the_first_place_that_takes_them[standalone]",
    ),
    row(
        "events of a playbook that is gone count as done",
        SETTLE,
        "  if effect and not config.steps then return PLAYBOOK_FAILED end",
        "  if effect and not config.steps then return UNCHANGED end",
        CONTRACT + "test_a_config_whose_playbook_is_gone_is_paused[standalone]",
    ),
    row(
        "an event whose step failed is not sent again",
        SETTLE,
        "  if outcome == PLAYBOOK_FAILED then return outcome end",
        "  local _ = PLAYBOOK_FAILED",
        TEST_STEPS + "test_a_failing_payment_step_is_told_again[standalone]",
    ),
    row(
        "what an event did to a person's record is not written",
        SETTLE,
        "  if outcome == DONE then config.people_changed[user] = record end\n",
        "",
        TEST_GATE + "test_released_units_free_the_limit_and_the_stock[standalone]",
    ),
    row(
        "an order that Redis does not know is said to be released",
        SETTLE,
        "effect and effect[EFFECT_STATE] or -1",
        "effect and effect[EFFECT_STATE] or 0",
        TEST_GATE + "test_an_event_of_an_unknown_order_is_acknowledged[standalone]",
    ),
    row(
        "a late payer is offered one instance only",
        RECORDS,
        "CANDIDATES_MAX = 8",
        "CANDIDATES_MAX = 1",
        CONTRACT + "test_a_late_payer_goes_to_the_first_place_that_takes_them[standalone]",
    ),
    row(
        "the instance a person is bound to is not read",
        RECORDS,
        "      if mine.at then want(config.fields, config.wanted_fields, mine.at) end\n",
        "",
        CONTRACT + "test_a_person_with_a_place_joins_there[standalone]",
    ),
    row(
        "when units are sold again is not read",
        RECORDS,
        "tonumber(values[2]), tonumber(values[3] or 0)",
        "tonumber(values[2]), 0",
        TEST_GATE + "test_units_back_in_a_sold_out_sale_wait_until_every_process_knows[standalone]",
    ),
    row(
        "a person's own cells are lost with their next click",
        RECORDS,
        "  if mine then table.insert(record, 1, mine) end\n",
        "  local _ = mine\n",
        CONTRACT + "test_a_person_has_cells_of_their_own[standalone]",
    ),
    row(
        "when units are sold again is not written",
        WRITE,
        "if config.reopening then",
        "if false then",
        TEST_GATE + "test_units_back_in_a_sold_out_sale_wait_until_every_process_knows[standalone]",
    ),
    row(
        "an instance's revision stays",
        WRITE,
        "    state.rev = state.rev + 1\n",
        "",
        TEST_GATE + "test_intents_say_what_an_order_needs[standalone]",
    ),
    row(
        "what changes a person only is not written down",
        WRITE,
        "+ #instances + #people == 0",
        "+ #instances == 0",
        "tests/lua/test_gate.py",
        equivalent="a person's cells change with a click or an event, and each of those is in the sum itself",
    ),
)
