"""Clicks through the hot routes that carry facts, because the config asks for them; and verbs that come early."""

import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.core.ids import click_id
from engine.core.settings import Settings
from engine.gate import keys
from engine.gate.records import read_person
from tests.support.hot import Room, open_room
from tests.support.market import STORE
from tests.support.stall import installed, make_stall

HASH = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    with installed(make_stall()):
        async with open_room(settings) as opened:
            yield opened


async def stall(room: Room, *facts: str, **changes: Any) -> str:
    """The id of a config whose clicks carry these facts."""
    config = await room.publish("STALL", rules={"limitPerPerson": 0, "facts": list(facts)}, **changes)
    await room.caught_up()
    return config


async def said(room: Room, config: str, user: str = "u1", **how: Any) -> list[str]:
    """What a join was told of the newcomer, the device and the address."""
    raw = msgspec.json.encode({"requestId": secrets.token_hex(8)})
    headers = room.bearer(user) | how.pop("headers", {})
    answer = await room.send("POST", f"/v1/instances/{config}.s1/join", raw, headers=headers, **how)
    assert answer.status == 201, answer.body
    packed = await room.market.redis.hget(keys.people(0, config), user)
    me, _effects = read_person(packed)
    words: list[str] = me["said"].split(" ")
    return words


async def test_a_click_carries_what_is_asked_for_and_nothing_else(room: Room) -> None:
    """Every combination; a config that asks nothing hears nothing, whatever the client says."""
    headers = {"x-device-id": "phone-1"}
    assert await said(room, await stall(room), headers=headers) == ["nil", "nil", "nil"]
    newcomer, device, address = await said(room, await stall(room, "newcomer"), headers=headers)
    assert (newcomer, device, address) == ("true", "nil", "nil")
    newcomer, device, address = await said(room, await stall(room, "address", "device"), headers=headers)
    assert newcomer == "nil"
    assert HASH.fullmatch(device)
    assert HASH.fullmatch(address)
    assert device != address


async def test_what_is_asked_stands_with_the_config(room: Room) -> None:
    """Fixed at publication, in the order the playbook says, each once."""
    config = await stall(room, "device", "newcomer", "device")
    published = await room.engine.catalog.drafts.get(STORE, config)
    assert published.asks == ["device", "newcomer"]


async def test_a_newcomer_is_one_until_the_first_payment(room: Room) -> None:
    """Held is not paid; paid in one config is known in another."""
    one, other = await stall(room, "newcomer"), await stall(room, "newcomer")
    assert (await said(room, one, "u1"))[0] == "true"
    await room.market.drain_all()
    order_id = str(await room.market.pool.fetchval("SELECT id FROM orders WHERE user_id = 'u1'"))
    room.engine.admission.newcomers._known.clear()
    assert (await said(room, other, "u1"))[0] == "true"

    await room.market.pay(order_id.replace("-", ""), "u1")
    room.engine.admission.newcomers._known.clear()
    assert (await said(room, other, "u1"))[0] == "false"
    assert (await said(room, other, "u2"))[0] == "true"


async def test_nobody_is_taken_for_new_while_postgres_is_away(room: Room) -> None:
    """503 and nothing happened; a config that does not ask goes on selling."""
    asking, other = await stall(room, "newcomer"), await stall(room, "device")
    await room.market.pool.close()

    answer = await room.join(f"{asking}.s1")

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
    assert not await room.market.redis.exists(keys.people(0, asking))
    assert (await room.join(f"{other}.s1")).status == 201


async def test_the_same_device_is_known_again_by_a_hash(room: Room) -> None:
    """One device, two people: one hash, which is no hash anybody could make; silence and nonsense are nobody's."""
    config = await stall(room, "device")
    _, first, _ = await said(room, config, "u1", headers={"x-device-id": "phone-1"})
    _, second, _ = await said(room, config, "u2", headers={"x-device-id": "phone-1"})
    _, third, _ = await said(room, config, "u3", headers={"x-device-id": "phone-2"})
    assert first == second != third
    assert "phone" not in str(await room.everything())
    for number, header in enumerate(("", "x" * 129, "a\tb", "☃")):
        assert (await said(room, config, f"v{number}", headers={"x-device-id": header}))[1] == ""
    assert (await said(room, config, "w"))[1] == ""


async def test_a_device_called_like_an_address_is_not_taken_for_one(room: Room) -> None:
    """Each kind of fact has hashes of its own."""
    config = await stall(room, "device", "address")
    _, device, address = await said(room, config, client="192.0.2.1:1", headers={"x-device-id": "192.0.2.1"})
    assert device != address


async def test_two_installations_hash_differently(settings: Settings) -> None:
    """What one has stored is of no use to the other: the key is the secret."""
    hashes = set()
    for secret in ("a" * 32, "b" * 32, "a" * 200):
        auth = msgspec.structs.replace(settings.auth, secret=secret)
        with installed(make_stall()):
            async with open_room(msgspec.structs.replace(settings, auth=auth)) as room:
                config = await stall(room, "device", "address")
                hashes.add(tuple(await said(room, config, headers={"x-device-id": "phone-1"})))
    assert len(hashes) == 3


async def test_the_address_is_the_peers(room: Room) -> None:
    """Whatever port it clicks from, and whatever a client writes into headers nobody named."""
    config = await stall(room, "address")
    first = await said(room, config, "u1", client="198.51.100.7:4000")
    again = await said(
        room, config, "u2", client="198.51.100.7:5000", headers={"x-forwarded-for": "203.0.113.9", "forwarded": "x"}
    )
    other = await said(room, config, "u3", client="198.51.100.8:4000")
    assert first == again != other
    assert (await said(room, config, "u4", client="unix:"))[2] == ""


async def test_behind_a_proxy_the_address_is_what_its_header_says_last(settings: Settings) -> None:
    """What stands before was written by whoever clicks; a second line counts, and a missing one leaves the peer."""
    api = msgspec.structs.replace(settings.api, address_header="X-Forwarded-For")
    with installed(make_stall()):
        async with open_room(msgspec.structs.replace(settings, api=api)) as room:
            config = await stall(room, "address")

            async def seen(user: str, header: str | None) -> str:
                headers = {} if header is None else {"x-forwarded-for": header}
                return (await said(room, config, user, headers=headers))[2]

            plain = await seen("u1", "203.0.113.9")
            assert await seen("u2", "198.51.100.1, 10.0.0.1,203.0.113.9") == plain
            assert await seen("u3", "198.51.100.1\n203.0.113.9:1234") == plain
            assert await seen("u4", "203.0.113.9, 198.51.100.1") != plain
            assert await seen("u5", "unknown") == ""
            assert await seen("u6", None) == await seen("u7", "192.0.2.1") != plain


async def test_a_repeat_is_the_same_whatever_it_carries_now(room: Room) -> None:
    """Facts are no part of what is asked for: another device, and meanwhile a veteran, gets the first answer."""
    config = await stall(room, "newcomer", "device")
    raw, path = msgspec.json.encode({"requestId": "r1"}), f"/v1/instances/{config}.s1/join"
    first = await room.send("POST", path, raw, headers=room.bearer() | {"x-device-id": "phone-1"})
    await room.market.drain_all()
    await room.market.pay(click_id(config, "u1", "r1"), "u1")
    room.engine.admission.newcomers._known.clear()
    again = await room.send("POST", path, raw, headers=room.bearer() | {"x-device-id": "phone-2"})
    assert (again.status, again.json()["orderId"]) == (201, first.json()["orderId"])
    assert again.headers["idempotent-replayed"] == "true"


async def test_an_early_verb_reaches_redis_before_the_start(room: Room) -> None:
    """Only it: the others are refused from memory, and the early one is refused once all is over."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    config = await stall(room, starts_at=soon)
    assert (await room.join(f"{config}.s1")).code == "NOT_STARTED"
    act = f"/v1/instances/{config}.s1/actions/"
    assert (await room.post(act + "haggle", {"requestId": "r1"})).code == "NOT_STARTED"

    answer = await room.post(act + "subscribe", {"requestId": "r1"})

    assert (answer.status, answer.code) == (201, "DONE")
    await room.engine.catalog.life.end(STORE, config)
    assert (await room.post(act + "subscribe", {"requestId": "r2"})).code == "ENDED"


async def test_before_the_start_a_paused_sale_says_so(room: Room) -> None:
    """Not 未开始: it may not start at all."""
    config = await stall(room, starts_at=datetime.now(UTC) + timedelta(hours=1))
    await room.engine.catalog.life.pause(STORE, config)
    await room.caught_up()
    assert (await room.join(f"{config}.s1")).code == "PAUSED"
