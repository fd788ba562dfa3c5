"""What Postgres and the time decide, what Redis keeps, and what is written down and announced."""

from tests.mutants.row import row

SETTLE = "scripts/lua/include/settle.lua"
GATE = "scripts/lua/gate.lua"
RECORDS = "scripts/lua/include/records.lua"
WRITE = "scripts/lua/include/write.lua"
WARM = "scripts/lua/warm.lua"

CATCHES_GATE = "tests/integration/gate/test_catches_gate.py::"
CLOSED_SHARDS = "tests/gate/test_closed_shards.py::"
CONTRACT = "tests/lua/test_contract.py::"
LIMITS = "tests/gate/test_limits.py::"
LIVE = "tests/integration/live/test_live.py::"
PLAY_CONFIG_LIFE = "tests/integration/catalog/test_play_config_life.py::"
RECOVERY = "tests/integration/stream/test_recovery.py::"
STEPS = "tests/lua/test_steps.py::"
TESTS_OF_GATE = "tests/lua/test_gate.py::"
WIRE = "tests/lua/test_wire.py::"

ROWS = (
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
        STEPS + "test_a_failing_payment_step_is_told_again[standalone]",
    ),
    row(
        "a step is told that a paid order was paid before",
        SETTLE,
        "quantity, WAS[HELD], record)",
        "quantity, WAS[PAID], record)",
        CONTRACT + "test_a_step_is_told_what_its_person_has_in_this_instance[standalone]",
    ),
    row(
        "a step is told that a released order was only held",
        SETTLE,
        "WAS[effect[EFFECT_STATE]]\n",
        "WAS[HELD]\n",
        TESTS_OF_GATE + "test_a_release_after_a_payment_takes_the_progress_back[standalone]",
    ),
    row(
        "what a session gets back is not written",
        SETTLE,
        "  if cells and cells.left then config.cells_changed[suffix] = cells end\n  tell",
        "  tell",
        CONTRACT + "test_a_session_sells_no_more_than_its_own_stock[standalone]",
    ),
    row(
        "the step of a release counts the seat as still taken",
        SETTLE,
        (
            "  effect[EFFECT_STATE] = RELEASED -- the stock comes back whatever the step says\n"
            "  give_back(config, cells, quantity)\n"
            "  if cells and cells.left then config.cells_changed[suffix] = cells end\n"
            "  tell(config, EVENT_RELEASED, suffix, user, id, quantity, was, record)\n"
        ),
        (
            "  tell(config, EVENT_RELEASED, suffix, user, id, quantity, was, record)\n"
            "  effect[EFFECT_STATE] = RELEASED -- the stock comes back whatever the step says\n"
            "  give_back(config, cells, quantity)\n"
            "  if cells and cells.left then config.cells_changed[suffix] = cells end\n"
        ),
        CONTRACT + "test_a_step_is_told_what_its_person_has_in_this_instance[standalone]",
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
        "a late payer is on record where they were before",
        SETTLE,
        "effect[EFFECT_STATE], effect[EFFECT_SUFFIX] = PAID, suffix",
        "effect[EFFECT_STATE] = PAID",
        CONTRACT + "test_a_late_payer_may_lead_a_new_instance[standalone]",
    ),
    row(
        "a late payer is taken in after the end",
        SETTLE,
        " or now_ms >= head.ends then return ENDED end",
        " then return ENDED end",
        CONTRACT + "test_a_late_payer_is_taken_in_by_what_is_live_only",
    ),
    row(
        "a late payer is taken in by a sale that is paused",
        SETTLE,
        " or head.status ~= CONFIG_PUBLISHED or now_ms >= head.ends",
        " or now_ms >= head.ends",
        CONTRACT + "test_a_late_payer_is_taken_in_by_what_is_live_only",
    ),
    row(
        "a late payer may not reach the limit",
        SETTLE,
        "effect[EFFECT_QUANTITY] > head.limit",
        "effect[EFFECT_QUANTITY] >= head.limit",
        CONTRACT + "test_a_late_payer_may_have_all_that_one_person_may[standalone]",
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
        "a late payer whose playbook fails tries the next instance",
        SETTLE,
        "if outcome == DONE or outcome == PLAYBOOK_FAILED then break end",
        "if outcome == DONE then break end",
        CONTRACT + "test_a_late_payer_whose_playbook_fails_is_not_taken_further[standalone]",
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
        STEPS + "test_a_failing_payment_step_is_told_again[standalone]",
    ),
    row(
        "what an event did to a person's record is not written",
        SETTLE,
        "  if outcome == DONE then config.people_changed[user] = record end\n",
        "",
        TESTS_OF_GATE + "test_released_units_free_the_limit_and_the_stock[standalone]",
    ),
    row(
        "an order that Redis does not know is said to be released",
        SETTLE,
        "effect and effect[EFFECT_STATE] or -1",
        "effect and effect[EFFECT_STATE] or 0",
        TESTS_OF_GATE + "test_an_event_of_an_unknown_order_is_acknowledged[standalone]",
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
        "a field of the config can be joined like an instance",
        RECORDS,
        "wanted_fields = { head = true, left = true, reopens = true }",
        "wanted_fields = {}",
        LIMITS + "test_an_instance_that_is_none_hurts_nobody['head']",
    ),
    row(
        "a step may change the rules of a sale",
        RECORDS,
        "head.rules = read_only(head.rules)",
        "local _ = read_only",
        STEPS + "test_a_failing_step_changes_nothing_and_hurts_no_neighbour",
    ),
    row(
        "when units are sold again is not read",
        RECORDS,
        "tonumber(values[2]), tonumber(values[3] or 0)",
        "tonumber(values[2]), 0",
        TESTS_OF_GATE + "test_units_back_in_a_sold_out_sale_wait_until_every_process_knows[standalone]",
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
        TESTS_OF_GATE + "test_units_back_in_a_sold_out_sale_wait_until_every_process_knows[standalone]",
    ),
    row(
        "nobody is told that units moved",
        WRITE,
        "    changes[#changes + 1] = config.id\n",
        "",
        LIVE + "test_every_change_is_seen_whatever_a_refresh_reads_at_once",
    ),
    row(
        "nobody is told that an instance changed",
        WRITE,
        "    changes[#changes + 1] = config.id .. '.' .. suffix\n",
        "",
        TESTS_OF_GATE + "test_whatever_changes_is_announced_under_a_number_of_its_own[standalone]",
    ),
    row(
        "an instance's revision stays",
        WRITE,
        "    state.rev = state.rev + 1\n",
        "",
        TESTS_OF_GATE + "test_intents_say_what_an_order_needs[standalone]",
    ),
    row(
        "the revision of a person's cells stays",
        WRITE,
        "    mine.rev = (mine.rev or 0) + 1\n",
        "    mine.rev = mine.rev or 0\n",
        CONTRACT + "test_a_person_has_cells_of_their_own[standalone]",
    ),
    row(
        "what changes a person only is not written down",
        WRITE,
        "+ #instances + #people == 0",
        "+ #instances == 0",
        CONTRACT + "test_a_person_has_cells_of_their_own",
        equivalent="a person's cells change with a click or an event, and each of those is in the sum itself",
    ),
    row(
        "an action that changes nothing is not written down",
        WRITE,
        "#orders + #actions + #events",
        "#orders + #events",
        CONTRACT + "test_an_action_that_changes_nothing_has_a_row_all_the_same[standalone]",
    ),
    row(
        "intents say an epoch that is not the writer's",
        WRITE,
        "'e', epoch, 'p'",
        "'e', '1', 'p'",
        RECOVERY + "test_a_decision_that_redis_forgot_is_told_again",
    ),
    row(
        "the order of changes stands still",
        WRITE,
        "'ZINCRBY', key, 1, '!'",
        "'ZINCRBY', key, 0, '!'",
        LIVE + "test_every_change_is_seen_whatever_a_refresh_reads_at_once",
    ),
    row(
        "what a step draws can be foreseen",
        GATE,
        "person_effects_max, batch_seed = batch[BATCH_PERSON_EFFECTS_MAX], batch[BATCH_SEED]",
        "person_effects_max = batch[BATCH_PERSON_EFFECTS_MAX]",
        WIRE + "test_every_value_has_one_name_and_is_used",
    ),
    row(
        "a config that is told of again has all its stock again",
        WARM,
        "redis.call('HSETNX', KEYS[3], 'left', ARGV[4])",
        "redis.call('HSET', KEYS[3], 'left', ARGV[4])",
        PLAY_CONFIG_LIFE + "test_what_was_sold_stays_sold_when_the_head_is_renewed",
    ),
    row(
        "a session that is told of again begins anew",
        WARM,
        "redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1])",
        "redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])",
        TESTS_OF_GATE + "test_a_config_that_is_told_of_again_goes_on[standalone]",
    ),
    row(
        "nobody is told of a new session",
        WARM,
        "  redis.call('ZADD', KEYS[2], number, ARGV[2] .. '.' .. ARGV[i])\n",
        "",
        LIVE + "test_a_config_announced_before_its_row_can_be_seen_appears_with_it",
    ),
    row(
        "nobody is told of a new config",
        WARM,
        "redis.call('ZADD', KEYS[2], number, ARGV[2])\n",
        "",
        TESTS_OF_GATE + "test_whatever_changes_is_announced_under_a_number_of_its_own[standalone]",
    ),
    row(
        "a config reaches a shard that is closed",
        WARM,
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then",
        "if false then",
        CLOSED_SHARDS + "test_warming_a_closed_shard_changes_nothing",
    ),
    row(
        "a late payer is taken in at the very end of the sale",
        SETTLE,
        "head.status ~= CONFIG_PUBLISHED or now_ms >= head.ends then",
        "head.status ~= CONFIG_PUBLISHED or now_ms > head.ends then",
        "tests/plugins/test_very_moments.py::test_who_has_paid_late_is_taken_in_until_the_sale_ends",
    ),
    row(
        "a group goes on at the very end of its sale",
        SETTLE,
        "head.status == CONFIG_ENDED or now_ms >= head.ends",
        "head.status == CONFIG_ENDED or now_ms > head.ends",
        "tests/plugins/test_very_moments.py::test_a_group_that_nobody_can_complete_any_more_is_over_with_its_sale",
    ),
    row(
        "a late payer of two units needs one under the limit",
        SETTLE,
        "live(record, '') + effect[EFFECT_QUANTITY] > head.limit",
        "live(record, '') + 1 > head.limit",
        CONTRACT + "test_a_late_payer_of_two_units_needs_both[standalone]",
    ),
    row(
        "a late payer of two units needs one in stock",
        SETTLE,
        "if not has_units(config, cells, quantity) then return SOLD_OUT end",
        "if not has_units(config, cells, 1) then return SOLD_OUT end",
        CONTRACT + "test_a_late_payer_of_two_units_needs_both[standalone]",
    ),
)
