"""One request at a time, to look at an answer."""

import http.client
import json
from itertools import islice
from typing import NamedTuple

from loadtests.bench.wrk import Target

# What a server adds by itself.
SERVER_HEADERS = frozenset({"date", "server", "content-length", "connection"})
TIMEOUT_S = 10


class Answer(NamedTuple):
    """An answer, to be looked at or to be given again by the bare server. Status 0: nobody answered."""

    status: int
    headers: list[tuple[str, str]]
    body: str


def ask(port: int, path: str, token: str = "", request_id: str = "") -> Answer:
    """A GET, or with `request_id` a join of one unit."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
    body = json.dumps({"requestId": request_id, "quantity": 1}) if request_id else None
    try:
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    except OSError:
        return Answer(0, [], "")
    finally:
        connection.close()
    kept = [(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in SERVER_HEADERS]
    return Answer(answer.status, kept, text)


def first_tokens(target: Target, count: int) -> list[str]:
    """The tokens of the first people in the target's file."""
    if target.tokens is None:
        raise ValueError(f"{target.path} is asked without tokens")
    with target.tokens.open(encoding="utf-8") as lines:
        return [line.strip() for line in islice(lines, count)]
