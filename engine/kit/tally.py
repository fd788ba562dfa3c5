"""How much of its budget of loops and calls a step uses: what is left after each run is noted by the script itself."""

from collections.abc import Iterable

from engine.gate.bounds import TICKS_MAX
from engine.kit.stage import SHARD, Stage
from engine.sdk import Playbook

LEAST_KEY = f"{{s{SHARD}}}:least"
BEGIN = "function begin_run()\n"
NOTE = f"if ticks_left > 0 then redis.call('ZADD', '{LEAST_KEY}', 'LT', math.floor(ticks_left), 'ticks') end\n"
LAST = "return cmsgpack.pack({ now_ms, replies })"


class TallyStage(Stage):
    """A stage whose script notes the least that any run has left of its budget. It is slower: no use for times."""

    def script(self, playbooks: Iterable[Playbook]) -> str:
        """Before each run, and once more at the end, what the one before it has left."""
        source = super().script(playbooks)
        if source.count(BEGIN) != 1 or source.count(LAST) != 1:
            raise AssertionError("the gate's script has changed where it is tallied")
        return source.replace(BEGIN, BEGIN + NOTE).replace(LAST, f"begin_run()\n{LAST}")

    def ticks_used(self) -> int:
        """The most that a run has used since this was last asked."""
        least, _removed = self._wire.ask(("ZSCORE", LEAST_KEY, "ticks"), ("DEL", LEAST_KEY))
        return 0 if least is None else TICKS_MAX - int(float(least))
