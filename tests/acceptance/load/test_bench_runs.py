"""The bench runs: servers, load and a row of figures, in a section that needs no peer."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.up import CHECKOUT

TIMEOUT_S = 240
# What the bench needs of wrk: the same arguments, one line of the same JSON, a few requests instead of many.
WRK = """#!{python}
import json, sys, time, urllib.error, urllib.request

url, verb, path, tokens, prefix, mode = sys.argv[-7], *sys.argv[-5:]
token = open(tokens).readline().strip() if tokens != "-" else ""
requests, not2xx, answers, started = 0, 0, dict(), time.monotonic()
while time.monotonic() - started < 1 or requests < 5:
    body = json.dumps({{"requestId": f"{{prefix}}-{{requests}}", "quantity": 1}}).encode() if verb == "join" else None
    headers = {{"Authorization": "Bearer " + token, "Content-Type": "application/json"}} if token else {{}}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url + path, body, headers))
    except urllib.error.HTTPError as error:
        answer = error
    said = json.loads(answer.read())
    word = f"{{answer.status}} {{said.get('outcome') or said.get('code') or '-'}}"
    requests, not2xx = requests + 1, not2xx + (answer.status >= 300)
    answers[word] = answers.get(word, 0) + 1
counted = answers if mode == "checked" else dict()
print("WRK " + json.dumps({{"requests": requests, "seconds": time.monotonic() - started, "not2xx": not2xx,
                          "broken": 0, "timeouts": 0, "answers": counted}}))
"""


def bench(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """`python -m loadtests.bench --quick`, with a wrk of our own: no test needs the real one."""
    wrk = folder / "wrk"
    wrk.write_text(WRK.format(python=sys.executable), encoding="utf-8")
    wrk.chmod(0o700)
    command = [sys.executable, "-m", "loadtests.bench", "--quick", "--people", "20", *options]
    variables = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def test_a_section_measures_and_writes_its_rows(tmp_path: Path) -> None:
    """Reads and refusals: each row has both sides, and says what was asked for."""
    out = tmp_path / "out.json"
    done = bench(tmp_path, "--only", "reads", "--only", "sold-out", "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads(out.read_bytes())["rows"]}
    assert {"detail reads", "sold-out answers"} <= set(rows)
    assert rows["detail reads"]["note"].startswith("HTTP 200, ")
    assert rows["sold-out answers"]["note"].startswith("HTTP 409, ")
    assert all(row["ours"] > 0 and row["other"] > 0 for row in rows.values())


def test_a_section_that_there_is_not_is_said(tmp_path: Path) -> None:
    done = bench(tmp_path, "--only", "nothing")
    assert (done.returncode, "no section nothing" in done.stderr) == (1, True)
