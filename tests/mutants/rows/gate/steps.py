"""What runs a playbook's step, and what a step may do."""

from tests.mutants.row import row

FAILURES = "engine/gate/failures.py"
STEPS = "scripts/lua/include/steps.lua"

CONTRACT = "tests/lua/test_contract.py::"
GATE = "tests/lua/test_gate.py::"
SELDOM = "tests/unit/stream/test_seldom_lines.py::"
TESTS_OF_STEPS = "tests/lua/test_steps.py::"

ROWS = (
    row(
        "two steps of one batch draw the same numbers",
        STEPS,
        "steps_run, random_state, promised = steps_run + 1, nil, nil",
        "random_state, promised = nil, nil",
        CONTRACT + "test_draws_are_numbers_from_one_to_n[standalone]",
    ),
    row(
        "what a failed step promised is kept by the next",
        STEPS,
        "steps_run, random_state, promised = steps_run + 1, nil, nil",
        "steps_run, random_state = steps_run + 1, nil",
        CONTRACT + "test_a_promise_is_the_clicks_whatever_the_step_writes_on_it[standalone-{}]",
    ),
    row(
        "a deadline that changes nothing may promise for ever",
        "scripts/lua/include/steps.lua",
        "    if id == '' and not changed then\n",
        "    if false then\n",
        "tests/lua/test_contract.py::test_a_deadline_that_promises_must_leave_a_trace[standalone]",
    ),
    row(
        "a reward's days are hours",
        STEPS,
        "(what.days or 0) * DAY_MS",
        "(what.days or 0) * DAY_MS / 24",
        CONTRACT + "test_promises_become_intents_of_the_click_that_made_them[standalone]",
    ),
    row(
        "a step may give things away",
        STEPS,
        "click.price == price or is_whole(click.price, 1, price)",
        "click.price == price or is_whole(click.price, 0, price)",
        CONTRACT + "test_a_step_may_set_no_other_price[standalone-0]",
    ),
    row(
        "a step may raise the price",
        STEPS,
        "is_whole(click.price, 1, price)",
        "is_whole(click.price, 1, 2 * price)",
        CONTRACT + "test_a_step_may_set_no_other_price",
    ),
    row(
        "a step may move an instance as it likes",
        STEPS,
        "    assert(allowed and allowed[after],",
        "    assert(allowed or after,",
        TESTS_OF_STEPS + "test_a_failing_step_changes_nothing_and_hurts_no_neighbour",
    ),
    row(
        "two deadlines of an instance promise the same thing",
        STEPS,
        ".. ':' .. rev + 1",
        "",
        CONTRACT + "test_a_deadline_that_promises_must_leave_a_trace[standalone]",
    ),
    row(
        "a promise is booked on whatever the step wrote on its click",
        STEPS,
        "    keep_promises(config, verb, instance, id, cells.rev)",
        "    keep_promises(config, click.verb, click.instance, id, cells.rev)",
        CONTRACT + "test_a_promise_is_the_clicks_whatever_the_step_writes_on_it[standalone-{}]",
    ),
    row(
        "a step may write the stock of its session",
        STEPS,
        "    assert(name ~= 'left', 'cell left belongs to the engine')\n",
        "",
        CONTRACT + "test_a_step_may_not_write_what_the_engine_counts[standalone]",
    ),
    row(
        "a step may set the revision of its instance",
        STEPS,
        "  assert(name ~= 'rev', 'cell rev belongs to the engine')\n",
        "",
        TESTS_OF_STEPS + "test_a_failing_step_changes_nothing_and_hurts_no_neighbour",
    ),
    row(
        "a step may answer whatever it likes",
        STEPS,
        "  assert(step_refusals[answer], 'a step may not answer ' .. tostring(answer))\n",
        "",
        TESTS_OF_STEPS + "test_a_failing_step_changes_nothing_and_hurts_no_neighbour",
    ),
    row(
        "a draw may be 0",
        STEPS,
        "return 1 + math.floor(random_state",
        "return math.floor(random_state",
        CONTRACT + "test_draws_are_numbers_from_one_to_n[standalone]",
    ),
    row(
        "a step may promise as much as it likes",
        STEPS,
        "  assert(#promised < PROMISES_MAX, 'too many promises')\n",
        "",
        CONTRACT + "test_a_promise_that_cannot_be_kept_fails_its_click",
    ),
    row(
        "one click's change of a list in the rules is seen by the next",
        STEPS,
        "if copied_in ~= steps_run then copies, copied_in = {}, steps_run end",
        "if not copies then copies = {} end",
        TESTS_OF_STEPS + "test_what_a_step_does_to_a_list_among_its_rules_is_its_own_business[standalone]",
    ),
    row(
        "a step that fails leaves traces",
        STEPS,
        "setmetatable({}, through)\nend",
        "base\nend",
        GATE + "test_the_last_unit_goes_to_exactly_one_of_fifty[standalone]",
    ),
    row(
        "what a step keeps of a person is lost",
        STEPS,
        "      config.mine_changed[user] = true\n",
        "",
        CONTRACT + "test_a_person_has_cells_of_their_own[standalone]",
    ),
    row(
        "a crowd that meets one bug writes a line each",
        FAILURES,
        "            if self._silent_until.get(key, now) > now:\n                continue\n",
        "",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "what a crowd met is counted anew with each batch",
        FAILURES,
        "self._count.get(key, 0) + times",
        "times",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "of a batch in which a step fails for many one is counted",
        FAILURES,
        "self._count.get(key, 0) + times",
        "self._count.get(key, 0) + 1",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "each line says how often a step has failed since the beginning",
        FAILURES,
        "self._count.pop(key)",
        "self._count[key]",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "a step that fails hides the others of its playbook",
        FAILURES,
        "            key = code, step\n",
        '            key = code, ""\n',
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "a step that goes on failing is a line once",
        FAILURES,
        "self._silent_until[key] = now + SAY_EVERY_S",
        "self._silent_until[key] = now + 10 * SAY_EVERY_S",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "a stranger's error writes lines of its own into the log",
        FAILURES,
        'char if char.isprintable() else " "',
        "char",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
    row(
        "a stranger's error is logged as it travelled",
        FAILURES,
        "for char in unquote(why))",
        "for char in why)",
        SELDOM + "test_a_step_that_fails_is_a_line_in_ten_seconds",
    ),
)
