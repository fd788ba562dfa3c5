"""The suite notices when a promise is switched off. If one of these fails, green tests mean little."""

from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, Bug
from tests.planted.runner import TESTS_FAILED, planted, run_tests

NAMED = [pytest.param(bug, id=bug.name.replace(" ", "-")) for bug in BUGS]
# What takes long, runs copies itself or only reads pages is not run on a copy.
WHOLE_SUITE = ("tests", "--ignore=tests/acceptance", "--ignore=tests/planted", "--ignore=tests/docs")


@pytest.mark.parametrize("bug", NAMED)
def test_a_planted_bug_is_caught_by_its_test(bug: Bug, tmp_path: Path) -> None:
    """Each test named for a bug runs on a copy with the bug, and fails."""
    with planted(bug, tmp_path) as copy:
        done = run_tests(copy, bug.caught_by)
    assert done.returncode == TESTS_FAILED, f"{done.stdout}\n{done.stderr}"
    assert "error" not in done.stdout.splitlines()[-1], done.stdout


def test_without_a_bug_the_same_tests_pass(tmp_path: Path) -> None:
    """The negative control's control: on an unchanged copy they are green."""
    with planted(Bug("none", (), ()), tmp_path) as copy:
        done = run_tests(copy, [test for bug in BUGS for test in bug.caught_by])
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.long
def test_without_a_bug_the_whole_suite_passes(tmp_path: Path) -> None:
    """Otherwise what follows would prove nothing."""
    with planted(Bug("none", (), ()), tmp_path) as copy:
        done = run_tests(copy, WHOLE_SUITE)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.long
@pytest.mark.parametrize("bug", NAMED)
def test_a_planted_bug_is_caught_by_the_whole_suite(bug: Bug, tmp_path: Path) -> None:
    """The same with every test but the campaigns."""
    with planted(bug, tmp_path) as copy:
        done = run_tests(copy, WHOLE_SUITE)
    assert done.returncode == TESTS_FAILED, f"{done.stdout}\n{done.stderr}"
