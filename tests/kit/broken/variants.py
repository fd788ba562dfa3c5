"""Playbooks that break the contract in one thing each, and what `check` has to say about it."""

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from engine.sdk import Counters, Example, Metric, Playbook, States, Status
from tests.kit.broken.good import GOOD, RoundRules


class Variant(NamedTuple):
    """What is broken; the check that finds it, and words of what it says. `also`: checks that it fails as well."""

    what: str
    playbook: Playbook
    check: str
    says: str
    also: frozenset[str] = frozenset()


def step(old: str, new: str) -> Playbook:
    """The good playbook with another line in its steps."""
    assert GOOD.step.count(old) == 1, old
    return changed(step=GOOD.step.replace(old, new))


def changed(**fields: Any) -> Playbook:
    """The good playbook with another field."""
    return msgspec.structs.replace(GOOD, **fields)


class EnglishRules(RoundRules, frozen=True):
    """凑座规则"""

    minutes: Annotated[int, Meta(ge=1, le=1440, title="时限（分钟）", description="how long it lasts")] = 60


class EndlessRules(RoundRules, frozen=True):
    """凑座规则"""

    minutes: Annotated[int, Meta(ge=1, title="时限（分钟）", description="开场后多久内未坐满则失败并退款")] = 60


class WrongDefaultRules(RoundRules, frozen=True):
    """凑座规则"""

    minutes: Annotated[int, Meta(ge=1, le=1440, title="时限（分钟）", description="开场后多久内未坐满则失败并退款")] = 0


class BonusRules(RoundRules, frozen=True):
    """凑座规则"""

    bonus: Annotated[int, Meta(ge=1, le=9, title="加座", description="成功时多送几座，不填表示不送")] | None = None


def with_bonus(line: str, **rules: int) -> Playbook:
    """The good playbook with a rule that may be left empty, read when somebody joins."""
    read = step(SEATLESS_JOIN, f"  cells.seatsLeft = cells.seatsLeft - 1\n  {line}\nend\n\nfunction step.cheer").step
    return changed(rules=BonusRules, step=read, examples=(Example(rules={"seats": 3, **rules}, stock=10),))


def seats_per_round(counters: Counters) -> float | None:
    """Fails as long as no round was opened."""
    return counters.units_sold / counters.instances_opened


MOVES = GOOD.states.moves
SEATLESS_JOIN = "  cells.seatsLeft = cells.seatsLeft - 1\nend\n\nfunction step.cheer"

READ = (
    Variant(
        "a rule is explained in English",
        changed(rules=EnglishRules),
        "test_every_rule_is_explained_and_bounded",
        "minutes has no Chinese description",
    ),
    Variant(
        "a rule has no upper bound",
        changed(rules=EndlessRules),
        "test_every_rule_is_explained_and_bounded",
        "minutes has no maximum",
    ),
    Variant(
        "the example is not what the form allows",
        changed(examples=(Example(rules={"seats": 1}),)),
        "test_the_examples_can_be_published",
        "/seats: 座位数 不能小于 2",
    ),
    Variant(
        "a default is not what the form allows",
        changed(rules=WrongDefaultRules),
        "test_the_examples_can_be_published",
        "with its defaults, /minutes: 时限（分钟） 不能小于 1",
    ),
    Variant(
        "a state cannot be reached",
        changed(
            states=States(
                moves={Status.PENDING: (Status.ACTIVE,), Status.ACTIVE: (Status.SUCCESS,)},
                orders={Status.FAILED: "refund"},
            )
        ),
        "test_every_state_is_reached_and_leads_to_an_end",
        "FAILED cannot be reached from PENDING, where its instances begin",
        frozenset({"test_no_step_fails"}),
    ),
    Variant(
        "a state leads nowhere",
        changed(states=States(moves={**MOVES, Status.ACTIVE: (Status.SUCCESS,), Status.SUCCESS: (Status.ACTIVE,)})),
        "test_every_state_is_reached_and_leads_to_an_end",
        "ACTIVE is a dead end",
        frozenset({"test_no_step_fails"}),
    ),
    Variant(
        "everybody is paid back in a state that goes on",
        changed(states=States(moves={**MOVES, Status.FAILED: (Status.SUCCESS,)}, orders={Status.FAILED: "refund"})),
        "test_money_goes_back_at_an_end",
        "FAILED pays everybody back, but SUCCESS may follow it",
    ),
    Variant(
        "a metric divides by nothing",
        changed(metrics=(Metric(key="seats", label="人数", unit="人", compute=seats_per_round),)),
        "test_metrics_are_total",
        "metric seats raised ZeroDivisionError",
    ),
    Variant(
        "a step is misspelt",
        step("function step.released", "function step.relesed"),
        "test_the_steps_are_steps",
        "step.relesed is never called",
        frozenset({"test_places_are_kept"}),
    ),
    Variant(
        "the steps cannot be compiled",
        step("function step.paid(click, rules, cells)", "function step.paid(click, rules, cells"),
        "test_the_steps_are_steps",
        "step.lua:23: ')' expected",
    ),
    Variant(
        "an action has no words",
        changed(view=msgspec.structs.replace(GOOD.view, actions={})),
        "test_the_manifest_is_right",
        "view.actions['cheer'] has no words",
    ),
    Variant(
        "sessions has no answer for some rules",
        changed(sessions=lambda rules, _window: () if rules.minutes < 1440 else 1 // 0),
        "test_other_rules_are_answered_as_well",
        "ROUND_OF_SEATS with rule minutes = 1440, else as in example 1: ZeroDivisionError: ",
    ),
    Variant(
        "upgrade_rules changes rules of its own version",
        changed(upgrade_rules=lambda rules, _version: {**rules, "minutes": 1}),
        "test_current_rules_need_no_upgrade",
        "upgrade_rules makes",
    ),
)

# What only shows when steps are run.
RUN = (
    Variant(
        "a step fails sometimes",
        step("(cells.cheers or 0) + 1", "(cells.cheers or 0) + (cells.seatsLeft > 0 and 1 or nil)"),
        "test_no_step_fails",
        "cheer: step.lua:19: attempt to perform arithmetic on a nil value",
    ),
    Variant(
        "a step fails at the lowest price",
        step("if cells.seatsLeft < 1 then", "assert(click.price > 1, 'no fen left')\n  if cells.seatsLeft < 1 then"),
        "test_no_step_fails",
        "ROUND_OF_SEATS with price = 1 fen, else as in example 1: join: step.lua:13: no fen left",
    ),
    Variant(
        "a step fails at a price that it cannot divide",
        step("cells.seatsLeft = rules.seats - 1", "cells.seatsLeft, cells.half = rules.seats - 1, click.price / 2"),
        "test_no_step_fails",
        "ROUND_OF_SEATS with price = 7919 fen, else as in example 1: open: cell half is not a whole number",
    ),
    Variant(
        "a step fails at the highest price",
        step("cells.seatsLeft = rules.seats - 1", "cells.seatsLeft, cells.priceFen = rules.seats - 1, click.price * 2"),
        "test_no_step_fails",
        "ROUND_OF_SEATS with price = 100000000 fen, else as in example 1: open: cell priceFen is out of bounds",
    ),
    Variant(
        "every sale fails that leaves an optional rule empty",
        with_bonus("cells.bonus = rules.bonus + 1", bonus=2),
        "test_no_step_fails",
        "ROUND_OF_SEATS with rule bonus = null, else as in example 1: join: step.lua:15: attempt to perform arithmetic",
        frozenset({"test_operators_have_a_page"}),
    ),
    Variant(
        "every sale fails that fills an optional rule in",
        with_bonus("assert(rules.bonus == nil, 'no bonus yet')"),
        "test_no_step_fails",
        "ROUND_OF_SEATS with rule bonus = 1, else as in example 1: join: step.lua:15: no bonus yet",
        frozenset({"test_operators_have_a_page"}),
    ),
    Variant(
        "an optional rule fails at its upper bound only",
        with_bonus("assert(rules.bonus ~= 9, 'nine are too many')"),
        "test_no_step_fails",
        "ROUND_OF_SEATS with rule bonus = 9, else as in example 1: join: step.lua:15: nine are too many",
        frozenset({"test_operators_have_a_page"}),
    ),
    Variant(
        "more is paid back than was paid",
        step("    cells.status = SUCCESS\n", "    cells.status, cells.rebateFen = SUCCESS, click.price + 1\n"),
        "test_rebates_are_paid_for",
        "rebateFen is 9901 a unit: an order of 1 that paid 9900 fen would get 9901 back",
        frozenset({"test_no_step_fails"}),  # at the highest price
    ),
    Variant(
        "a step after which nobody is told fails",
        step('if click.was == "paid" then', 'if click.was == "paid" then error("no way back") end if false then'),
        "test_no_step_fails",
        "released: step.lua:33: no way back",
    ),
    Variant(
        "a step goes round for ever",
        step("if click.acts > 0", "while cells.target > 0 do end if click.acts > 0"),
        "test_no_step_fails",
        "ran over its budget of 10000 loops and calls",
    ),
    Variant(
        "a step keeps count outside of the cells",
        step(
            "function step.cheer(click, rules, cells)",
            "local cheered = 0\nfunction step.cheer(click, rules, cells)\n"
            "  cheered = cheered + 1\n  if cheered > 3 then return LIMIT_REACHED end",
        ),
        "test_steps_are_pure",
        "decided by itself, with the same past",
    ),
    Variant(
        "a step depends on where a table lies in memory",
        step("(cells.cheers or 0) + 1", "tonumber(string.sub(tostring({}), -4), 16)"),
        "test_steps_are_pure",
        "instances: ",
    ),
    Variant(
        "a seat is not taken",
        step(SEATLESS_JOIN, "end\n\nfunction step.cheer"),
        "test_places_are_kept",
        "seats are free and",
    ),
    Variant(
        "a seat is lost when somebody leaves",
        step("then cells.seatsLeft = cells.seatsLeft + 1 end", "then cells.seatsLeft = cells.seatsLeft end"),
        "test_places_are_kept",
        "seats are free and",
    ),
    Variant(
        "a seat is given back twice",
        step("then cells.seatsLeft = cells.seatsLeft + 1 end", "then cells.seatsLeft = cells.seatsLeft + 2 end"),
        "test_places_are_kept",
        "seats are free and",
    ),
    Variant(
        "whoever pays is counted twice",
        step("cells.current = cells.current + 1", "cells.current = cells.current + 2"),
        "test_places_are_kept",
        "current was 0 before somebody came and went, and is 1 after it",
        frozenset({"test_no_step_fails"}),  # a rule at its bound brings it to an end too early
    ),
    Variant(
        "nothing wakes a round",
        step("cells.wakeAt = cells.endsAt", "cells.wakeAt = 0"),
        "test_deadlines_resolve",
        "for ever: its wakeAt is 0, so no deadline comes, not even when the product is over: set cells.wakeAt",
    ),
    Variant(
        "a deadline ends nothing",
        step("  cells.status = FAILED\n", ""),
        "test_deadlines_resolve",
        "for ever: its wakeAt is 0, so no deadline comes",
    ),
    Variant(
        "a deadline does not look at the time",
        step("  if click.now < cells.endsAt and not click.over then return end\n", ""),
        "test_deadlines_resolve",
        "a deadline that came before wakeAt changed something",
    ),
    Variant(
        "what is left when the sale is over fails",
        step(
            "not click.over then return end",
            "not click.over then return end\n  assert(click.now >= cells.endsAt, 'early')",
        ),
        "test_no_step_fails",
        "deadline: step.lua:40: early",
    ),
    Variant(
        "a deadline does something each time it comes",
        step(
            "function step.deadline(click, rules, cells)",
            "function step.deadline(click, rules, cells)\n  cells.woken = (cells.woken or 0) + 1",
        ),
        "test_deadlines_resolve",
        "deadline",
    ),
    Variant(
        "cells grow with everybody who comes",
        step("if click.acts > 0", "cells['by' .. click.user] = string.rep('x', 60) if click.acts > 0"),
        "test_cells_stay_small",
        "after 256 people came to one instance its cells take",
    ),
    Variant(
        "a step is slow",
        step("if click.acts > 0", "for i = 1, 5000 do cells.cheers = i end if click.acts > 0"),
        "test_clicks_are_cheap",
        "of its 10,000 loops and calls; check allows half of that, 5,000, so that a bigger sale fits",
    ),
    Variant(
        "a deadline is slow, once somebody has paid",
        step(
            "not click.over then return end",
            "not click.over then return end\n  if cells.current > 0 then for i = 1, 6000 do cells.counted = i end end",
        ),
        "test_clicks_are_cheap",
        "deadline uses 6,0",
    ),
    Variant(
        "an action is slow, once it is too late",
        step(
            "if click.acts > 0",
            "if cells.status == FAILED then for i = 1, 6000 do cells.counted = i end end\n  if click.acts > 0",
        ),
        "test_clicks_are_cheap",
        "cheer uses 6,0",
    ),
)
