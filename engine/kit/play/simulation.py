"""`wanfa playbook play`: a small sale with simulated people, in time that is moved forward, shown step by step."""

import time
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from math import inf
from random import Random
from typing import Any

import click
import msgspec
from rich.console import Console

from engine.core.errors import BadInput, PlaybookInvalid, RulesInvalid
from engine.core.schema import Schema
from engine.gate.outcome import EFFECTS, REFUSALS, Outcome
from engine.gate.records import EffectState, ms
from engine.kit.personas import random_personas
from engine.kit.play.screen import Happening, Screen, Snapshot
from engine.kit.play.turns import RefusalMemory, Turn, next_due_ms, possible, takers
from engine.kit.stage.harness import Stage
from engine.kit.stage.model import Click, Event
from engine.kit.stage.sale import START_MS, Sale
from engine.kit.stage.steps import step_names
from engine.kit.stage.valkey import ThrowAwayValkey, open_valkey
from engine.sdk import Example, Playbook, Status

EARLY_MS = 600_000  # a playbook with early actions is played from this long before its sale on
PAUSE_S_MAX = 20  # between two clicks
JUMPS_MAX = 300  # of time at the end of the game
DUE_ROUNDS_MAX = 100
TRIES_MAX = 8  # people who try an action after a deadline

Chooser = Callable[[Sequence[str]], int | None]


class PlayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to play: the command's options. `rules` are KEY=VALUE."""

    example: int = 1
    rules: tuple[str, ...] = ()
    people: int = 6
    steps: int = 40
    seed: int = 1
    pace_s: float = 0.0
    ask: bool = False


def run_play(playbook: Playbook, options: PlayOptions, console: Console) -> bool:
    """Play one game; whether every unit is accounted for and no step failed.

    Raises BadInput and RulesInvalid for options that fit nothing, PlaybookInvalid for Lua that cannot be loaded.
    """
    example = chosen_example(playbook, options)
    with open_valkey() as valkey:
        steps = step_names(valkey.url, playbook)
        stage = Stage(valkey.url, [playbook])
        try:
            stage.publish(playbook, example, starts_in_ms=EARLY_MS if playbook.early else 0)
            return Simulation(stage, options, console, valkey, steps).run(ask if options.ask else None)
        finally:
            stage.close()


def chosen_example(playbook: Playbook, options: PlayOptions) -> Example:
    """The example the options name, with their rules; checked as publication would."""
    examples = playbook.examples or (Example(),)
    if options.example > len(examples):
        raise BadInput(f"--example {options.example}: {playbook.code} has {len(examples)}")
    example = examples[options.example - 1]
    rules = {**example.rules, **dict(_rule(text) for text in options.rules)}
    wrong = [f"{error.pointer[1:]}: {error.message.zh}" for error in Schema(playbook.rules).errors(rules)]
    if not wrong:
        chosen = msgspec.structs.replace(example, rules=rules)
        sale = Sale.of(playbook, chosen, START_MS)
        wrong = [f"{problem.field}: {problem.message}" for problem in playbook.problems(sale.rules, sale.offer)]
    if wrong:
        raise RulesInvalid("; ".join(wrong))
    return chosen


def _rule(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise BadInput(f"--rule {text}: write KEY=VALUE, such as limitPerPerson=2")
    try:
        return key, msgspec.json.decode(value)
    except msgspec.DecodeError:  # text needs no quotes
        return key, value


def ask(choices: Sequence[str]) -> int | None:
    """Let a person choose; None to end the game."""
    for number, choice in enumerate(choices, 1):
        click.echo(f"      {number:2}  {choice}")

    def number_of(typed: str) -> int:
        if not (typed.isdecimal() and int(typed) <= len(choices)):
            raise click.UsageError(f"a number up to {len(choices)}, 0 ends")
        return int(typed)

    try:
        chosen = click.prompt("turn, 0 ends", value_proc=number_of, default="1")
    except click.Abort:
        return None
    return chosen - 1 if chosen else None


class Simulation:
    """One game on a stage: simulated people, and time that is moved forward."""

    def __init__(
        self, stage: Stage, options: PlayOptions, console: Console, valkey: ThrowAwayValkey, steps: Container[str]
    ) -> None:
        self.screen = Screen(console, stage)
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()
        self.turns: Counter[tuple[Status, Status, str]] = Counter()
        self._stage = stage
        self._options = options
        self._chance = Random(options.seed)
        self._people = {person.name: person for person in random_personas(options.people, self._chance)}
        self._valkey = valkey
        self._memory = RefusalMemory(steps)
        self._over: set[str] = set()  # actions that an ended instance refuses: one try shows that
        self._number = 0
        self._read = 0

    def run(self, choose: Chooser | None = None) -> bool:
        """Play to the end; without a chooser the turns are drawn."""
        self.screen.show_sale()
        self._follow()
        for _ in range(self._options.steps):
            turn = self._chosen(choose) if choose else self._drawn()
            if turn is None:
                break
            self._make(turn)
        if self._stage.sale.playbook.actions:
            self.screen.note("nobody new comes; who took part waits for the deadlines")
            self._run_out(self._stage.sale.ends_ms)
        self.screen.note("the people have gone; time runs out")
        self._run_out()
        return self.screen.show_summary(self.outcomes, self.turns)

    def _possible(self) -> list[Turn]:
        return possible(self._stage, tuple(self._people.values()), self._memory, self._chance)

    def _drawn(self) -> Turn | None:
        turns = self._possible()
        return self._chance.choices(turns, [turn.weight for turn in turns])[0] if turns else None

    def _chosen(self, choose: Chooser) -> Turn | None:
        turns = sorted(self._possible(), key=lambda turn: -turn.weight)
        place = choose([self._told(turn) for turn in turns]) if turns else None
        return None if place is None else turns[place]

    def _make(self, turn: Turn) -> None:
        if turn.kind == "wait":
            self._jump()
            return
        self._wait(self._chance.randint(1, PAUSE_S_MAX) * 1000)
        self._act(turn)
        self._follow()

    def _act(self, turn: Turn) -> Outcome:
        self._number += 1
        asked = self._asked(turn)
        outcome = self._happen(turn.who, self._told(turn, named=False), asked, number=self._number)
        if outcome in REFUSALS and turn.kind == "click" and turn.quantity == 1:
            self._memory.refused(outcome, turn.who, turn.verb, turn.suffix)
        return outcome

    def _asked(self, turn: Turn) -> Click | Event:
        if turn.kind == "click":
            facts = self._people[turn.who].facts
            return Click(turn.verb, turn.who, f"r{self._number}", turn.suffix, turn.quantity, facts)
        if turn.kind in ("refund", "late"):
            self._memory.closed.add(turn.order_id)
        if turn.kind in ("leave", "refund"):
            return self._stage.event("released", turn.order_id)
        return self._stage.event("paid" if turn.kind == "pay" else "late", turn.order_id)

    def _happen(self, who: str, what: str, asked: Click | Event, *, number: int = 0) -> Outcome:
        before = Snapshot.of(self._stage)
        (reply,) = self._stage.batch([asked], seed=self._chance.getrandbits(31))
        after, outcome = Snapshot.of(self._stage), Outcome(reply.outcome)
        intents = self._stage.intents()
        written, self._read = intents[self._read :], len(intents)
        verb = asked.verb if isinstance(asked, Click) else asked.kind
        self._count(verb, outcome, before.instances, after.instances)
        if verb == "released":
            self._memory.forget()
        reasons = self._valkey.step_errors()
        self.screen.show(Happening(number, self._stage.now_ms, who, what, outcome, before, after, written, reasons))
        time.sleep(self._options.pace_s)
        return outcome

    def _count(
        self, verb: str, outcome: Outcome, before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]
    ) -> None:
        self.outcomes[verb, outcome] += 1
        for suffix, cells in after.items():
            was = Status(before[suffix]["status"]) if suffix in before else Status.PENDING
            if cells["status"] != was:
                self.turns[was, Status(cells["status"]), verb] += 1

    # Time ---------------------------------------------------------------------------------------

    def _run_out(self, until_ms: float = inf) -> None:
        """Let happen what is due before that moment."""
        for _ in range(JUMPS_MAX):
            due_ms = next_due_ms(self._stage)
            if due_ms is None or due_ms >= until_ms:
                return
            self._jump()

    def _jump(self) -> bool:
        """Turn the clock to what is due next, and let it happen; False when nothing will be."""
        due_ms = next_due_ms(self._stage)
        if due_ms is None:
            return False
        self._stage.advance(due_ms - self._stage.now_ms)
        self._memory.forget()
        if due_ms == ms(self._stage.sale.window.starts_at):
            self.screen.note("the sale begins")
        if due_ms == self._stage.sale.ends_ms:
            self.screen.note("the sale ends")
        self._follow()
        return True

    def _wait(self, pause_ms: int) -> None:
        """Let a moment pass, and what is due in it happen on time."""
        until_ms = self._stage.now_ms + pause_ms
        while (due_ms := next_due_ms(self._stage)) is not None and due_ms <= until_ms:
            self._jump()
        self._stage.advance(until_ms - self._stage.now_ms)

    def _follow(self) -> None:
        """What the workers would do now: holds that ran out, money that goes back, deadlines."""
        for _ in range(DUE_ROUNDS_MAX):
            events = self._stage.due()
            if not events:
                return
            for event in events:
                who, what = self._due(event)
                outcome = self._happen(who, what, event)
                if event.kind == "deadline" and outcome == Outcome.DONE:
                    self._respond(event.suffix)
        raise PlaybookInvalid("something is due again and again: does `deadline` set wakeAt into the past?")

    def _respond(self, suffix: str) -> None:
        """After a deadline, those who took part try each action until it works for one of them."""
        if self._stage.now_ms >= self._stage.sale.ends_ms:
            return
        people = [self._people[name] for name in takers(self._stage, suffix)[:TRIES_MAX]]
        for verb in self._stage.sale.playbook.actions:
            for person in people:
                if verb in self._over or not self._memory.willing([person], verb, suffix):
                    continue
                outcome = self._act(Turn("click", 0, person.name, verb, suffix))
                if outcome == Outcome.ENDED:
                    self._over.add(verb)
                if outcome in EFFECTS:
                    break

    def _due(self, event: Event) -> tuple[str, str]:
        name = self.screen.name(event.suffix)
        if event.kind == "deadline":
            return "", f"deadline of {name}"
        order = self._stage.orders[event.order_id]
        if order.state == EffectState.PAID or order.owed:
            self._memory.closed.add(order.id)
            return order.user, f"is paid back ({name})"
        return order.user, f"has not paid in time ({name})"

    def _told(self, turn: Turn, *, named: bool = True) -> str:
        view = self._stage.sale.playbook.view
        words = {"open": view.open, "join": view.join, **view.actions}.get(turn.verb)
        place = self.screen.name(turn.suffix) if turn.suffix else ""
        clicked = " ".join(filter(None, (turn.verb, place, f"「{words}」" if words else "")))
        what = {
            "click": clicked + (f" ×{turn.quantity}" if turn.quantity > 1 else ""),
            "pay": f"pays ({place})",
            "leave": f"cancels ({place})",
            "refund": f"asks for the money back ({place})",
            "late": f"pays after all ({place})",
            "wait": "time passes",
        }[turn.kind]
        return f"{turn.who} {what}".strip() if named else what
