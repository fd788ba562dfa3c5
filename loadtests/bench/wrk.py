"""wrk on the load core: a closed loop over many connections, its answers counted."""

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from loadtests.bench.cpu import LOAD_CORE, pinned

SCRIPT = Path(__file__).with_name("wrk") / "requests.lua"


class Run(msgspec.Struct, frozen=True):
    """What wrk counted. `answers` is filled in checked runs only: `201 RESERVED` -> how often."""

    requests: int
    seconds: float
    not2xx: int
    broken: int
    timeouts: int
    answers: dict[str, int]

    @property
    def good(self) -> int:
        """Answers with a 2xx status."""
        return self.requests - self.not2xx


class Target(NamedTuple):
    """What to ask of which server. `tokens` is a file with a bearer token a line."""

    port: int
    verb: Literal["join", "get"]
    path: str
    tokens: Path | None = None


class WrkMissing(Exception):
    """wrk cannot be found."""

    def __str__(self) -> str:
        return "wrk is not installed: `apt-get install wrk` (Debian, Ubuntu) or https://github.com/wg/wrk"


def find_wrk() -> str:
    """The path of wrk. Raises WrkMissing."""
    found = shutil.which("wrk")
    if not found:
        raise WrkMissing
    return found


def run_wrk(target: Target, connections: int, seconds: float, *, checked: bool = False) -> Run:
    """Load `target` for so many seconds; every join has a requestId nobody used before."""
    argv = [find_wrk(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "5s"]
    argv += ["-s", str(SCRIPT), f"http://127.0.0.1:{target.port}", "--"]
    argv += [target.verb, target.path, str(target.tokens or "-"), secrets.token_hex(4)]
    argv.append("checked" if checked else "plain")
    with pinned(LOAD_CORE):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds + 60)
    for line in done.stdout.splitlines():
        if line.startswith("WRK "):
            return msgspec.json.decode(line[4:], type=Run)
    raise RuntimeError(f"wrk failed: {done.stdout[-500:]}{done.stderr[-500:]}")
