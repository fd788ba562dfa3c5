"""The auditor passes clean evidence and finds each planted wrong."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.auditor.verdict import Verdict, Violation
from tests.acceptance.auditor.auditor_world import (
    GROUPS,
    HOLD_MS,
    HOUR_MS,
    LATE,
    NOON_MS,
    PRICE_FEN,
    SALE,
    World,
    clean_world,
    id_of,
)
from tests.acceptance.auditor.auditor_wrong_histories import WRONG_HISTORIES
from tests.acceptance.auditor.auditor_wrong_stores import WRONG_STORES
from tests.acceptance.auditor.auditor_wrongs import (
    WRONGS,
    archive,
    fence_off_an_acknowledged_click,
    forget_in_redis_what_goes_on,
    lose_an_acknowledged_click_everywhere,
    one_fen_off,
    order_of,
    replay_at_once_what_nobody_was_told,
    succeed_by_simulation_without_a_rule,
    take_money_after_the_end_unheard,
    take_money_for_nobody,
)

CHECKOUT = Path(__file__).resolve().parents[3]
AUDITOR = CHECKOUT / "loadtests/auditor"
EVERY_WRONG = [*WRONGS, *WRONG_STORES, *WRONG_HISTORIES]
Place = tuple[str, int]  # a file of the auditor and a line


def found(verdicts: dict[int | str, Verdict]) -> set[int | str]:
    """The invariants with violations."""
    return {number for number, verdict in verdicts.items() if verdict.violations}


def test_clean_evidence_passes_and_every_invariant_was_looked_at(tmp_path: Path) -> None:
    """No violation, and no check that looked at nothing."""
    verdicts = clean_world().audit(tmp_path)
    nothing: dict[int | str, list[Violation]] = {name: [] for name in (1, 2, 3, 4, 5, 6, 7, 8, "history")}
    assert {name: verdict.violations for name, verdict in verdicts.items()} == nothing
    assert all(sum(verdict.checked.values()) > 5 for verdict in verdicts.values())


def test_what_is_archived_is_in_postgres_alone(tmp_path: Path) -> None:
    """Redis has forgotten it, as it should."""
    world = clean_world()
    archive(world)
    forget_in_redis_what_goes_on(world)
    assert found(world.audit(tmp_path)) == set()


@pytest.mark.parametrize(
    ("wrong", "invariant", "words"), EVERY_WRONG, ids=[f"{wrong.__name__}-{number}" for wrong, number, _ in EVERY_WRONG]
)
def test_a_planted_wrong_is_found(
    wrong: Callable[[World], None], invariant: int | str, words: str, tmp_path: Path
) -> None:
    """Each wrong is reported under the invariant it breaks, by the check that is there for it."""
    world = clean_world()
    wrong(world)
    said = [violation.text for violation in world.audit(tmp_path)[invariant].violations]
    assert [text for text in said if words in text] != [], said


def test_each_check_has_a_planted_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many places report a violation as there are places in the source: none can be switched off unnoticed."""
    reported: list[tuple[int | str, str, Place]] = []
    check = Verdict.check

    def noted(verdict: Verdict, kind: str, holds: bool, subject: str, text: str) -> None:
        check(verdict, kind, holds, subject, text)
        if not holds:
            caller = sys._getframe(1)
            reported.append((verdict.invariant, text, (Path(caller.f_code.co_filename).name, caller.f_lineno)))

    monkeypatch.setattr(Verdict, "check", noted)
    places: set[Place] = set()
    for number, (wrong, invariant, words) in enumerate(EVERY_WRONG):
        reported.clear()
        world = clean_world()
        wrong(world)
        world.audit(tmp_path / str(number))
        fitting = {place for of, text, place in reported if of == invariant and words in text}
        assert len(fitting) == 1, f"the words of {wrong.__name__} must fit one check, and one only"
        places |= fitting
    assert places == checks_in_the_source()


def checks_in_the_source() -> set[Place]:
    """Every place that may report a violation: file and line. What is always true only counts."""
    places: set[Place] = set()
    for path in AUDITOR.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "verdict.check":
                holds = node.args[1]
                always = isinstance(holds, ast.Constant) and holds.value is True
                places |= set() if always else {(path.name, node.lineno)}
    return places


def test_only_checks_report_violations() -> None:
    """Nothing is reported in another way, which the test above would not see."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in AUDITOR.glob("*.py")}
    assert {name for name, text in sources.items() if "violations.append" in text} == {"verdict.py"}
    assert {name for name, text in sources.items() if ".check(" in text.replace("verdict.check(", "")} == set()


def test_an_intent_still_in_the_stream_is_not_lost(tmp_path: Path) -> None:
    """While the system runs, an acknowledged click may be on its way to Postgres."""
    world = clean_world()
    row = order_of(world, "uc")
    lose_an_acknowledged_click_everywhere(world)
    world.shards[0]["orders"] = [[row["id"], SALE, "s1", "uc", "r1", 1, 990, NOON_MS + HOLD_MS, 5, 1, 0, 0]]
    world.shards[0]["undrained"] = ["1-0"]
    assert found(world.audit(tmp_path, quiescent=False)) == set()


def test_a_late_payment_about_to_be_decided_is_no_lost_money(tmp_path: Path) -> None:
    """The gate has been asked whether anybody takes the payer in: the money is neither earned nor owed yet."""
    world = clean_world()
    row = world.order(GROUPS, "g2", "ux", "g", status="REFUNDING")
    world.tell(row, LATE)
    world.tables["gate_events"].append({"order_id": row["id"], "kind": "late"})
    assert found(world.audit(tmp_path, quiescent=False)) == set()


def test_who_paid_late_after_cancelling_has_the_money_back(tmp_path: Path) -> None:
    """The client was told that the order is cancelled; a seat they did not want any more is a broken promise."""
    world = clean_world()
    order = order_of(world, "uk", GROUPS, "g")
    line = {"user": "uk", "configId": GROUPS, "verb": "cancel", "sentAt": NOON_MS, "receivedAt": NOON_MS + 5}
    world.lines.append(line | {"status": 200, "outcome": "DONE", "orderId": order["id"]})
    assert found(world.audit(tmp_path)) == {5}


def test_a_late_payer_may_have_bought_in_between(tmp_path: Path) -> None:
    """While their first order was over they had another, which they gave back: never two at once."""
    world = clean_world()
    world.order(GROUPS, "g2", "uk", "other", status="CANCELLED", at=HOLD_MS + 1000)
    assert found(world.audit(tmp_path)) == set()


def test_money_that_a_question_will_find_is_no_lost_money(tmp_path: Path) -> None:
    """The provider has it and we do not know yet; it is noted."""
    world = clean_world()
    take_money_after_the_end_unheard(world)
    world.tables["payments"][-1]["ask_at"] = order_of(world, "ue")["updated_at"]
    verdicts = world.audit(tmp_path)
    assert (found(verdicts), verdicts[7].notes["payments to be found by asking"]) == (set(), 1)


def test_a_stray_payment_is_listed_and_so_no_difference(tmp_path: Path) -> None:
    """A person knows of it; it is noted until they have dealt with it."""
    world = clean_world()
    take_money_for_nobody(world)
    stray = {"transaction_id": "t-1", "order_id": "d" * 32, "settled_at": None}
    world.tables["stray_payments"].append(stray)
    verdicts = world.audit(tmp_path / "waiting")
    assert (found(verdicts), verdicts[7].notes["stray payments wait for a person"]) == (set(), 1)
    stray["settled_at"] = order_of(world, "ue")["updated_at"]
    verdicts = world.audit(tmp_path / "settled")
    assert (found(verdicts), dict(verdicts[7].notes)) == (set(), {})


def test_a_stray_payment_of_another_order_lists_nothing(tmp_path: Path) -> None:
    world = clean_world()
    take_money_for_nobody(world)
    world.tables["stray_payments"].append({"transaction_id": "t-1", "order_id": "e" * 32, "settled_at": None})
    assert found(world.audit(tmp_path)) == {7}


def test_a_leader_may_have_been_a_newcomer_once(tmp_path: Path) -> None:
    """Opening a group is for everybody."""
    world = clean_world()
    world.tables["play_configs"][1]["newcomer_verbs"] = ["join"]
    suffix = id_of(GROUPS, "ua", "lead")[:16]
    world.instance(GROUPS, suffix, "ACTIVE", 1, 3, seatsLeft=2, endsAt=NOON_MS + HOUR_MS)
    world.tables["play_configs"][1]["rules"]["limitPerPerson"] = 2
    world.warmed[GROUPS]["head"]["limit"] = 2
    world.order(GROUPS, suffix, "ua", "lead", status="PAID")
    assert found(world.audit(tmp_path)) == set()


def test_a_group_completed_by_simulation_is_whole_where_its_rules_allow_it(tmp_path: Path) -> None:
    """One of three has paid, and a third is enough."""
    world = clean_world()
    succeed_by_simulation_without_a_rule(world)
    world.tables["play_configs"][1]["rules"]["simulatedPercent"] = 33
    assert found(world.audit(tmp_path)) == set()


def test_a_leader_pays_the_leaders_price(tmp_path: Path) -> None:
    """And nobody is surprised: the instance bears the start of the leader's order id."""
    world = clean_world()
    world.tables["play_configs"][1]["rules"]["leaderOffFen"] = 100
    suffix = id_of(GROUPS, "ul", "g")[:16]
    world.instance(GROUPS, suffix, "ACTIVE", 1, 3, seatsLeft=2, endsAt=NOON_MS + HOUR_MS)
    world.order(GROUPS, suffix, "ul", "g", status="PAID", price_fen=PRICE_FEN - 100)
    assert found(world.audit(tmp_path)) == set()


def test_a_guest_is_taken_to_their_hosts_instance(tmp_path: Path) -> None:
    """They clicked on another one, were told where they are, and a playbook remembers why."""
    world = clean_world()
    row = order_of(world, "ua")
    for line in world.lines:
        if (line["user"], line["configId"]) == ("ua", SALE):
            line["instanceId"] = f"{SALE}.s2"
    assert found(world.audit(tmp_path / "without")) == {3}
    world.tables["people"][0]["cells"]["at"] = world.warmed[SALE]["remembered"]["ua"]["at"] = "s1"
    assert (found(world.audit(tmp_path / "with")), row["instance_id"]) == (set(), f"{SALE}.s1")


def test_a_server_that_asked_twice_may_call_the_only_answer_a_replay(tmp_path: Path) -> None:
    """It lost the answer to its batch and sent it again 50 ms later: the client waited, and clicked once."""
    world = clean_world()
    replay_at_once_what_nobody_was_told(world)
    for line in world.lines:
        if line["user"] == "uc" and line.get("replayed"):
            line["receivedAt"] = line["sentAt"] + 60
    assert found(world.audit(tmp_path)) == set()


def test_a_click_lost_with_the_tail_is_noted_but_no_violation(tmp_path: Path) -> None:
    """The disk lied: what was acknowledged before the tear may be missing, but only whole."""
    world = clean_world()
    lose_an_acknowledged_click_everywhere(world)
    verdicts = world.audit(tmp_path, torn=((NOON_MS - 10, NOON_MS + 1000),))
    assert (found(verdicts), verdicts[3].notes["lost with the tail"]) == (set(), 1)


def test_a_click_cancelled_by_the_fence_is_excused_only_by_a_torn_tail(tmp_path: Path) -> None:
    """A worker that read it before the disk lost it leaves a cancelled order."""
    world = clean_world()
    fence_off_an_acknowledged_click(world)
    verdicts = world.audit(tmp_path, torn=((NOON_MS - 10, NOON_MS + 10),))
    assert (found(verdicts), verdicts[3].notes["lost with the tail, cancelled"]) == (set(), 1)


def test_a_click_acknowledged_before_the_torn_tail_must_be_there(tmp_path: Path) -> None:
    """A torn tail excuses nothing that was on disk before it."""
    world = clean_world()
    lose_an_acknowledged_click_everywhere(world)
    assert found(world.audit(tmp_path, torn=((NOON_MS + 500, NOON_MS + 1000),))) == {3}


def test_a_click_sent_after_the_torn_tail_must_be_there(tmp_path: Path) -> None:
    """A torn tail excuses nothing that was written after it."""
    world = clean_world()
    lose_an_acknowledged_click_everywhere(world)
    assert found(world.audit(tmp_path, torn=((NOON_MS - 1000, NOON_MS - 10),))) == {3}


@pytest.mark.parametrize("torn", [(NOON_MS - 1000, NOON_MS - 1), (NOON_MS + 1, NOON_MS + 1000)])
def test_a_click_cancelled_by_the_fence_at_another_time_is_a_broken_promise(
    torn: tuple[int, int], tmp_path: Path
) -> None:
    world = clean_world()
    fence_off_an_acknowledged_click(world)
    assert found(world.audit(tmp_path, torn=(torn,))) == {3}


@pytest.mark.parametrize("outcome", ["UNKNOWN", "PAUSED", "UNAVAILABLE", "INTERNAL", None])
def test_a_click_that_the_server_could_not_decide_may_have_had_its_effect(outcome: str | None, tmp_path: Path) -> None:
    """Its only answer says nothing of what became of it, so an order is no broken word, and none is no loss."""
    world = clean_world()
    world.order(SALE, "s1", "ux", "r1")
    del world.lines[-2:]
    for user in ("ux", "uy"):
        world.click(SALE, user, "r1", status=503, outcome=outcome)
    assert found(world.audit(tmp_path)) == set()


def test_a_broken_line_within_a_journal_is_an_error(tmp_path: Path) -> None:
    """Evidence that cannot be read proves nothing; only the last line may be cut off."""
    world = clean_world()
    world.write(tmp_path)
    journal = tmp_path / "journals/client.jsonl"
    first, rest = journal.read_text(encoding="utf-8").split("\n", 1)
    journal.write_text(f"{first[:-1]}\n{rest}", encoding="utf-8")
    done = run_cli(tmp_path)
    assert (done.returncode, "DecodeError" in done.stderr) == (1, True)


def test_a_journal_line_cut_off_by_a_kill_is_ignored(tmp_path: Path) -> None:
    """The last line of a killed client may be half a line."""
    world = clean_world()
    world.write(tmp_path)
    with (tmp_path / "journals/client.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"user":"ua","confi')
    assert run_cli(tmp_path).returncode == 0


def test_the_exit_code_says_whether_anything_was_found(tmp_path: Path) -> None:
    """0 for clean evidence, 1 with the violation's id printed."""
    world = clean_world()
    one_fen_off(world)
    world.write(tmp_path)
    done = run_cli(tmp_path)
    assert (done.returncode, order_of(world, "ua")["id"] in done.stdout) == (1, True)


def run_cli(folder: Path) -> "subprocess.CompletedProcess[str]":
    """`python -m loadtests.auditor` over the evidence in `folder`."""
    argv = [sys.executable, "-m", "loadtests.auditor", "--quiescent", "--journals", str(folder / "journals")]
    argv += ["--redis-dump", str(folder / "redis.jsonl"), "--postgres-dump", str(folder / "postgres.jsonl")]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_the_auditor_shares_no_code_with_the_engine() -> None:
    """It imports libraries and itself, nothing of what it judges."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in AUDITOR.glob("*.py"))
    imports = [line.split()[1] for line in sources.splitlines() if line.startswith(("import ", "from "))]
    assert [name for name in imports if name.split(".")[0] in ("engine", "plugins", "api")] == []
    assert {name for name in imports if name.startswith("loadtests") and "auditor" not in name} == set()
