"""Who is a newcomer when they pay: several orders held at once, one is kept."""

from tests.mutants.row import row

CONSEQUENCES = "engine/runtime/consequences.py"
CONSULT = "engine/playbooks/consult.py"
NEWCOMERS = "engine/admission/newcomers.py"
PAYMENTS = "engine/money/payments.py"

PAY = "tests/integration/money/test_newcomers_pay.py::"
THREE_GROUPS = PAY + "test_three_groups_for_newcomers_and_one_newcomer"
VERBS = PAY + "test_the_rule_is_about_verbs"

ROWS = (
    row(
        "two payments of one newcomer that land at once are both kept",
        NEWCOMERS,
        "    await connection.execute(LOCK_PERSON, PERSON_LOCKS, user)\n",
        "",
        PAY + "test_payments_that_land_at_once",
    ),
    row(
        "payments of everybody wait for one another",
        NEWCOMERS,
        "pg_advisory_xact_lock($1, hashtext($2))",
        "pg_advisory_xact_lock($1, length(left($2, 0)))",
        PAY + "test_nobody_waits_for_somebody_elses_payment",
    ),
    row(
        "who waits for a seat is a newcomer a second time",
        NEWCOMERS,
        "(status = 'PAID' OR seat_asked)",
        "status = 'PAID'",
        PAY + "test_who_is_paid_for_and_waits_for_a_seat_has_used_their_right",
    ),
    row(
        "an order that was not paid makes a veteran of who pays another",
        NEWCOMERS,
        "(status = 'PAID' OR seat_asked)",
        "(status <> 'HELD' OR seat_asked)",
        PAY + "test_only_another_paid_order_makes_a_veteran[EXPIRED-True]",
    ),
    row(
        "an order that is held makes a veteran of who pays another",
        NEWCOMERS,
        "(status = 'PAID' OR seat_asked)",
        "(status IN ('PAID', 'HELD') OR seat_asked)",
        PAY + "test_only_another_paid_order_makes_a_veteran[HELD-True]",
    ),
    row(
        "somebody else's paid order makes a veteran of who pays",
        NEWCOMERS,
        "user_id = $1 AND id <> $2 AND",
        "$1::text IS NOT NULL AND id <> $2 AND",
        PAY + "test_somebody_elses_paid_order_makes_nobody_a_veteran",
    ),
    row(
        "three orders are paid as a newcomer's",
        PAYMENTS,
        "return PAY if await self._may_have_it(connection, order) else REFUSE",
        "return PAY",
        THREE_GROUPS,
    ),
    row(
        "a late payer is a newcomer a second time",
        PAYMENTS,
        "seat = await self._reseats(connection, order) and await self._may_have_it(connection, order)",
        "seat = await self._reseats(connection, order)",
        PAY + "test_a_late_payer_who_is_no_newcomer_any_more_gets_no_new_seat",
    ),
    row(
        "every order of a config with a rule about newcomers is for newcomers",
        PAYMENTS,
        ' or await self._verb_of(connection, order) not in order["newcomer_verbs"]:',
        ":",
        PAY + "test_who_opens_a_group_may_be_anybody",
    ),
    row(
        "who opens is judged as who joins",
        PAYMENTS,
        '            return "open"\n',
        '            return "join"\n',
        VERBS + "[verbs2-open--False]",
    ),
    row(
        "a playbook's own action is judged as a join",
        PAYMENTS,
        '            if ids.fingerprint(verb, suffix, order["quantity"]) == order["fingerprint"]:\n'
        "                return verb\n",
        "            continue\n",
        VERBS + "[verbs5-claim-s1-True]",
    ),
    row(
        "any order may be that of a playbook's own action",
        PAYMENTS,
        '            if ids.fingerprint(verb, suffix, order["quantity"]) == order["fingerprint"]:\n',
        "            if verb:\n",
        VERBS + "[verbs0-join-s1-True]",
    ),
    row(
        "the group hears of a payment that is refused",
        CONSEQUENCES,
        "moves.REFUSE: (stock.give_back, rewards.void_refunded, gate_events.tell_released,",
        "moves.REFUSE: (stock.give_back, rewards.void_refunded, gate_events.tell_paid, gate_events.tell_released,",
        PAY + "test_the_group_never_hears_that_they_paid",
    ),
    row(
        "a newcomer who is refused keeps the unit",
        CONSEQUENCES,
        "moves.REFUSE: (stock.give_back, ",
        "moves.REFUSE: (",
        THREE_GROUPS,
    ),
    row(
        "the seat of a newcomer who is refused stays taken",
        CONSEQUENCES,
        "moves.REFUSE: (stock.give_back, rewards.void_refunded, gate_events.tell_released,",
        "moves.REFUSE: (stock.give_back, rewards.void_refunded,",
        THREE_GROUPS,
    ),
    row(
        "a newcomer who is refused is not owed their money",
        CONSEQUENCES,
        "moves.REFUSE: (stock.give_back, rewards.void_refunded, gate_events.tell_released, refunds.open_whole)",
        "moves.REFUSE: (stock.give_back, rewards.void_refunded, gate_events.tell_released)",
        PAY + "test_the_history_says_why",
    ),
    row(
        "the rewards of a newcomer who is refused stay",
        CONSEQUENCES,
        "moves.REFUSE: (stock.give_back, rewards.void_refunded, ",
        "moves.REFUSE: (stock.give_back, ",
        PAY + "test_the_rewards_of_a_refused_order_are_void",
    ),
    row(
        "the rule about newcomers is not kept at a publication",
        CONSULT,
        "asks_of(playbook, rules), newcomer_verbs_of(playbook, rules))",
        "asks_of(playbook, rules), [])",
        THREE_GROUPS,
    ),
)
