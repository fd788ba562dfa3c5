"""`python -OO` takes every docstring away; what people are told stays."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

CHECKOUT = Path(__file__).resolve().parents[3]

# Prints what this process has to say: every problem document, what Litestar answers in English, and what /schema shows.
PROGRAM = """
import json, sys
from litestar.testing import TestClient
from api.errors import rendered
from api.schema.openapi import tree
from engine.core.errors import WanfaError
from tests.unit.api.test_openapi import APP, DOCUMENT

with TestClient(APP) as client:
    lost = client.get("/nowhere", headers={"accept-language": "en"}).json()
    schema = client.get("/schema").status_code
problems = {
    language: [json.loads(rendered(kind(), language)[2]) for kind in tree(WanfaError)] for language in ("zh", "en")
}
summaries = [one["summary"] for verbs in DOCUMENT["paths"].values() for one in verbs.values()]
json.dump(
    {"doc": WanfaError.__doc__, "lost": lost, "schema": schema, "problems": problems, "summaries": summaries},
    sys.stdout,
)
"""


def said(*flags: str) -> dict[str, Any]:
    """What PROGRAM prints when Python is run with these flags."""
    command = [sys.executable, *flags, "-c", PROGRAM]
    found = subprocess.run(command, cwd=CHECKOUT, env={"PYTHONPATH": str(CHECKOUT)}, capture_output=True, check=True)
    answer: dict[str, Any] = msgspec.json.decode(found.stdout)
    return answer


def test_without_docstrings_everybody_is_told_the_same() -> None:
    plain, optimized = said(), said("-OO")
    assert plain.pop("doc")
    assert optimized.pop("doc") is None
    assert optimized == plain
    assert (optimized["lost"]["title"], optimized["schema"]) == ("There is no such thing", 200)
    assert all(one["title"] and one["detail"] for documents in optimized["problems"].values() for one in documents)
    assert all(optimized["summaries"])
