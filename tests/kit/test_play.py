"""`wanfa playbook play`: the same seed plays the same game, everything that happens is shown, nothing is lost."""

import io
import re
from random import Random

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from engine.core.errors import BadInput, PlaybookInvalid, RulesInvalid
from engine.kit.commands import playbook as commands
from engine.kit.personas import random_personas
from engine.kit.play.simulation import PlayOptions, Simulation, chosen_example, run_play
from engine.kit.play.turns import RefusalMemory
from engine.kit.stage import Outcome, Stage
from engine.kit.stage.valkey import ThrowAwayValkey
from engine.local.running import Running
from engine.playbooks.registry import load_playbooks
from engine.sdk import Example, Playbook, Problem, Rules, States, Status, View

LOADED = load_playbooks().loaded
EXAMPLES = [
    pytest.param(playbook, number, id=f"{code}-{number}")
    for code, playbook in sorted(LOADED.items())
    for number in range(1, max(1, len(playbook.examples)) + 1)
]

STEP = """
local step = {}
function step.open(click, rules, cells, me)
  cells.status = ACTIVE
  cells.target = 2
  cells.wakeAt = click.now + 3600000
  me.opened = true
  notice(click, { user = click.user, topic = 'ALMOST_OVER', at = cells.wakeAt - 60000 })
end
function step.join(click, rules, cells) if click.seats > 0 then return LIMIT_REACHED end end
function step.paid(click, rules, cells)
  cells.current = cells.current + 1
  reward(click, { user = click.user, kind = 'CREDIT', amount = 500, days = 7 })
  if cells.current >= cells.target then cells.status = SUCCESS end
end
function step.deadline(click, rules, cells) cells.status = FAILED end
return step
"""


def make(step: str = STEP, **changes: object) -> Playbook:
    """A game of pairs: two paid places make a success."""
    manifest = {
        "code": "PAIRS",
        "name": "成双",
        "version": "1.0.0",
        "unit_name": "份",
        "rules": Rules,
        "states": States(
            moves={
                Status.PENDING: (Status.ACTIVE,),
                Status.ACTIVE: (Status.SUCCESS, Status.FAILED),
            },
            orders={Status.FAILED: "refund"},
        ),
        "step": step,
        "view": View(open="发起", join="参加"),
        "examples": (Example(rules={"limitPerPerson": 0}, price_fen=1000, stock=50),),
    }
    return Playbook(**{**manifest, **changes})  # type: ignore[arg-type]


def played(playbook: Playbook, width: int = 100, **options: object) -> tuple[str, bool]:
    """What a game printed, and whether it was sound."""
    out = io.StringIO()
    sound = run_play(playbook, PlayOptions(**options), Console(file=out, width=width))  # type: ignore[arg-type]
    return out.getvalue(), sound


def command(*arguments: str, typed: str = "") -> Result:
    """`wanfa playbook play`, with what a person types."""
    return CliRunner().invoke(commands, ["play", *arguments], input=typed, env={"COLUMNS": "100"})


def test_the_same_seed_plays_the_same_game() -> None:
    playbook = LOADED["GROUP_BUY"]
    assert played(playbook, seed=3) == played(playbook, seed=3)
    assert played(playbook, seed=3) != played(playbook, seed=4)


@pytest.mark.parametrize(("playbook", "number"), EXAMPLES)
def test_every_example_of_every_playbook_can_be_played(playbook: Playbook, number: int) -> None:
    """To the end of its sale: no step fails, every unit is accounted for, nothing stays held."""
    text, sound = played(playbook, example=number, people=12, steps=80, seed=number)
    assert sound, text
    assert Outcome.PLAYBOOK_FAILED.name not in text
    assert " 0 held " in text.rpartition("the end")[2]
    assert "the sale ends" in text


def test_everything_that_changed_is_shown() -> None:
    """Outcome, cells before and after, a person's own, stock, and each intent."""
    text, sound = played(make(), people=3, steps=14, seed=2)
    assert sound
    for shown in (
        "open 「发起」  RESERVED",
        "#1 begins  status ACTIVE, current 0, target 2, wakeAt 11:00:",
        "'s own  opened yes",
        "stock 50 → 49",
        "+ order in #1: ",
        ", 1 份, 10.00 元, to pay by 10:",
        "+ notice: ",
        ", ALMOST_OVER at 10:59:",
        "current 0 → 1",
        "+ reward: ",
        ", CREDIT 5.00 元, frozen until +7d 10:",
    ):
        assert shown in text


def test_the_summary_counts_outcomes_states_and_units() -> None:
    text, _ = played(make(), people=3, steps=14, seed=2)
    game, _, summary = text.rpartition("the end")
    assert sum(map(int, re.findall(r"(\d+) RESERVED", summary))) == game.count("  RESERVED")
    for line in ("PENDING → ACTIVE  open ", "ACTIVE → SUCCESS  paid ", "stock      50 = ", "  ✓"):
        assert line in summary


def test_time_is_moved_to_what_is_due() -> None:
    """A hold runs out after five minutes, a deadline comes when it was set for, refunds follow a failure."""
    text, _ = played(make(), people=2, steps=1, seed=1)
    (opened,) = re.findall(r"  1 +10:(\d\d:\d\d)  \w+ open", text)
    minutes, seconds = map(int, opened.split(":"))
    assert re.search(rf"10:{minutes + 5:02}:{seconds:02}  \w+ has not paid in time \(#1\)  DONE", text)
    assert f"11:{opened}  deadline of #1  DONE" in text
    assert "status ACTIVE → FAILED" in text


def test_what_is_due_between_two_clicks_happens_on_time() -> None:
    """A hold runs out at the second it was to be paid by, whenever the next person clicks."""
    text = "".join(played(make(), people=12, steps=60, seed=seed)[0] for seed in (1, 2, 3))
    run_out = re.findall(r"^ +(\S+)  (\w+) has not paid in time \((#\d+)\)", text, re.MULTILINE)
    assert run_out
    assert [one for one in run_out if not re.search(rf"order in {one[2]}: {one[1]}, .* to pay by {one[0]}", text)] == []


def test_nobody_repeats_a_refused_click_until_time_has_passed() -> None:
    """A refusal that is about one person leaves it to the others; nobody tries what the playbook has no step for."""
    memory, people = RefusalMemory(["join"]), random_personas(2, Random(1))
    first, second = people
    memory.refused(Outcome.LIMIT_REACHED, first.name, "join", "s1")
    memory.refused(Outcome.ENDED, first.name, "join", "s2")
    assert memory.willing(people, "join", "s1") == [second]
    assert memory.willing(people, "join", "s2") == []
    memory.forget()
    assert memory.willing(people, "join", "s1") == memory.willing(people, "join", "s2") == people
    assert memory.willing(people, "cut", "s2") == []


def test_a_game_does_not_consist_of_refusals() -> None:
    """Where nobody may join, everybody tries once, and then again when something has come back."""
    step = STEP.replace("if click.seats > 0 then return LIMIT_REACHED end", "return NOT_ELIGIBLE")
    text, _ = played(make(step, examples=(Example(),)), people=3, steps=30, seed=1)
    begun = re.split("has not paid in time|cancels|money back", text)[0]
    clicks = re.findall(r"(\w+) join (#\d+) .* (?:NOT_ELIGIBLE|LIMIT_REACHED)", begun)
    assert len(clicks) == len(set(clicks)) > 0


CLAIM = """
function step.deadline(click, rules, cells) cells.status = SUCCESS cells.wakeAt = 0 end
function step.claim(click, rules, cells, me)
  if cells.status ~= SUCCESS then return NOT_STARTED end
  if me.claimed then return CONFLICT end
  me.claimed = true
end
return step
"""


@pytest.mark.parametrize("final", [("claim",), ()])
def test_who_took_part_acts_after_the_deadline(final: tuple[str, ...]) -> None:
    """Before the people go, and whether or not the action's button is still shown then."""
    step = STEP.replace("if cells.current >= cells.target then cells.status = SUCCESS end", "")
    view = View(open="发起", join="参加", actions={"claim": "领奖"}, final=final)
    playbook = make(step.replace("return step", CLAIM), actions=("claim",), view=view)

    text, sound = played(playbook, people=3, steps=10, seed=2)

    assert sound
    _, _, after = text.partition("deadline of #1  DONE")
    assert re.search(r"^ +\d+ +[\d:]+  \w+ claim #1 「领奖」  DONE", after, re.MULTILINE)
    assert after.index("claim #1 「领奖」  DONE") < after.index("the people have gone")


def test_nobody_acts_in_vain_after_every_deadline() -> None:
    """An action that an ended instance refuses is tried once."""
    step = STEP.replace("return step", "function step.cheer() return ENDED end return step")
    view = View(open="发起", join="参加", actions={"cheer": "加油"})
    text, _ = played(make(step, actions=("cheer",), view=view), people=4, steps=12, seed=2)
    _, _, after = text.partition("nobody new comes")
    assert after.count("deadline of #") > 1
    assert after.count(" cheer #") == 1


def test_who_was_paid_back_does_not_pay_late() -> None:
    """A late payment is one that was under way when a hold ended, so it needs an order nobody was paid back for."""
    short = STEP.replace("3600000", "60000").replace("cells.wakeAt - 60000", "cells.wakeAt")
    late = "function step.late(click, rules, cells) return ENDED end return step"
    playbook = make(short.replace("return step", late), reseats=True)
    games = [played(playbook, people=4, steps=50, seed=seed)[0] for seed in range(1, 5)]
    assert any("pays after all" in text for text in games)
    for text in games:
        for name, place in re.findall(r"(\w+) is paid back \((#\d+)\)", text):
            if text.count(f"order in {place}: {name},") == 1:
                assert f"{name} pays after all ({place})" not in text


def test_a_step_that_fails_is_shown_with_its_reason() -> None:
    """And the command's exit code says so."""
    broken = make(STEP.replace("cells.current = cells.current + 1", "cells.current = cells.members + 1"))
    text, sound = played(broken, width=120, people=2, steps=6, seed=2)
    assert not sound
    assert "PLAYBOOK_FAILED" in text
    assert "paid: step.lua:12: attempt to perform arithmetic on field 'members' (a nil value)" in text


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("local step = {}\nfunction step.open(click, rules, cells)\nreturn step", "step.lua:2: a block begins"),
        ("local step = {}\n\nstep.open = = 1\nreturn step", "step.lua:3: unexpected symbol near '='"),
        ("return 7", "step.lua must return a table of functions"),
    ],
)
def test_lua_that_cannot_be_loaded_is_one_line(step: str, why: str) -> None:
    """The line is that of step.lua, not of the script around it."""
    with pytest.raises(PlaybookInvalid, match=why):
        played(make(step))


def test_units_that_are_missing_are_noticed(valkey: Running) -> None:
    """As if the sale had begun with one more."""
    stage = Stage(valkey.url, [make()])
    stage.publish(make())
    out = io.StringIO()
    game = Simulation(stage, PlayOptions(steps=3), Console(file=out, width=100), ThrowAwayValkey(valkey.url, None), [])
    stage.sale = msgspec.structs.replace(stage.sale, stock=stage.sale.stock + 1)
    assert not game.run()
    assert "✗" in out.getvalue()
    stage.close()


# Options -------------------------------------------------------------------------------------


def test_a_rule_can_be_another() -> None:
    """JSON or plain text; the others stay as the example has them."""
    example = chosen_example(LOADED["GROUP_BUY"], PlayOptions(rules=("target=2", "durationMinutes=90")))
    assert example.rules["target"] == 2
    assert example.rules["durationMinutes"] == 90


@pytest.mark.parametrize(
    ("options", "error", "why"),
    [
        ({"rules": ("target=1",)}, RulesInvalid, "target: 成团人数 不能小于 2"),
        ({"rules": ("nonsense=1",)}, RulesInvalid, "nonsense 是未知字段"),
        ({"rules": ("target=two",)}, RulesInvalid, "成团人数 必须是整数"),
        ({"rules": ("target",)}, BadInput, "write KEY=VALUE"),
        ({"example": 99}, BadInput, "--example 99: GROUP_BUY has"),
    ],
)
def test_options_that_fit_nothing_are_refused(options: dict[str, object], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        chosen_example(LOADED["GROUP_BUY"], PlayOptions(**options))  # type: ignore[arg-type]


def test_rules_are_looked_at_as_publication_does() -> None:
    """What `problems` says of them counts as well."""
    choosy = make(problems=lambda _rules, _offer: [Problem("limitPerPerson", "不可以")])
    with pytest.raises(RulesInvalid, match="limitPerPerson: 不可以"):
        chosen_example(choosy, PlayOptions())


def test_no_more_people_than_asked_for_take_part() -> None:
    text, _ = played(make(), people=1, steps=10)
    names = {line.split()[2] for line in text.splitlines() if line[:3].strip().isdigit()}
    assert len(names) == 1


def test_a_narrow_terminal_wraps() -> None:
    text, _ = played(make(), width=80, steps=5)
    assert max(map(len, text.splitlines())) <= 80


# The command ---------------------------------------------------------------------------------


def test_play_plays() -> None:
    done = command("flash-sale", "--steps", "3", "--people", "2", "--seed", "5")
    assert done.exit_code == 0
    assert "秒杀 FLASH_SALE" in done.output


def test_one_can_choose_every_turn() -> None:
    """By its number; 0 or the end of the input ends the game."""
    done = command("group-buy", "--ask", typed="1\n0\n")
    assert done.exit_code == 0
    assert "       1  " in done.output
    assert "open 「发起拼团」  RESERVED" in done.output
    assert done.output.count("turn, 0 ends") == 2
    assert command("group-buy", "--ask").exit_code == 0


@pytest.mark.parametrize("typed", ["?", "99", "-1", "one"])
def test_what_is_no_turn_is_asked_again(typed: str) -> None:
    done = command("group-buy", "--ask", typed=f"{typed}\n0\n")
    assert done.exit_code == 0
    assert re.search(r"Error: a number up to \d+, 0 ends\n", done.output)
    assert done.output.count("turn, 0 ends") == 2
