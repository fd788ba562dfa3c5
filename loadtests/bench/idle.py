"""What playbooks that nobody clicks on cost: joins with many of them installed, against none."""

from pathlib import Path

from loadtests.bench.joins import JOINS, beside
from loadtests.bench.measure import Plan, Row, compare
from loadtests.bench.stack import Stack, second_wanfa

TARGET = 0.97

# Each is a whole playbook of real size under a code of its own, found by its entry point as a stranger's is.
MODULE = '''"""An idle playbook."""

import msgspec

import plugins.group_buy
from engine.sdk import Playbook, hookimpl


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest."""
    return msgspec.structs.replace(plugins.group_buy.wanfa_playbook(), code="IDLE_{number:02}", name="闲置 {number}")
'''
METADATA = "Metadata-Version: 2.1\nName: idle-playbook-{number:02}\nVersion: 1.0\n"
ENTRY_POINTS = "[wanfa.playbooks]\nidle_{number:02} = idle_playbook_{number:02}\n"


def install_idle(folder: Path, count: int) -> Path:
    """Packages as pip leaves them, in a folder for PYTHONPATH."""
    for number in range(1, count + 1):
        package = folder / f"idle_playbook_{number:02}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(MODULE.format(number=number), encoding="utf-8")
        info = folder / f"idle_playbook_{number:02}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(number=number), encoding="utf-8")
        (info / "entry_points.txt").write_text(ENTRY_POINTS.format(number=number), encoding="utf-8")
    return folder


def check_loaded(more: set[str], count: int) -> None:
    """RuntimeError unless the crowded side has loaded just the idle playbooks more than the other one."""
    wanted = {f"IDLE_{number:02}" for number in range(1, count + 1)}
    if more != wanted:
        raise RuntimeError(f"{len(wanted)} idle playbooks should be loaded, but these are: {sorted(more)}")


def idle_playbooks(stack: Stack, plan: Plan, count: int) -> list[Row]:
    """Joins of a flash sale with `count` idle playbooks installed, against the built-in ones alone."""
    with second_wanfa(stack, python_path=install_idle(stack.folder / "idle", count)) as crowded:
        check_loaded(crowded.subject.loaded() - stack.subject.loaded(), count)
        samples = beside(stack, crowded, f"{count} idle playbooks", (f"{count} idle", "none"), plan)
    return [compare(f"joins with {count} idle playbooks", JOINS, samples, TARGET)]
