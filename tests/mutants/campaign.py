"""Many rows at once: a copy for each core, a queue of rows, and a result each."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.copies import Copy
from tests.mutants.row import Row
from tests.mutants.run import Ran, Result, run_tests, try_row

TESTS_AT_ONCE = 60  # of the control, so that its last part keeps no other core waiting for long


class Copies:
    """Copies of the checkout, lent to one row at a time each."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.jobs = jobs
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            self._free.put(Copy(folder / f"copy-{number}"))

    @contextmanager
    def lent(self) -> Iterator[Copy]:
        """One that nobody else has."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def try_rows(self, rows: Sequence[Row], said: Callable[[Result], None]) -> list[Result]:
        """What became of each row, in their order; `said` hears of each as it is known, in a thread of its own."""

        def one(row: Row) -> Result:
            with self.lent() as copy:
                result = try_row(copy, row)
            said(result)
            return result

        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(one, rows))

    def control(self, rows: Iterable[Row]) -> list[Ran]:
        """The same tests without a bug: the runs that were not green. Else a failing test would prove nothing."""
        tests = list(dict.fromkeys(test for row in rows for test in row.by))
        parts = [tests[at : at + TESTS_AT_ONCE] for at in range(0, len(tests), TESTS_AT_ONCE)]

        def one(part: Sequence[str]) -> Ran:
            with self.lent() as copy:
                return run_tests(copy.folder, part, stop_at_first=False, timeout_s=1800)

        with ThreadPoolExecutor(self.jobs) as pool:
            return [ran for ran in pool.map(one, parts) if ran.code != 0]


@contextmanager
def copies(jobs: int = 0) -> Iterator[Copies]:
    """`jobs` copies, by default as many as there are cores; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="wanfa-mutants-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's Postgres runs as nobody
        yield Copies(Path(folder), jobs or os.cpu_count() or 1)
