"""The bench measures what its rows say, or measures nothing."""

from tests.mutants.row import row

ANSWERS = "loadtests/bench/answers.py"
JOINS = "loadtests/bench/joins.py"
MEASURE = "loadtests/bench/measure.py"

CHECKS = "tests/unit/load/test_bench_checks.py::"

ROWS = (
    row(
        "the row of idle playbooks is of playbooks that nobody has loaded",
        "loadtests/bench/idle.py",
        "        check_loaded(crowded.subject.loaded() - stack.subject.loaded(), count)\n",
        "",
        CHECKS + "test_the_row_of_idle_playbooks_is_of_playbooks_that_are_loaded",
    ),
    row(
        "the row of reads is of a detail that is not found",
        ANSWERS,
        '        check_answers(target, CONNECTIONS, "200 -")\n',
        "",
        CHECKS + "test_the_row_of_reads_is_of_a_detail_that_is_there",
    ),
    row(
        "answers of a round are counted whatever they are",
        ANSWERS,
        "    check_alike(target, run, status)\n",
        "",
        CHECKS + "test_each_round_of_answers_is_looked_at",
    ),
    row(
        "a look at no answer at all finds them right",
        MEASURE,
        "if others or not run.answers:",
        "if others:",
        CHECKS + "test_every_answer_that_is_read_is_the_wanted_one",
    ),
    row(
        "a run with connections that broke is a measurement",
        MEASURE,
        "if run.broken or run.timeouts:",
        "if run.timeouts:",
        CHECKS + "test_a_run_with_an_answer_that_never_came_is_no_measurement",
    ),
    row(
        "a run with answers that never came is a measurement",
        MEASURE,
        "if run.broken or run.timeouts:",
        "if run.broken:",
        CHECKS + "test_a_run_with_an_answer_that_never_came_is_no_measurement",
    ),
    row(
        "a target that is just met is missed",
        MEASURE,
        "self.ratio >= self.target",
        "self.ratio > self.target",
        CHECKS + "test_a_target_that_is_just_met_is_reached",
    ),
    row(
        "refused joins are a measurement",
        JOINS,
        "if refused or not accepted",
        "if not accepted",
        CHECKS + "test_joins_that_redis_counts_otherwise_are_no_measurement",
    ),
    row(
        "any number of units may have been reserved beside the joins that were counted",
        JOINS,
        "accepted <= reserved <= accepted + 2 * in_flight",
        "accepted <= reserved",
        CHECKS + "test_joins_that_redis_counts_otherwise_are_no_measurement",
    ),
    row(
        "what was accepted need not be reserved",
        JOINS,
        "not accepted <= reserved <= accepted",
        "not reserved <= accepted",
        CHECKS + "test_joins_that_redis_counts_otherwise_are_no_measurement",
    ),
    row(
        "nothing is warm when the first round begins",
        JOINS,
        "[*sides.values()] * 2",
        "[*sides.values()] * 1",
        CHECKS + "test_both_sides_are_warm_before_anything_counts",
    ),
    row(
        "work that is handed to children costs nothing",
        "loadtests/bench/cpu.py",
        "fields[11:15]",
        "fields[11:13]",
        CHECKS + "test_cpu_time_of_children_that_were_waited_for_counts",
    ),
    row(
        "orders that never became rows are measured",
        "loadtests/bench/orders.py",
        "orders != stock - subject.left(config) or orders",
        "orders",
        CHECKS + "test_orders_that_are_counted_in_two_ways_are_no_measurement",
    ),
    row(
        "orders that took no units in Postgres are measured",
        "loadtests/bench/orders.py",
        " or orders != subject.reserved(config)",
        "",
        CHECKS + "test_orders_that_are_counted_in_two_ways_are_no_measurement",
    ),
    row(
        "orders that were acknowledged and lost are measured",
        "loadtests/bench/orders.py",
        ' or orders < run.good:\n        raise RuntimeError(\n            f"wrk saw {run.good} wins, Postgres',
        ':\n        raise RuntimeError(\n            f"wrk saw {run.good} wins, Postgres',
        CHECKS + "test_orders_that_are_counted_in_two_ways_are_no_measurement",
    ),
    row(
        "a target that nobody could judge looks as if there were none",
        "loadtests/bench/__main__.py",
        '"" if row.target is None else "not judged"',
        '""',
        CHECKS + "test_the_table_says_which_target_was_missed_and_which_nobody_can_judge",
    ),
    row(
        "a target that was missed looks reached",
        "loadtests/bench/__main__.py",
        'False: "missed"',
        'False: "reached"',
        CHECKS + "test_the_table_says_which_target_was_missed_and_which_nobody_can_judge",
    ),
)
