"""What runs by itself: recovery, who owns a shard, loops and jobs, migrations."""

from tests.mutants.row import row

RECOVERY = "engine/stream/recovery.py"


ROWS = (
    row(
        "a recovery stops at a stream without a group",
        RECOVERY,
        "    await drain.join()\n",
        "",
        "tests/integration/stream/test_recovery.py",
        equivalent="reading from a group that is not there makes it: the drain's own step does",
    ),
)
