"""Where in step.lua something went wrong: the script that runs it is one of a thousand lines around it."""

import re
from collections.abc import Callable

from engine.kit.stage.harness import CLOCK
from engine.playbooks import script
from engine.playbooks.bounds import bounded
from engine.sdk import Playbook

PLACE = re.compile(r"user_script:(\d+): ?")
SCRIPT = re.compile(r" script: \S*,? ?on @user_script:\d+\.$")  # Valkey's own word on where: in the script around it


def step_lines(playbook: Playbook) -> Callable[[str], str]:
    """A function that turns `user_script:812: …` into `step.lua:17: …`; a place outside the step is left out.

    It is right for a script composed of this playbook alone.
    """
    around, step, _ = script.compose_gate([playbook], clock=CLOCK).partition(bounded(playbook.step))
    before, count = around.count("\n"), step.count("\n") + 1

    def named(place: re.Match[str]) -> str:
        line = int(place[1]) - before
        return f"step.lua:{line}: " if 1 <= line <= count else ""

    return lambda text: PLACE.sub(named, SCRIPT.sub("", text))
