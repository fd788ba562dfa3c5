"""One Postgres for a whole test run, whatever number of xdist workers share it.

The process that began the run keeps it, in a thread that waits for a worker to ask: a file `wanted`
in the run's folder. It answers with `ready` (the server's URL) or `failed` (why not). So a run
that needs no Postgres starts none, and no worker's end takes it from the others.
"""

import asyncio
import shutil
import tempfile
import threading
import time
from pathlib import Path

from engine.db import migrations
from engine.local.embedded import PostgresServer
from engine.local.running import Running

START_TIMEOUT_S = 60.0


class RunPostgres:
    """Starts the run's Postgres when asked and ends it with the run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wanfa-tests-"))
        self.folder.chmod(0o711)  # root's Postgres runs as nobody
        self._over = threading.Event()
        # It stays until the end: the server is tied to the thread that started it.
        self._thread = threading.Thread(target=self._keep, name="postgres-of-run", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server and remove all it stored."""
        self._over.set()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self) -> None:
        while not (self.folder / "wanted").exists():
            if self._over.wait(0.05):
                return
        server = PostgresServer(self.folder / "postgres", fsync=False, options={"max_connections": "200"})
        running = Running(server, self.folder / "postgres.log")
        try:
            asyncio.run(_prepare(running))
        except Exception as error:  # noqa: BLE001  # whatever it is, the workers must hear of it
            _publish(self.folder / "failed", f"{type(error).__name__}: {error}")
        else:
            _publish(self.folder / "ready", server.url)
            self._over.wait()
        running.stop()


async def _prepare(running: Running) -> None:
    await running.start()
    await migrations.migrate(running.url)  # the database `wanfa` is the template of all others


def _publish(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


def postgres_of_run(folder: Path) -> str:
    """The URL of the run's Postgres, which starts now if nobody asked for it before."""
    (folder / "wanted").touch()
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if (folder / "ready").exists():
            return (folder / "ready").read_text(encoding="utf-8")
        if (folder / "failed").exists():
            raise RuntimeError((folder / "failed").read_text(encoding="utf-8"))
        time.sleep(0.02)
    raise RuntimeError(f"the run's Postgres did not start within {START_TIMEOUT_S:.0f} s")
