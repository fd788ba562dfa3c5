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
    row(
        "the repeat of a fenced click is told of a success that was none",
        RECOVERY,
        " AND reason IS DISTINCT FROM 'FENCED'",
        "",
        "tests/integration/api/test_hot_repeats.py::"
        "test_the_repeat_of_a_fenced_click_is_refused_when_its_unit_is_somebody_elses",
    ),
)
