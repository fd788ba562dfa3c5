"""A batch whose reply is lost is sent again as it was: every click is answered, and has its effect once."""

import asyncio
from typing import Any

import pytest

from engine.core.errors import Paused
from engine.gate.connection import HotConnection
from engine.gate.outcome import Outcome
from engine.local.running import Running
from tests.conftest import OwnValkey
from tests.gate.stage import Proxy, open_stage
from tests.support.gate import Sale
from tests.support.waiting import until

CROWD = [f"u{i}" for i in range(40)]


async def test_a_swallowed_reply_costs_no_unit(valkey: Running) -> None:
    """Redis decides forty clicks, the wire loses the answer, three times over: forty units are gone, not 160."""
    async with Proxy(valkey.port) as proxy, open_stage(valkey.url, through=proxy.url) as stage:
        await stage.publish(stock=100)
        await stage.click("first")
        proxy.swallow = 3

        replies = await asyncio.gather(*(stage.click(user) for user in CROWD))

        assert proxy.swallow == 0
        assert [reply.outcome for reply in replies] == [Outcome.RESERVED] * 40
        assert await stage.left() == 59
        assert sorted(await stage.order_ids()) == stage.ids_of(["first", *CROWD])


async def test_a_batch_is_sent_again_byte_for_byte(valkey: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its seed: whoever drew a blank in the lost one does not draw again."""
    sent: list[tuple[object, ...]] = []
    command = HotConnection.command

    async def noted(self: HotConnection, *words: Any) -> Any:
        sent.append(words)
        return await command(self, *words)

    async with Proxy(valkey.port) as proxy, open_stage(valkey.url, through=proxy.url) as stage:
        await stage.publish(stock=100)
        await stage.click("first")
        monkeypatch.setattr(HotConnection, "command", noted)
        proxy.swallow = 2
        await stage.click("u1")
        await stage.click("u2")

    first, *again, other = [words for words in sent if words[0] == "EVALSHA"]
    assert (again, other == first) == ([first, first], False)


async def test_a_refusal_whose_reply_was_lost_is_a_refusal_again(valkey: Running) -> None:
    """Who was refused in a lost batch is not let in by its second sending, and whoever won has won."""
    async with Proxy(valkey.port) as proxy, open_stage(valkey.url, through=proxy.url) as stage:
        await stage.publish(stock=3)
        await stage.told("nobody", suffix="s9")
        proxy.swallow = 1

        replies = await asyncio.gather(*(stage.click(user) for user in CROWD))

        assert [reply.outcome for reply in replies] == [Outcome.RESERVED] * 3 + [Outcome.SOLD_OUT] * 37
        assert sorted(await stage.order_ids()) == stage.ids_of(CROWD[:3])


async def test_replies_that_never_come_pause_the_shard_until_they_do(valkey: Running) -> None:
    """The wire holds what comes back: PAUSED after the timeout, at once from then on, open again by itself."""
    async with Proxy(valkey.port) as proxy, open_stage(valkey.url, through=proxy.url) as stage:
        await stage.publish(stock=10)
        await stage.click("u1")
        proxy.through.clear()
        stage.wait_shortly()

        assert {*await asyncio.gather(await stage.asking("u2"), stage.told("u3"))} == {"PAUSED"}
        with pytest.raises(Paused):
            stage.click("u4").send(None)  # without a turn of the loop

        stage.wait_long()
        proxy.through.set()
        assert (await stage.insist("u2")).outcome == Outcome.RESERVED
        assert (await stage.insist("u3")).outcome == Outcome.RESERVED
        assert await stage.left() == 7


async def test_a_killed_valkey_keeps_what_it_answered(own_valkey: OwnValkey) -> None:
    """SIGKILL under clicks that insist, and a restart on the same file: each has one effect, none is lost."""
    valkey = await own_valkey()
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=1000)
        answered: list[str] = []

        async def person(number: int) -> None:
            for turn in range(6):
                user = f"u{number}-{turn}"
                assert (await stage.insist(user)).outcome == Outcome.RESERVED
                answered.append(user)

        crowd = asyncio.gather(*(person(number) for number in range(30)))
        await until(lambda: len(answered) >= 30)
        valkey.kill()
        before = list(answered)
        await valkey.start()
        assert not set(stage.ids_of(before)) - set(await stage.order_ids())
        await stage.recover()
        await crowd

        assert sorted(await stage.order_ids()) == stage.ids_of(answered)
        assert await stage.left() == 1000 - 180


async def test_a_restarted_valkey_waits_for_its_recovery(own_valkey: OwnValkey) -> None:
    """The epoch key came back with the file, the script did not: nobody is answered until a worker says so."""
    valkey = await own_valkey()
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=10)
        await stage.click("u1")
        stage.wait_shortly()
        await valkey.restart()

        assert await stage.told("u2") == "PAUSED"
        assert not await stage.gate.knows_script()
        await stage.recover()
        assert (await stage.insist("u2")).outcome == Outcome.RESERVED
        assert await stage.left() == 8


async def test_a_client_that_leaves_takes_nobody_along(valkey: Running) -> None:
    """Clicks whose callers hang up are decided all the same; the others hear their own answers."""
    async with open_stage(valkey.url) as stage:
        await stage.publish(stock=100)
        tasks = [asyncio.create_task(stage.click(user)) for user in CROWD]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)

        assert all(isinstance(reply, asyncio.CancelledError) for reply in replies[::2])
        assert [reply.outcome for reply in replies[1::2] if not isinstance(reply, BaseException)] == [0] * 20
        again = await asyncio.gather(*(stage.click(user) for user in CROWD))
        assert [reply.outcome for reply in again] == [Outcome.RESERVED] * 40
        assert await stage.left() == 60


async def test_other_sales_go_on_after_a_lost_batch(valkey: Running) -> None:
    """Two configs share the lost batch; both are answered from the second sending."""
    async with Proxy(valkey.port) as proxy, open_stage(valkey.url, through=proxy.url) as stage:
        other: Sale = stage.beside("c00000000000b")
        await stage.publish(stock=5)
        await other.publish(stock=5)
        proxy.swallow = 1

        replies = await asyncio.gather(*(sale.click(user) for user in CROWD[:4] for sale in (stage, other)))

        assert [reply.outcome for reply in replies] == [Outcome.RESERVED] * 8
        assert (await stage.left(), await other.left()) == (1, 1)
