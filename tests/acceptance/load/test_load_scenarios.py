"""The load scenarios against a whole running wanfa: locust in its own process, and the burst."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.up import CHECKOUT, Up, up_in_a_folder

TIMEOUT_S = 120


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    """A Python module of ours or of locust, as a person would run it."""
    command = [sys.executable, "-m", *argv]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


def locust(up: Up, *options: str) -> "subprocess.CompletedProcess[str]":
    """A few seconds of all personas."""
    fixed = ["-f", "loadtests/locustfile.py", "--headless", "--only-summary", "--host", up.url]
    fixed += ["--store-password", up.password(), "-u", "24", "-r", "12", "-t", "5s", "--max-p99-ms", "60000"]
    return run("locust", *fixed, *options)


def test_load_scenarios_judge_a_running_system(tmp_path: Path) -> None:
    """A stampede keeps every threshold; a threshold nobody can keep sets the exit code; the burst sees no 5xx."""
    with up_in_a_folder() as up:
        up.start()
        kept = locust(up, "--shape", "stampede", "--min-requests", "10")
        assert kept.returncode == 0, kept.stdout + kept.stderr
        assert "all thresholds kept" in kept.stdout

        broken = locust(up, "-t", "2s", "--max-p99-ms", "0.001", "--tags", "read")
        assert broken.returncode == 3, broken.stdout + broken.stderr
        assert "BROKEN  p99" in broken.stdout

        journal = tmp_path / "burst.jsonl"
        options = ["--url", up.url, "--clicks", "400", "--rate", "400", "--repeats", "0.25", "--connections", "64"]
        burst = run("loadtests.burst", *options, "--journal", str(journal), "--json")
        assert burst.returncode == 0, burst.stdout + burst.stderr
        result = json.loads(burst.stdout)
        assert sum(result["outcomes"].values()) == 400
        assert len(journal.read_text(encoding="utf-8").splitlines()) == 2 * 400
        assert result["orders"] == 300
        assert result["replayed"] == 100
        assert up.end() == 0
