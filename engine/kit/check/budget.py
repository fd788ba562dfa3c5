"""How much of its budget of loops and calls a step uses: the script itself records what each run has left."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.kit.stage.harness import SHARD, Stage
from engine.playbooks.bounds import TICKS_MAX
from engine.sdk import Playbook

LEAST_KEY = f"{{s{SHARD}}}:least"
RECORD = f"redis.call('ZADD', '{LEAST_KEY}', 'LT', math.floor(ticks_left), ran)"
LAST = "return cmsgpack.pack({ now_ms, replies, failures })"

# What stands in the script, and what instead of it: on as many lines, so that what fails is found at its line.
CHANGES = (
    ("local ticks_left, memory_kb_max, reason = 0, 0, nil\n", "local ticks_left, memory_kb_max, reason, ran = 0, 0\n"),
    ("function begin_run()\n", f"function begin_run(kind) if ran and ticks_left > 0 then {RECORD} end ran = kind\n"),
    ("  begin_run()\n  local ok, refusal =", "  begin_run(verb)\n  local ok, refusal ="),
    (LAST, f"begin_run() {LAST}"),
)


class LongestRun(NamedTuple):
    """The run of a step that used most of its budget, and the rules it had."""

    kind: str = ""
    ticks: int = 0
    rules: Mapping[str, Any] = {}


class BudgetStage(Stage):
    """A stage whose script keeps the least that any run has left of its budget. It is slower: no use for times."""

    def script(self, playbooks: Iterable[Playbook]) -> str:
        """Before each run, and once more at the end, what the one before it has left."""
        source = super().script(playbooks)
        for old, new in CHANGES:
            if source.count(old) != 1:
                raise AssertionError("the gate's script has changed where it is measured")
            source = source.replace(old, new)
        return source

    def longest(self) -> LongestRun:
        """The longest run since the sale was published."""
        (found,) = self._connection.ask(("ZRANGE", LEAST_KEY, 0, 0, "WITHSCORES"))
        if not found:
            return LongestRun()
        return LongestRun(found[0].decode(), TICKS_MAX - int(float(found[1])), self.sale.filled())
