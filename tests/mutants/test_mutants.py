"""The suite notices when a promise is switched off. If one of these fails, green tests mean little."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.campaign import Copies, copies
from tests.mutants.copies import Copy
from tests.mutants.row import Row, row
from tests.mutants.run import TARGET, Fate, Result, fate_of, missed, run_tests, try_row
from tests.mutants.table import CHECKOUT, PACKAGES, CannotPlant, faults, planted, rows_of
from tests.support.waiting import until_true

# The promises themselves; `scripts/test --long` plants every row.
DOZEN = (
    "a repeated request is decided anew",
    "a person may have more than the limit",
    "the last unit is sold twice",
    "Redis gives a hold back twice",
    "a writer of an earlier epoch is obeyed",
    "a Redis that was restarted is given the script and decides on from nothing",
    "the CHECK of the stock is dropped",
    "an entry is acknowledged before its commit",
    "an entry of a fenced-off writer is obeyed",
    "Postgres gives a hold back twice",
    "a move leaves no history",
    "an order that is owed keeps its units",
)
BY_NAME = {each.what: each for each in rows_of()}
LANGUAGES = "api/languages.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """One copy for all that is planted here."""
    return Copy(tmp_path_factory.mktemp("mutants") / "copy")


@pytest.fixture
def lent() -> Iterator[Copies]:
    """Two copies, as a campaign has them."""
    with copies(2) as lent:
        yield lent


def test_every_row_can_be_planted() -> None:
    """Its text stands exactly once in its file, it names tests that there are, and no other row has its name."""
    assert list(faults(rows_of())) == []


def test_every_test_that_a_row_names_is_there() -> None:
    """With these parameters: pytest finds each of them."""
    named = {test for row in rows_of() for test in row.by}
    ran = run_tests(CHECKOUT, ["--collect-only", "-qq", *sorted(named)])
    assert ran.code == 0, ran.output


def test_there_are_as_many_rows_as_promised() -> None:
    """In every package of rows/, and few of them say that nothing can notice."""
    rows = rows_of()
    assert len(rows) >= 200
    assert all(rows_of([package]) for package in PACKAGES)
    assert sum(bool(one.equivalent) for one in rows) <= len(rows) / 20


@pytest.mark.parametrize("name", DOZEN)
def test_a_bug_is_noticed(name: str, copy: Copy) -> None:
    """The tests named for the bug fail on a copy that has it."""
    result = try_row(copy, BY_NAME[name])
    assert result.fate == "caught", result.ran.output


def test_without_a_bug_the_same_tests_pass(copy: Copy) -> None:
    """The negative control's control: on a copy that every bug was taken out of again they are green."""
    ran = run_tests(copy.folder, [test for name in DOZEN for test in BY_NAME[name].by], stop_at_first=False)
    assert ran.code == 0, ran.output


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_nearly_every_bug_is_noticed() -> None:
    """98 of 100, and whatever is said to be equivalent survives."""
    with copies() as lent:
        assert [ran.output for ran in lent.control(rows_of())] == []
        results = lent.try_rows(rows_of(), lambda _: None)
    said = "\n".join(f"{fate}: {one.what}" for one, fate, _ in missed(results))
    assert len(missed(results)) <= (1 - TARGET) * len(results), said
    assert not [fate for _, fate, _ in results if fate == "wrong"], said


def test_a_bug_is_taken_out_again(copy: Copy) -> None:
    """Also when what is done with it fails."""
    bug = row("a", LANGUAGES, "CHARACTERS_MAX = 256", "CHARACTERS_MAX = 1", "tests/unit/api/test_languages.py")
    before = (copy.folder / LANGUAGES).read_bytes()

    def fail() -> None:
        with copy.with_bug(bug):
            assert (copy.folder / LANGUAGES).read_bytes() != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (copy.folder / LANGUAGES).read_bytes() == before == (CHECKOUT / LANGUAGES).read_bytes()


@pytest.mark.parametrize("before", ["nowhere", "language"], ids=["not at all", "more than once"])
def test_a_row_that_does_not_fit_its_file_is_an_error(before: str) -> None:
    """So the table cannot go stale unnoticed."""
    bug = row("a", LANGUAGES, before, "x", "tests/unit/api/test_languages.py")
    with pytest.raises(CannotPlant):
        planted(bug)
    assert len(list(faults([bug]))) == 1


@pytest.mark.parametrize(
    ("bug", "fault"),
    [
        (row("a", LANGUAGES, "return max(", "return max(("), "is no Python then"),
        (row("a", LANGUAGES, "return max(", "return max("), "it changes nothing"),
        (
            row("a", LANGUAGES, "return max(", "return min(", "tests/nowhere"),
            "there is no tests/nowhere",
        ),
        (row("a", LANGUAGES, "return max(", "return min("), "no test is named"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_proves_nothing_is_an_error(bug: Row, fault: str) -> None:
    """A bug must be one, and somebody has to look."""
    assert any(fault in found for found in faults([bug]))


FATES: dict[str, tuple[str, Fate]] = {
    "def test_it() -> None:\n    assert False\n": ("", "caught"),
    "def test_it() -> None:\n    pass\n": ("", "survived"),
    "def test_it(): # nothing can notice\n    pass\n": ("because", "equivalent"),
    "def test_it(): # but it does\n    assert False\n": ("because", "wrong"),
    "import nothing_of_that_name\n": ("", "broken"),
    "def test_it(no_such_fixture: int) -> None:\n    pass\n": ("", "broken"),
    "import time\n\n\ndef test_it() -> None:\n    time.sleep(60)\n": ("", "hung"),
}


@pytest.mark.parametrize(("source", "equivalent", "fate"), [(source, *rest) for source, rest in FATES.items()])
def test_what_became_of_a_bug(source: str, equivalent: str, fate: Fate, tmp_path: Path) -> None:
    """Only a test that failed has noticed it: one that cannot begin has not, nor one that our time-out ended."""
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    bug = row("a", "f", "b", "a", "test_it.py", equivalent=equivalent)
    ran = run_tests(tmp_path, bug.by, timeout_s=3 if fate == "hung" else 60)
    assert fate_of(bug, ran) == fate, ran.output
    assert (ran.failed == "test_it.py::test_it") == (fate in ("caught", "wrong") or "no_such_fixture" in source)


def test_what_a_hanging_test_has_started_ends_with_it(tmp_path: Path) -> None:
    """Also when it ignores that it is asked to end."""
    source = f"""
        import os, signal, subprocess, sys, time

        def test_it():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            child = subprocess.Popen([{sys.executable!r}, "-c", "import time; time.sleep(600)"])
            open("pid", "w").write(str(child.pid))
            time.sleep(600)
    """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(source), encoding="utf-8")
    assert run_tests(tmp_path, ["test_it.py"], timeout_s=3, clean_up_s=0.5).code is None
    status = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")

    def gone() -> bool:
        return not status.exists() or status.read_text().split()[2] == "Z"

    until_true(gone)  # a signal is delivered a moment after it was sent


def test_a_campaign_tells_of_each_row_and_keeps_their_order(lent: Copies) -> None:
    """Whoever is done first, and however many copies there are."""
    by = "tests/unit/api/test_languages.py"
    bugs = [
        row("one", LANGUAGES, "wanted.get(language, others)", "wanted.get(language, 0)", by),
        row("two", LANGUAGES, "REMEMBERED_MAX = 256", "REMEMBERED_MAX = 255", by),
    ]
    heard: list[Result] = []
    results = lent.try_rows(bugs, heard.append)
    assert [(one.what, fate) for one, fate, _ in results] == [("one", "caught"), ("two", "survived")]
    assert sorted(one.what for one, _, _ in heard) == ["one", "two"]
    assert [one.what for one, _, _ in missed(results)] == ["two"]
    assert lent.control(bugs) == []
