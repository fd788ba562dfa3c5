"""What a store does before a campaign: a service, a marketing product, on sale."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from loadtests.client import Person, Sender, Unknown, log_in

LOGINS_AT_ONCE = 32
READY_TIMEOUT_S = 60.0


async def staff_token(client: Sender, password: str) -> str:
    """The demo store's own login."""
    body = {"username": "store-1001", "password": password}
    return str((await ask(client, "POST", "/v1/auth/staff", body))["token"])


async def publish(client: Sender, token: str, template: str, stock: int, rules: dict[str, Any]) -> str:
    """Put a service on sale with the playbook `template`; the config's id."""
    service = {"name": "舞蹈课", "assetType": "COURSE", "unitName": "节", "unitsPerShare": 10}
    service_id = (await ask(client, "POST", "/v1/store/services", service, token))["id"]
    now = datetime.now(UTC)
    config = {
        "templateCode": template,
        "serviceId": service_id,
        "title": "压测",
        "priceFen": 9900,
        "stock": stock,
        "rules": rules,
        "startsAt": _stamp(now - timedelta(minutes=1)),
        "endsAt": _stamp(now + timedelta(hours=6)),
    }
    config_id = str((await ask(client, "POST", "/v1/store/play-configs", config, token))["id"])
    await ask(client, "POST", f"/v1/store/play-configs/{config_id}/publish", {}, token)
    await until_on_sale(client, config_id)
    return config_id


async def until_on_sale(client: Sender, config_id: str) -> None:
    """Consumers can see the config."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while (await client.request("GET", f"/v1/play-configs/{config_id}")).status != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{config_id} is not on sale after {READY_TIMEOUT_S:.0f} s")
        await asyncio.sleep(0.05)


async def until_ready(client: Sender) -> None:
    """/readyz answers 200."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    seen: object = "no answer"
    while time.monotonic() < deadline:
        try:
            answer = await client.request("GET", "/readyz")
        except Unknown as error:
            seen = error
        else:
            if answer.status == 200:
                return
            seen = f"{answer.status} {answer.body[:300]!r}"
        await asyncio.sleep(0.05)
    raise RuntimeError(f"not ready after {READY_TIMEOUT_S:.0f} s: {seen}")


async def log_in_all(client: Sender, label: str, count: int) -> list[Person]:
    """Demo consumers `<label>0`, `<label>1`, …"""
    people: list[Person] = []
    for start in range(0, count, LOGINS_AT_ONCE):
        names = [f"{label}{number}" for number in range(start, min(count, start + LOGINS_AT_ONCE))]
        people += await asyncio.gather(*(log_in(client, name) for name in names))
    return people


async def ask(client: Sender, method: str, path: str, body: object = None, token: str | None = None) -> Any:
    """A request that must succeed; its decoded body."""
    answer = await client.request(method, path, body, token)
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
    return answer.json()


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
