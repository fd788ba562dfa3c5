"""The group buy: its steps and rules."""

from tests.mutants.row import row

GROUP = "plugins/group_buy/step.lua"
GROUP_RULES = "plugins/group_buy/rules.py"
GROUP_BUY = "tests/plugins/test_group_buy.py::"
GROUP_BUY_RULES = "tests/plugins/test_group_buy_rules.py::"

ROWS = (
    row(
        "a group has a seat too many",
        GROUP,
        "  if cells.seatsLeft < 1 then return INSTANCE_FULL end\n",
        "  if cells.seatsLeft < 0 then return INSTANCE_FULL end\n",
        GROUP_BUY + "test_a_full_group_is_full",
    ),
    row(
        "the leader takes no seat",
        GROUP,
        "cells.seatsLeft = cells.seats - 1",
        "cells.seatsLeft = cells.seats",
        GROUP_BUY + "test_a_leader_has_the_first_seat_and_has_not_paid",
    ),
    row(
        "a person has two seats in a group",
        GROUP,
        "  if click.seats > 0 then return LIMIT_REACHED end -- one person, one seat\n",
        "",
        GROUP_BUY + "test_one_person_has_one_seat",
    ),
    row(
        "a seat that is given back is lost",
        GROUP,
        "  cells.seatsLeft = cells.seatsLeft + 1\n",
        "",
        GROUP_BUY + "test_a_seat_that_is_given_back_is_taken_by_the_next",
    ),
    row(
        "a group that lost somebody counts them on",
        GROUP,
        "if click.was == 'paid' then cells.current = cells.current - 1 end",
        "",
        GROUP_BUY + "test_a_paid_seat_that_is_given_back_takes_its_progress_along",
    ),
    row(
        "a group that nobody is in goes on",
        GROUP,
        "if cells.seatsLeft == (cells.seats or cells.target) then -- nobody",
        "if cells.seatsLeft > (cells.seats or cells.target) then -- nobody",
        GROUP_BUY + "test_a_group_that_everyone_left_has_failed",
    ),
    row(
        "a group succeeds with one payment missing",
        GROUP,
        "if cells.current >= (cells.seats or cells.target) then succeed",
        "if cells.current + 1 >= (cells.seats or cells.target) then succeed",
        GROUP_BUY + "test_a_paid_seat_that_is_given_back_takes_its_progress_along",
    ),
    row(
        "a group of tiers fails at its deadline",
        GROUP,
        "  if cells.current >= cells.target then return succeed(click, rules, cells) end\n",
        "",
        GROUP_BUY_RULES + "test_the_deadline_fixes_the_tier[3-3-None]",
    ),
    row(
        "a tier's rebate is that of the lowest",
        GROUP,
        "if cells.current >= tier.people then cells.rebateFen",
        "if cells.current >= tier.people and not cells.rebateFen then cells.rebateFen",
        GROUP_BUY_RULES + "test_a_tiered_group_stays_open_until_its_top_tier_is_full",
    ),
    row(
        "a tier takes one person more than it says",
        GROUP,
        "if cells.current >= tier.people then",
        "if cells.current > tier.people then",
        GROUP_BUY_RULES + "test_a_tiered_group_stays_open_until_its_top_tier_is_full",
    ),
    row(
        "a simulated success does not say so",
        GROUP,
        "    cells.simulated = true\n",
        "",
        GROUP_BUY_RULES + "test_a_group_is_completed_only_above_the_threshold[80-4-True]",
    ),
    row(
        "a group is simulated with one payment too few",
        GROUP,
        "cells.current * 100 >= enough * cells.target",
        "(cells.current + 1) * 100 >= enough * cells.target",
        GROUP_BUY_RULES + "test_a_group_is_completed_only_above_the_threshold[81-4-False]",
    ),
    row(
        "a group that is not to be simulated is",
        GROUP,
        "if enough > 0 and cells.current",
        "if cells.current",
        GROUP_BUY + "test_a_group_fails_at_its_deadline",
    ),
    row(
        "veterans join a group for newcomers",
        GROUP,
        "if rules.newcomersOnly and not click.newcomer then return NOT_ELIGIBLE end",
        "",
        GROUP_BUY_RULES + "test_only_newcomers_join_where_the_rules_say_so",
    ),
    row(
        "the leader pays what everyone pays",
        GROUP,
        "click.price = click.price - (rules.leaderOffFen or 0)",
        "click.price = click.price - 0",
        GROUP_BUY_RULES + "test_the_leader_pays_less",
    ),
    row(
        "a failed group takes a payment",
        GROUP,
        "  if cells.status == FAILED then return ENDED end\n  cells.current",
        "  cells.current",
        GROUP_BUY + "test_a_payment_into_a_failed_group_is_refused",
    ),
    row(
        "a leader who leaves goes on leading",
        GROUP,
        "if cells.leader == user then -- the",
        "if cells.leader == '' then -- the",
        GROUP_BUY_RULES + "test_the_earliest_paid_member_leads_when_the_leader_leaves",
    ),
    row(
        "a late payer of a group of their own finds no seat taken",
        GROUP,
        "  if click.fresh then\n    lead(click, rules, cells)\n",
        "  if click.fresh then\n    lead(click, rules, cells)\n    cells.seatsLeft = cells.seats\n",
        GROUP_BUY_RULES + "test_a_late_payer_leads_a_group_of_their_own_when_all_are_full",
    ),
    row(
        "a tier may begin where the group does",
        GROUP_RULES,
        "if tier.people <= people:",
        "if tier.people < people:",
        GROUP_BUY_RULES + "test_rules_that_cannot_work_are_named[rules2-wrong2]",
    ),
    row(
        "a tier may cost what the one before does",
        GROUP_RULES,
        "if tier.price_fen >= price_fen:",
        "if tier.price_fen > price_fen:",
        GROUP_BUY_RULES + "test_rules_that_cannot_work_are_named[rules3-wrong3]",
    ),
    row(
        "a group may need more people than there are units",
        GROUP_RULES,
        "if rules.target > offer.stock:",
        "if rules.target > offer.stock + 1:",
        GROUP_BUY_RULES + "test_rules_that_cannot_work_are_named[rules10-wrong10]",
    ),
    row(
        "a leader may pay nothing",
        GROUP_RULES,
        "if rules.leader_off_fen >= price_fen:",
        "if rules.leader_off_fen > price_fen:",
        GROUP_BUY_RULES + "test_rules_that_cannot_work_are_named[rules6-wrong6]",
    ),
    row(
        "a group may be simulated with less than half",
        GROUP_RULES,
        "if 0 < rules.simulated_percent < SIMULATED_PERCENT_MIN:",
        "if 0 < rules.simulated_percent < SIMULATED_PERCENT_MIN - 1:",
        GROUP_BUY_RULES + "test_rules_that_cannot_work_are_named[rules8-wrong8]",
    ),
)
