"""The referral: its steps and rules."""

from tests.mutants.row import row

REFERRAL = "plugins/referral/step.lua"
REFERRAL_RULES = "plugins/referral/rules.py"
REFERRAL_RULES_TESTS = "tests/plugins/test_referral_rules.py::"
REFERRAL_TESTS = "tests/plugins/test_referral.py::"

ROWS = (
    row(
        "one opens invitations twice",
        REFERRAL,
        "  if me.opened then return LIMIT_REACHED end\n",
        "",
        REFERRAL_TESTS + "test_one_person_has_one_referral",
    ),
    row(
        "who invites is invited",
        REFERRAL,
        "if me.opened or me.counted then return NOT_ELIGIBLE end",
        "if me.counted then return NOT_ELIGIBLE end",
        REFERRAL_TESTS + "test_nobody_accepts_their_own_invitation",
    ),
    row(
        "who has bought is invited",
        REFERRAL,
        "if me.opened or me.counted then return NOT_ELIGIBLE end",
        "if me.opened then return NOT_ELIGIBLE end",
        REFERRAL_TESTS + "test_a_person_counts_once",
    ),
    row(
        "veterans are invited where only newcomers may be",
        REFERRAL,
        "  if rules.newcomersOnly and not click.newcomer then return NOT_ELIGIBLE end\n",
        "",
        REFERRAL_TESTS + "test_only_newcomers_are_bound_where_the_rules_say_so",
    ),
    row(
        "the first to invite loses to the last",
        REFERRAL,
        "if bound and (rules.touch == 'first' or me.at == click.instance)",
        "if bound and me.at == click.instance",
        REFERRAL_TESTS + "test_a_second_invitation[first-15-0]",
    ),
    row(
        "a binding holds for ever",
        REFERRAL,
        "local bound = me.at and click.now < me.boundUntil",
        "local bound = me.at",
        REFERRAL_TESTS + "test_a_binding_that_is_over_makes_room_for_the_next",
    ),
    row(
        "an order counts after its binding is over",
        REFERRAL,
        "local bound = me.at == click.instance and click.now < me.boundUntil",
        "local bound = me.at == click.instance",
        REFERRAL_TESTS + "test_what_counts_for_nobody[too_late]",
    ),
    row(
        "an order counts twice",
        REFERRAL,
        "  if not claimed or me.counted then return end\n",
        "  if not claimed then return end\n",
        REFERRAL_TESTS + "test_a_person_counts_once",
    ),
    row(
        "an order that nobody brought counts",
        REFERRAL,
        "  if not claimed or me.counted then return end\n",
        "  if me.counted then return end\n",
        REFERRAL_TESTS + "test_what_counts_for_nobody[unbound]",
    ),
    row(
        "veterans count as brought",
        REFERRAL,
        "  if me.new then cells.brought = cells.brought + 1 end\n",
        "  cells.brought = cells.brought + 1\n",
        REFERRAL_TESTS + "test_brought_are_only_the_new",
    ),
    row(
        "what is paid back stays converted",
        REFERRAL,
        "  cells.converted = cells.converted - 1\n",
        "",
        REFERRAL_TESTS + "test_an_order_that_is_paid_back_no_longer_counts",
    ),
    row(
        "a device is covered up by a later one",
        REFERRAL,
        "if not me.device and click.device",
        "if click.device",
        REFERRAL_TESTS + "test_where_somebody_came_from_is_kept_and_cannot_be_covered_up",
    ),
    row(
        "a reward of nothing is promised",
        REFERRAL,
        "  if amount < 1 then return end\n",
        "  if amount < 0 then return end\n",
        REFERRAL_TESTS + "test_a_reward_of_nothing_is_not_promised",
    ),
    row(
        "the friend gets the referrer's reward",
        REFERRAL,
        "promise(click, rules, click.user, 'invitee')",
        "promise(click, rules, click.user, 'referrer')",
        REFERRAL_TESTS + "test_a_paid_order_of_a_guest_earns_both_sides_something",
    ),
    row(
        "the refund window is not waited for",
        REFERRAL,
        "amount = amount, days = rules.refundDays })",
        "amount = amount })",
        REFERRAL_TESTS + "test_a_paid_order_of_a_guest_earns_both_sides_something",
    ),
    row(
        "invitations end before their time",
        REFERRAL,
        "cells.status == FAILED or click.now < cells.endsAt then return end",
        "cells.status == FAILED then return end",
        REFERRAL_TESTS + "test_a_deadline_that_comes_early_or_after_success_changes_nothing",
    ),
    row(
        "rewards may be worth the price",
        REFERRAL_RULES,
        "if total >= offer.price_fen:",
        "if total > offer.price_fen:",
        REFERRAL_RULES_TESTS + "test_rewards_in_money_stay_below_the_price",
    ),
    row(
        "an amount of fen becomes as many units",
        REFERRAL_RULES,
        'if kind == "ASSET" and amount > UNITS_MAX:',
        'if kind == "ASSET" and amount > 1000 * UNITS_MAX:',
        REFERRAL_RULES_TESTS + "test_an_amount_of_fen_is_no_number_of_units",
    ),
    row(
        "devices are not asked for where there is something to cheat for",
        REFERRAL_RULES,
        "(Fact.NEWCOMER, Fact.DEVICE, Fact.ADDRESS) if",
        "(Fact.NEWCOMER, Fact.ADDRESS) if",
        REFERRAL_RULES_TESTS + "test_who_is_new_is_always_asked_and_the_rest_where_there_is_a_reward",
    ),
)
