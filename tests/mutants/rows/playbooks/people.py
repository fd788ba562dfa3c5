"""The bargain and the referral."""

from tests.mutants.row import row

BARGAIN = "plugins/bargain/step.lua"
BARGAIN_RULES = "plugins/bargain/rules.py"
REFERRAL = "plugins/referral/step.lua"
REFERRAL_RULES = "plugins/referral/rules.py"
REFERRAL_METRICS = "plugins/referral/metrics.py"

BARGAIN_CUTS = "tests/plugins/test_bargain_cuts.py::"
EVERY_PLAYBOOK = "tests/plugins/test_every_playbook.py::"
KEEN_PEOPLE = "tests/plugins/test_keen_people.py::"
TESTS_OF_BARGAIN = "tests/plugins/test_bargain.py::"
TESTS_OF_REFERRAL = "tests/plugins/test_referral.py::"
TESTS_OF_REFERRAL_RULES = "tests/plugins/test_referral_rules.py::"
VERY_MOMENTS = "tests/plugins/test_very_moments.py::"

ROWS = (
    row(
        "cuts do not add up to the gap",
        BARGAIN,
        "    shares[i] = total > 0 and math.ceil(",
        "    shares[i] = total > 0 and math.floor(",
        TESTS_OF_BARGAIN + "test_the_cuts_are_drawn_when_it_is_opened[even-990-4-3,3,2,2]",
    ),
    row(
        "a cut may be nothing",
        BARGAIN,
        "  for i = 1, helpers do cuts[i] = cuts[i] + 1 end -- each cut is at least a fen\n",
        "",
        TESTS_OF_BARGAIN + "test_the_cuts_are_drawn_when_it_is_opened[even-700-3-100,100,100]",
    ),
    row(
        "random cuts are larger than half",
        BARGAIN,
        "(1999 + random(click, 3001)) / 10000",
        "(1999 + random(click, 5001)) / 10000",
        BARGAIN_CUTS + "test_the_cuts_are_as_many_as_the_helpers_and_make_up_the_difference",
    ),
    row(
        "random cuts are smaller than a fifth",
        BARGAIN,
        "(1999 + random(click, 3001)) / 10000",
        "(999 + random(click, 3001)) / 10000",
        BARGAIN_CUTS + "test_the_cuts_are_as_many_as_the_helpers_and_make_up_the_difference",
    ),
    row(
        "the owner cuts",
        BARGAIN,
        "  if click.user == cells.owner then return NOT_ELIGIBLE end\n",
        "",
        TESTS_OF_BARGAIN + "test_nobody_cuts_their_own",
    ),
    row(
        "a helper cuts twice",
        BARGAIN,
        "  if click.acts > 0 then return LIMIT_REACHED end -- one cut a bargain\n",
        "",
        TESTS_OF_BARGAIN + "test_a_friend_cuts_once_a_bargain",
    ),
    row(
        "a helper cuts once more a day",
        BARGAIN,
        "if cuts_today >= rules.cutsPerDay or",
        "if cuts_today > rules.cutsPerDay or",
        TESTS_OF_BARGAIN + "test_a_friend_cuts_so_often_a_day",
    ),
    row(
        "a day of cuts begins at midnight in London",
        BARGAIN,
        "math.floor((click.now + CHINA_MS) / DAY_MS)",
        "math.floor(click.now / DAY_MS)",
        VERY_MOMENTS + "test_a_day_of_cuts_is_one_in_china",
    ),
    row(
        "a new day's cuts count on from the day before",
        BARGAIN,
        "me.day == today and me.cutsToday or 0",
        "me.cutsToday or 0",
        TESTS_OF_BARGAIN + "test_tomorrow_a_friend_may_cut_again",
    ),
    row(
        "a bonus takes more than later cuts have",
        BARGAIN,
        "math.min(math.floor(cut * percent / 100), room)",
        "math.floor(cut * percent / 100)",
        TESTS_OF_BARGAIN + "test_a_newcomer_cuts_more_and_the_others_pay_for_it",
    ),
    row(
        "anybody buys somebody's bargain",
        BARGAIN,
        "  if click.user ~= cells.owner then return NOT_ELIGIBLE end\n",
        "",
        TESTS_OF_BARGAIN + "test_only_the_owner_buys",
    ),
    row(
        "a bargain is bought before its floor though its store forbids it",
        BARGAIN,
        "  if cells.current < cells.target and not rules.buyBeforeFloor then return NOT_STARTED end\n",
        "",
        TESTS_OF_BARGAIN + "test_where_the_rules_say_so_the_floor_comes_first",
    ),
    row(
        "a bargain is bought twice",
        BARGAIN,
        "if cells.buying or click.quantity > 1 then",
        "if click.quantity > 1 then",
        TESTS_OF_BARGAIN + "test_one_bargain_sells_one_unit",
    ),
    row(
        "a bargain sells two units",
        BARGAIN,
        "if cells.buying or click.quantity > 1 then",
        "if cells.buying then",
        TESTS_OF_BARGAIN + "test_one_bargain_sells_one_unit",
    ),
    row(
        "a bargain costs its full price",
        BARGAIN,
        "  click.price = cells.priceFen\n",
        "",
        TESTS_OF_BARGAIN + "test_the_owner_buys_at_the_price_there_is",
    ),
    row(
        "a bargain that is being bought fails at its deadline",
        BARGAIN,
        "if not cells.buying then cells.status = FAILED end",
        "cells.status = FAILED",
        TESTS_OF_BARGAIN + "test_at_the_end_a_bargain_waits_for_the_order_that_is_to_be_paid",
    ),
    row(
        "a bargain that was given back cannot be bought",
        BARGAIN,
        "bought is bought, even if it is paid back\n  cells.buying = false\n",
        "bought is bought, even if it is paid back\n",
        TESTS_OF_BARGAIN + "test_an_order_given_back_may_be_made_again_at_the_price_of_then",
    ),
    row(
        "the last cut leaves no time to buy",
        BARGAIN,
        "    cells.endsAt = click.now + rules.payMinutes * MINUTE_MS\n",
        "",
        TESTS_OF_BARGAIN + "test_the_time_is_counted_from_the_opening_and_then_from_the_last_cut",
    ),
    row(
        "one opens a bargain more than allowed",
        BARGAIN,
        "(me.bargains or 0) >= rules.bargainsPerPerson",
        "(me.bargains or 0) > rules.bargainsPerPerson",
        TESTS_OF_BARGAIN + "test_a_person_opens_as_many_as_the_rules_allow",
    ),
    row(
        "a person who helps a lot cannot buy",
        BARGAIN,
        "(me.bargains or 0) + (me.cuts or 0) >= FREE_MAX",
        "(me.bargains or 0) + (me.cuts or 0) >= 100 * FREE_MAX",
        KEEN_PEOPLE + "test_whoever_helps_everybody_can_buy",
    ),
    row(
        "a bargain may have more cuts than fen",
        BARGAIN_RULES,
        "elif rules.helpers > gap:",
        "elif rules.helpers > gap + 1:",
        TESTS_OF_BARGAIN + "test_the_price_leaves_room_for_every_cut",
    ),
    row(
        "a floor may be the price",
        BARGAIN_RULES,
        "if gap <= 0:",
        "if gap < 0:",
        TESTS_OF_BARGAIN + "test_the_price_leaves_room_for_every_cut",
    ),
    row(
        "one opens invitations twice",
        REFERRAL,
        "  if me.opened then return LIMIT_REACHED end\n",
        "",
        TESTS_OF_REFERRAL + "test_one_person_has_one_referral",
    ),
    row(
        "who invites is invited",
        REFERRAL,
        "if me.opened or me.counted then return NOT_ELIGIBLE end",
        "if me.counted then return NOT_ELIGIBLE end",
        TESTS_OF_REFERRAL + "test_nobody_accepts_their_own_invitation",
    ),
    row(
        "who has bought is invited",
        REFERRAL,
        "if me.opened or me.counted then return NOT_ELIGIBLE end",
        "if me.opened then return NOT_ELIGIBLE end",
        TESTS_OF_REFERRAL + "test_a_person_counts_once",
    ),
    row(
        "veterans are invited where only newcomers may be",
        REFERRAL,
        "  if rules.newcomersOnly and not click.newcomer then return NOT_ELIGIBLE end\n",
        "",
        TESTS_OF_REFERRAL + "test_only_newcomers_are_bound_where_the_rules_say_so",
    ),
    row(
        "the first to invite loses to the last",
        REFERRAL,
        "if bound and (rules.touch == 'first' or me.at == click.instance)",
        "if bound and me.at == click.instance",
        TESTS_OF_REFERRAL + "test_a_second_invitation[first-15-0]",
    ),
    row(
        "a binding holds for ever",
        REFERRAL,
        "local bound = me.at and click.now < me.boundUntil",
        "local bound = me.at",
        TESTS_OF_REFERRAL + "test_a_binding_that_is_over_makes_room_for_the_next",
    ),
    row(
        "an order counts after its binding is over",
        REFERRAL,
        "local bound = me.at == click.instance and click.now < me.boundUntil",
        "local bound = me.at == click.instance",
        TESTS_OF_REFERRAL + "test_what_counts_for_nobody[too_late]",
    ),
    row(
        "an order counts twice",
        REFERRAL,
        "  if not claimed or me.counted then return end\n",
        "  if not claimed then return end\n",
        TESTS_OF_REFERRAL + "test_a_person_counts_once",
    ),
    row(
        "an order that nobody brought counts",
        REFERRAL,
        "  if not claimed or me.counted then return end\n",
        "  if me.counted then return end\n",
        TESTS_OF_REFERRAL + "test_what_counts_for_nobody[unbound]",
    ),
    row(
        "veterans count as brought",
        REFERRAL,
        "  if me.new then cells.brought = cells.brought + 1 end\n",
        "  cells.brought = cells.brought + 1\n",
        TESTS_OF_REFERRAL + "test_brought_are_only_the_new",
    ),
    row(
        "what is paid back stays converted",
        REFERRAL,
        "  cells.converted = cells.converted - 1\n",
        "",
        TESTS_OF_REFERRAL + "test_an_order_that_is_paid_back_no_longer_counts",
    ),
    row(
        "a device is covered up by a later one",
        REFERRAL,
        "if not me.device and click.device",
        "if click.device",
        TESTS_OF_REFERRAL + "test_where_somebody_came_from_is_kept_and_cannot_be_covered_up",
    ),
    row(
        "a reward of nothing is promised",
        REFERRAL,
        "  if amount < 1 then return end\n",
        "  if amount < 0 then return end\n",
        TESTS_OF_REFERRAL + "test_a_reward_of_nothing_is_not_promised",
    ),
    row(
        "the friend gets the referrer's reward",
        REFERRAL,
        "promise(click, rules, click.user, 'invitee')",
        "promise(click, rules, click.user, 'referrer')",
        TESTS_OF_REFERRAL + "test_a_paid_order_of_a_guest_earns_both_sides_something",
    ),
    row(
        "the refund window is not waited for",
        REFERRAL,
        "amount = amount, days = rules.refundDays })",
        "amount = amount })",
        TESTS_OF_REFERRAL + "test_a_paid_order_of_a_guest_earns_both_sides_something",
    ),
    row(
        "invitations end before their time",
        "plugins/referral/step.lua",
        "  if click.now < cells.endsAt and not click.over then return end\n",
        "",
        "tests/plugins/test_referral.py::test_a_deadline_that_comes_early_or_after_success_changes_nothing",
    ),
    row(
        "rewards may be worth the price",
        REFERRAL_RULES,
        "if total >= offer.price_fen:",
        "if total > offer.price_fen:",
        TESTS_OF_REFERRAL_RULES + "test_rewards_in_money_stay_below_the_price",
    ),
    row(
        "an amount of fen becomes as many units",
        REFERRAL_RULES,
        'if kind == "ASSET" and amount > UNITS_MAX:',
        'if kind == "ASSET" and amount > 1000 * UNITS_MAX:',
        TESTS_OF_REFERRAL_RULES + "test_an_amount_of_fen_is_no_number_of_units",
    ),
    row(
        "devices are not asked for where there is something to cheat for",
        REFERRAL_RULES,
        "(Fact.NEWCOMER, Fact.DEVICE, Fact.ADDRESS) if",
        "(Fact.NEWCOMER, Fact.ADDRESS) if",
        TESTS_OF_REFERRAL_RULES + "test_who_is_new_is_always_asked_and_the_rest_where_there_is_a_reward",
    ),
    row(
        "a metric divides by nothing",
        REFERRAL_METRICS,
        "return part / whole if whole else None",
        "return part / whole",
        EVERY_PLAYBOOK + "test_a_metric_never_fails[REFERRAL-referralFactor]",
    ),
)
