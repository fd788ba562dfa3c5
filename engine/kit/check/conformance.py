"""The conformance kit: whether a playbook keeps its contract, on a real Valkey.

`wanfa playbook check NAME` runs it. In a playbook's own suite it is a class of tests:

    class TestDraw(Conformance):
        playbook = wanfa_draw.wanfa_playbook()

Each check is one test and its docstring the claim. The random schedules follow from `seed`, so a run can be repeated.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, TypeVar

from engine.core.errors import PlaybookInvalid
from engine.kit.check import cost, walk
from engine.kit.check.budget import BudgetStage
from engine.kit.check.invariants import CELLS_BYTES_MAX, Invariant
from engine.kit.check.search import CounterexampleSearch, SearchResult
from engine.kit.docs.readme import readme_of, rows_missing, writes_it
from engine.kit.manifest import examples, metrics, states, steps, words
from engine.kit.manifest.forms import document_of, field_faults, schema_faults
from engine.kit.stage.harness import Stage
from engine.kit.stage.steps import step_names
from engine.kit.stage.valkey import ThrowAwayValkey, open_valkey
from engine.playbooks.manifest import check_manifest
from engine.sdk import Playbook

SCHEDULES = 300
CROWD_DATABASE, BESIDE_DATABASE = 4, 5

LEGEND = "in this schedule (#1: the first instance, r1: the first request):"

Check = TypeVar("Check", bound=Callable[..., None])


class BrokenError(AssertionError):
    """A playbook does not keep its contract; the message says how."""


class BlockedError(BrokenError):
    """Something else is broken that has to be mended first."""


def explained(section: str) -> Callable[[Check], Check]:
    """A check whose rules stand under that heading in plugins/README.md."""

    def marked(check: Check) -> Check:
        check.__dict__["section"] = section
        return check

    return marked


def no_faults(faults: Iterable[str]) -> None:
    """Raises BrokenError when there are any."""
    if found := list(faults):
        raise BrokenError("\n".join(found))


class Conformance:
    """Every check of `wanfa playbook check`, for a playbook's own test suite."""

    playbook: ClassVar[Playbook]
    schedules: ClassVar[int] = SCHEDULES
    seed: ClassVar[int] = 0
    url: ClassVar[str | None] = None  # a Valkey whose databases 0 to 5 may be emptied; None: one of its own
    readme: ClassVar[Path | None] = None  # the operators' page; None: README.md of the package or project

    _open: ClassVar[ExitStack]
    _valkey: ClassVar[ThrowAwayValkey]
    _crowded: ClassVar[list[cost.CrowdResult] | None] = None
    _walk_faults: ClassVar[list[walk.WalkFault] | None] = None
    searched: ClassVar[SearchResult | None] = None  # what the random schedules have shown, once they were played
    dearest: ClassVar[cost.DearestCosts | None] = None  # what the dearest clicks cost, once that was measured

    @classmethod
    def setup_class(cls) -> None:
        """Start what the checks stand on."""
        cls._open = ExitStack()
        cls._valkey = cls._open.enter_context(open_valkey(cls.url))
        cls.searched = cls.dearest = cls._crowded = cls._walk_faults = None

    @classmethod
    def teardown_class(cls) -> None:
        """End it."""
        cls._open.close()

    @classmethod
    def played(cls, schedules: int) -> None:
        """Called after each random schedule; `check` shows how far it is."""

    # What can be read ---------------------------------------------------------------------------

    @explained("Playbook")
    def test_the_manifest_is_right(self) -> None:
        """The manifest is right: its types, names and words."""
        try:
            check_manifest(self.playbook)
        except PlaybookInvalid as error:
            raise BrokenError(str(error)) from None
        no_faults(words.word_faults(self.playbook))

    @explained("Rules")
    def test_the_form_is_a_schema(self) -> None:
        """The rules are a JSON Schema 2020-12, complete in itself."""
        no_faults(schema_faults(document_of(self.playbook)))

    @explained("Rules")
    def test_every_rule_is_explained_and_bounded(self) -> None:
        """Every rule has a Chinese title, a Chinese description and bounds."""
        no_faults(field_faults(document_of(self.playbook)))

    @explained("Example")
    def test_the_examples_can_be_published(self) -> None:
        """There is an example, and each could be published as it is."""
        no_faults(examples.example_faults(self.playbook))

    @explained("Session")
    def test_other_rules_are_answered_as_well(self) -> None:
        """Its functions have an answer for whatever rules the form lets through."""
        self._needs_examples()
        no_faults(examples.answer_faults(self.playbook))

    @explained("Playbook")
    def test_current_rules_need_no_upgrade(self) -> None:
        """Rules of this version are left as they are by upgrade_rules."""
        no_faults(examples.upgrade_faults(self.playbook))

    @explained("States")
    def test_every_state_is_reached_and_leads_to_an_end(self) -> None:
        """Every state can be reached from where instances begin, and from each an end can be."""
        no_faults(states.move_faults(self.playbook.states, states.starts(self.playbook)))

    @explained("States")
    def test_money_goes_back_at_an_end(self) -> None:
        """Only a state that nothing follows pays everybody back."""
        no_faults(states.refund_faults(self.playbook.states))

    @explained("Metric")
    def test_metrics_are_total(self) -> None:
        """Every metric has an answer for whatever was counted, and a dash for nothing."""
        no_faults(metrics.metric_faults(self.playbook))

    @explained("Rules")
    def test_operators_have_a_page(self) -> None:
        """There is a README.md for operators, and its table has every rule."""
        text = readme_of(self.playbook) if self.readme is None else self.readme.read_text(encoding="utf-8")
        if text is None:
            none = "there is no README.md in the package or beside its pyproject.toml"
            raise BrokenError(f"{none}\n{writes_it(self.playbook)}")
        if missing := rows_missing(text, document_of(self.playbook)):
            rows = [f"no row of its tables has {row}" for row in missing]
            raise BrokenError("\n".join([*rows, writes_it(self.playbook, self.readme)]))

    # What has to be run -------------------------------------------------------------------------

    @explained("Steps")
    def test_the_steps_are_steps(self) -> None:
        """step.lua compiles and returns steps that the gate calls."""
        no_faults(steps.step_faults(self.playbook, self._steps()))

    @explained("When something is wrong")
    def test_no_step_fails(self) -> None:
        """No step fails, whatever price and rules, and whatever people, payments and time do."""
        self._holds(Invariant.NO_FAILURE)
        no_faults([failure for found in self._crowds() for failure in found.failures][:1])

    @explained("Purity")
    def test_steps_are_pure(self) -> None:
        """Steps depend on their arguments only: in a batch or alone, they decide the same."""
        self._holds(Invariant.PURE)

    @explained("Steps")
    def test_stock_is_conserved(self) -> None:
        """Units left and units taken are always as many, in the config and in each session."""
        self._holds(Invariant.CONSERVED)

    @explained("Steps")
    def test_effects_happen_once(self) -> None:
        """A request or event that comes again changes nothing."""
        self._holds(Invariant.ONCE)

    @explained("What a step is given")
    def test_places_are_kept(self) -> None:
        """No seat is given away twice, and one that is given back is free again."""
        self._holds(Invariant.PLACES)

    @explained("What a step is given")
    def test_rebates_are_paid_for(self) -> None:
        """No order gets more back than it has paid."""
        self._holds(Invariant.REBATES)

    @explained("Steps")
    def test_deadlines_resolve(self) -> None:
        """Deadlines bring every instance to its end, and change nothing before their time or twice."""
        self._holds(Invariant.RESOLVES)

    @explained("Purity")
    def test_cells_stay_small(self) -> None:
        """An instance's cells stay small, even when a crowd is in it."""
        self._holds(Invariant.SMALL)
        found = max(self._crowds(), key=lambda found: found.cells_bytes)
        if found.cells_bytes > CELLS_BYTES_MAX:
            crowd = f"after {cost.CROWD} people came to one instance its cells take {found.cells_bytes} bytes"
            raise BrokenError(f"{crowd}, of at most {CELLS_BYTES_MAX}; rules {found.rules}")

    @explained("Purity")
    def test_clicks_are_cheap(self) -> None:
        """No click costs more than its budget in Valkey."""
        self._needs_examples()
        crowds, result = self._crowds(), self.search_result()
        walked = any(fault.invariant is Invariant.NO_FAILURE for fault in self._walked())
        if walked or result.broken.get(Invariant.NO_FAILURE) or any(found.failures for found in crowds):
            raise BlockedError("mend first: steps that fail cost nothing")
        longest = max(result.longest, *(found.longest for found in crowds), key=lambda run: run.ticks)
        with self._stage(self.playbook, CROWD_DATABASE) as stage, self._stage(cost.TRIVIAL, BESIDE_DATABASE) as beside:
            rows = cost.costs(stage, self.playbook, beside)
        type(self).dearest = cost.DearestCosts(rows[0], longest)
        no_faults(cost.faults(rows, longest))

    # What they stand on -------------------------------------------------------------------------

    @classmethod
    def search_result(cls) -> SearchResult:
        """What the random schedules have shown; they are played when this is first asked for."""
        if cls.searched is None:
            search = CounterexampleSearch(cls._valkey, cls.playbook, cls._steps_or_unknown())
            try:
                cls.searched = search.run(cls.schedules, cls.seed, cls.played)
            finally:
                search.close()
        return cls.searched

    def _holds(self, invariant: Invariant) -> None:
        self._needs_examples()
        no_faults([fault.text for fault in self._walked() if fault.invariant is invariant][:3])
        result = self.search_result()
        if counterexample := result.broken.get(invariant):
            schedule = "\n".join(f"  {line}" for line in counterexample.lines)
            raise BrokenError(f"{counterexample.text}\n{LEGEND}\n{schedule}")
        if result.whole * 2 < result.schedules:
            broken = ", ".join(sorted(result.broken))
            raise BlockedError(f"most schedules broke off before their end; mend first: {broken}")

    @classmethod
    def _walked(cls) -> list[walk.WalkFault]:
        """What a few people have shown of every price and rule; they come when this is first asked for."""
        if cls._walk_faults is None:
            cls._steps_or_unknown()
            with cls._stage(cls.playbook, CROWD_DATABASE) as stage:
                cls._walk_faults = list(walk.faults(stage, cls.playbook, cls._valkey.step_errors))
        return cls._walk_faults

    @classmethod
    def _crowds(cls) -> list[cost.CrowdResult]:
        """What crowds in one instance have shown; they come when this is first asked for."""
        if cls._crowded is None:
            cls._steps_or_unknown()
            with BudgetStage(cls._valkey.url, [cls.playbook], database=CROWD_DATABASE) as stage:
                cls._crowded = cost.crowds(stage, cls.playbook, cls._valkey.step_errors)
        return cls._crowded

    @classmethod
    def _stage(cls, playbook: Playbook, database: int) -> Stage:
        return Stage(cls._valkey.url, [playbook], database=database)

    @classmethod
    def _steps(cls) -> list[str]:
        try:
            return step_names(cls._valkey.url, cls.playbook)
        except PlaybookInvalid as error:
            raise BrokenError(str(error)) from None

    @classmethod
    def _steps_or_unknown(cls) -> list[str]:
        try:
            return cls._steps()
        except BrokenError as error:
            raise BlockedError(f"mend first: {error}") from None

    @classmethod
    def _needs_examples(cls) -> None:
        if examples.example_faults(cls.playbook):
            raise BlockedError("mend first: there is no example, or one that cannot be published")
