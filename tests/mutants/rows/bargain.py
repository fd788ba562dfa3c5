"""The bargain: its steps and rules."""

from tests.mutants.row import row

BARGAIN = "plugins/bargain/step.lua"
BARGAIN_RULES = "plugins/bargain/rules.py"
TEST_BARGAIN = "tests/plugins/test_bargain.py::"
BARGAIN_CUTS = "tests/plugins/test_bargain_cuts.py::"
BARGAIN_TESTS = "tests/plugins/test_bargain.py::"

ROWS = (
    row(
        "cuts do not add up to the gap",
        BARGAIN,
        "    shares[i] = total > 0 and math.ceil(",
        "    shares[i] = total > 0 and math.floor(",
        BARGAIN_TESTS + "test_the_cuts_are_drawn_when_it_is_opened[even-990-4-3,3,2,2]",
    ),
    row(
        "a cut may be nothing",
        BARGAIN,
        "  for i = 1, helpers do cuts[i] = cuts[i] + 1 end -- each cut is at least a fen\n",
        "",
        BARGAIN_TESTS + "test_the_cuts_are_drawn_when_it_is_opened[even-700-3-100,100,100]",
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
        BARGAIN_TESTS + "test_nobody_cuts_their_own",
    ),
    row(
        "a helper cuts twice",
        BARGAIN,
        "  if click.acts > 0 then return LIMIT_REACHED end -- one cut a bargain\n",
        "",
        BARGAIN_TESTS + "test_a_friend_cuts_once_a_bargain",
    ),
    row(
        "a helper cuts once more a day",
        BARGAIN,
        "if cuts_today >= rules.cutsPerDay or",
        "if cuts_today > rules.cutsPerDay or",
        BARGAIN_TESTS + "test_a_friend_cuts_so_often_a_day",
    ),
    row(
        "a new day's cuts count on from the day before",
        BARGAIN,
        "me.day == today and me.cutsToday or 0",
        "me.cutsToday or 0",
        BARGAIN_TESTS + "test_tomorrow_a_friend_may_cut_again",
    ),
    row(
        "a bonus takes more than later cuts have",
        BARGAIN,
        "math.min(math.floor(cut * percent / 100), room)",
        "math.floor(cut * percent / 100)",
        BARGAIN_TESTS + "test_a_newcomer_cuts_more_and_the_others_pay_for_it",
    ),
    row(
        "anybody buys somebody's bargain",
        BARGAIN,
        "  if click.user ~= cells.owner then return NOT_ELIGIBLE end\n",
        "",
        BARGAIN_TESTS + "test_only_the_owner_buys",
    ),
    row(
        "a bargain is bought before its floor though its store forbids it",
        BARGAIN,
        "  if cells.current < cells.target and not rules.buyBeforeFloor then return NOT_STARTED end\n",
        "",
        BARGAIN_TESTS + "test_where_the_rules_say_so_the_floor_comes_first",
    ),
    row(
        "a bargain is bought twice",
        BARGAIN,
        "if cells.buying or click.quantity > 1 then",
        "if click.quantity > 1 then",
        BARGAIN_TESTS + "test_one_bargain_sells_one_unit",
    ),
    row(
        "a bargain sells two units",
        BARGAIN,
        "if cells.buying or click.quantity > 1 then",
        "if cells.buying then",
        BARGAIN_TESTS + "test_one_bargain_sells_one_unit",
    ),
    row(
        "a bargain costs its full price",
        BARGAIN,
        "  click.price = cells.priceFen\n",
        "",
        BARGAIN_TESTS + "test_the_owner_buys_at_the_price_there_is",
    ),
    row(
        "a bargain that is being bought fails at its deadline",
        BARGAIN,
        "if not cells.buying then cells.status = FAILED end",
        "cells.status = FAILED",
        BARGAIN_TESTS + "test_at_the_end_a_bargain_waits_for_the_order_that_is_to_be_paid",
    ),
    row(
        "a bargain that was given back cannot be bought",
        BARGAIN,
        "bought is bought, even if it is paid back\n  cells.buying = false\n",
        "bought is bought, even if it is paid back\n",
        BARGAIN_TESTS + "test_an_order_given_back_may_be_made_again_at_the_price_of_then",
    ),
    row(
        "the last cut leaves no time to buy",
        BARGAIN,
        "    cells.endsAt = click.now + rules.payMinutes * MINUTE_MS\n",
        "",
        BARGAIN_TESTS + "test_the_time_is_counted_from_the_opening_and_then_from_the_last_cut",
    ),
    row(
        "one opens a bargain more than allowed",
        BARGAIN,
        "(me.bargains or 0) >= rules.bargainsPerPerson",
        "(me.bargains or 0) > rules.bargainsPerPerson",
        BARGAIN_TESTS + "test_a_person_opens_as_many_as_the_rules_allow",
    ),
    row(
        "a bargain may have more cuts than fen",
        BARGAIN_RULES,
        "elif rules.helpers > gap:",
        "elif rules.helpers > gap + 1:",
        TEST_BARGAIN + "test_the_price_leaves_room_for_every_cut[999-2-fields1]",
    ),
    row(
        "a floor may be the price",
        BARGAIN_RULES,
        "if gap <= 0:",
        "if gap < 0:",
        TEST_BARGAIN + "test_the_price_leaves_room_for_every_cut[1000-1-fields2]",
    ),
)
