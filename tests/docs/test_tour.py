"""README's tour is run as printed, with bash, against a stack that was started for it."""

import subprocess

import pytest

from tests.docs.tour import CHECKOUT, keeps, promised, script_of, with_variable
from tests.support.up import up_in_a_folder

TOUR_TIMEOUT_S = 120


def test_the_tour_works_as_printed() -> None:
    """Line by line, the tour prints what README says it prints, and no command fails."""
    script = script_of((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    with up_in_a_folder() as up:
        up.start()
        pasted = with_variable(with_variable(script, "WANFA", up.url), "PASSWORD", up.password())
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", pasted],
            cwd=up.home,
            capture_output=True,
            text=True,
            timeout=TOUR_TIMEOUT_S,
            check=False,
        )
        up.end()

    printed = ran.stdout.splitlines()
    assert ran.stderr == "", ran.stderr + ran.stdout
    assert ran.returncode == 0, ran.stdout
    assert [
        (promise, line) for promise, line in zip(promised(script), printed, strict=False) if not keeps(promise, line)
    ] == []
    assert len(printed) == len(promised(script))


@pytest.mark.parametrize(
    ("promise", "printed", "kept"),
    [
        ("RESERVED", "RESERVED", True),
        ("RESERVED", "RESERVED!", False),
        ('{"id":"…","n":1}', '{"id":"c12","n":1}', True),
        ('{"id":"…","n":1}', '{"id":"c12","n":2}', False),
        ('{"id":"…"}', '{"id":""}', False),
    ],
)
def test_a_promise_is_compared_whole(promise: str, printed: str, kept: bool) -> None:
    """Nothing but the dots may differ."""
    assert keeps(promise, printed) == kept
