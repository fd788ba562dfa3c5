"""Python and Lua mean the same by every field: what is made on one side is read by name on the other."""

import re

import msgspec

from engine.core import ids
from engine.gate import keys, records
from engine.gate.lua import read_lua
from engine.gate.outcome import Outcome
from engine.gate.records import Effect, EffectState
from engine.gate.wire import Reply
from engine.playbooks import script
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook, Status
from engine.stream import intents
from tests.support.gate import CONFIG, SHARD, Sale, gate_settings, open_sale

ORDER = ids.click_id(CONFIG, "u1", "r1")
FINGERPRINT = ids.fingerprint("join", "s1", 2)

# No two values of anything it leaves behind are the same, so none can stand in another's place.
STEP = """
local step = {}
function step.join(click, rules, cells, me)
  cells.status, cells.current, cells.target, cells.wakeAt = ACTIVE, 7, 9, 1234
  me.told = click.verb .. ' ' .. click.user .. ' ' .. click.quantity .. ' ' .. click.instance .. ' ' .. click.order
  reward(click, { user = 'host', kind = 'CASH', amount = 55 })
  notice(click, { user = 'guest', topic = 'SOON', at = 66 })
end
function step.cut(click, rules, cells) cells.current = 8 end
return step
"""


def playbook() -> Playbook:
    return msgspec.structs.replace(load_playbooks().loaded["FLASH_SALE"], step=STEP, actions=("cut",))


async def told(sale: Sale) -> list[intents.Payload]:
    """The stream as the worker reads it."""
    found = await sale.redis.xrange(keys.intents(SHARD))
    return [intents.decode(entry_id, fields).payload for entry_id, fields in found]


async def test_a_click_its_reply_its_effect_and_its_intents_say_the_same(hot_url: str) -> None:
    """From the click on its way to Redis to the entry of the stream that Postgres is told by."""
    async with open_sale(hot_url, playbooks=[playbook()]) as sale:
        await sale.publish(price_fen=250)
        reply = await sale.click("u1", quantity=2)
        (payload,) = await told(sale)

        until_ms = payload.now_ms + gate_settings().hold_ttl_ms
        assert reply == Reply(
            outcome=Outcome.RESERVED, replayed=False, suffix="s1", pay_before_ms=until_ms, status=Status.ACTIVE,
            current=7, target=9,
        )  # fmt: skip
        assert await sale.mine("u1") == {"told": f"join u1 2 s1 {ORDER[:16]}", "rev": 1}
        assert await sale.person("u1") == [
            Effect(
                key=ORDER[: records.KEY_LENGTH], fingerprint=FINGERPRINT, state=EffectState.HELD, quantity=2,
                suffix="s1", pay_before_ms=until_ms, status=Status.ACTIVE, current=7, target=9,
            )
        ]  # fmt: skip
        assert payload.orders == [
            intents.OrderIntent(
                id=ORDER, config_id=CONFIG, suffix="s1", user="u1", request_id="r1", quantity=2, amount_fen=500,
                pay_before_ms=until_ms, fingerprint=FINGERPRINT, status=Status.ACTIVE, current=7, target=9,
            )
        ]  # fmt: skip


async def test_instances_people_and_promises_are_told_of_by_their_names(hot_url: str) -> None:
    """What a step has changed and promised, as the worker reads it."""
    async with open_sale(hot_url, playbooks=[playbook()]) as sale:
        await sale.publish(cells={"opensAt": 3})
        await sale.click("u1")
        (payload,) = await told(sale)
        cells, mine = await sale.cells(), await sale.mine("u1")

    assert payload.instances == [
        intents.InstanceIntent(
            config_id=CONFIG, suffix="s1", rev=1, status=Status.ACTIVE, current=7, target=9, wake_at_ms=1234,
            cells=cells,
        )
    ]  # fmt: skip
    assert payload.people == [intents.PersonIntent(config_id=CONFIG, user="u1", rev=1, cells=mine)]
    assert payload.rewards == [
        intents.RewardIntent(
            source=f"{ORDER}:join", number=0, config_id=CONFIG, suffix="s1", order_id=ORDER, user="host", kind="CASH",
            amount=55, unfreezes_ms=payload.now_ms,
        )
    ]  # fmt: skip
    assert payload.notices == [
        intents.NoticeIntent(
            source=f"{ORDER}:join", number=0, config_id=CONFIG, suffix="s1", user="guest", topic="SOON", due_ms=66
        )
    ]


async def test_actions_and_events_are_told_of_by_their_names(hot_url: str) -> None:
    async with open_sale(hot_url, playbooks=[playbook()]) as sale:
        await sale.publish(cells={"opensAt": 3})
        reply = await sale.click("u1", verb="cut")
        await sale.click("u1", "r2")
        await sale.event("paid", "u1", "r2")
        acted, _joined, paid = await told(sale)

        assert reply == Reply(outcome=Outcome.DONE, suffix="s1", status=Status.PENDING, current=8)
        assert [(one.state, one.quantity) for one in await sale.person("u1")] == [
            (EffectState.ACTION, 0),
            (EffectState.PAID, 1),
        ]
    assert acted.actions == [
        intents.ActionIntent(
            id=ORDER, config_id=CONFIG, suffix="s1", user="u1", request_id="r1", verb="cut",
            fingerprint=ids.fingerprint("cut", "s1", 1), status=Status.PENDING, current=8, target=0,
        )
    ]  # fmt: skip
    assert paid.events == [
        intents.EventIntent(
            order_id=ids.click_id(CONFIG, "u1", "r2"), config_id=CONFIG, kind="paid", state=EffectState.PAID,
            outcome=Outcome.DONE, suffix="s1",
        )
    ]  # fmt: skip


async def test_an_effect_that_python_wrote_is_answered_from(hot_url: str) -> None:
    """As after a recovery: the repeated click hears what its order's row says it was answered with."""
    async with open_sale(hot_url, playbooks=[playbook()]) as sale:
        await sale.publish(stock=5)
        effect = records.effect(
            order_id=ORDER, fingerprint=FINGERPRINT, state=EffectState.PAID, quantity=2, suffix="s1",
            pay_before_ms=77, receipt=(Status.SUCCESS, 3, 4),
        )  # fmt: skip
        await sale.redis.execute_command("HSET", keys.people(SHARD, CONFIG), "u1", records.person([effect], {"rev": 6}))

        assert await sale.click("u1", quantity=2) == Reply(
            outcome=Outcome.RESERVED, replayed=True, suffix="s1", pay_before_ms=77, status=Status.SUCCESS, current=3,
            target=4,
        )  # fmt: skip
        assert (await sale.click("u1", quantity=3)).outcome == Outcome.REQUEST_ID_REUSED
        assert (await sale.event("released", "u1")).outcome == Outcome.DONE
        assert await sale.left() == 7


async def test_a_batch_carries_the_settings(hot_url: str) -> None:
    """How long a hold lasts, how long a sold-out sale rests, how much one person may do."""
    settings = gate_settings(hold_ttl_ms=111_000, reopen_ms=222_000, person_effects_max=2)
    async with open_sale(hot_url, playbooks=[playbook()], settings=settings) as sale:
        await sale.publish(stock=2)
        held = await sale.click("u1")
        await sale.click("u1", "r2")
        await sale.event("released", "u1")
        await sale.click("u1", "r3", verb="cut")
        acted = await sale.click("u1", "r4", verb="cut")
        payloads = await told(sale)
        reopens_ms = int(await sale.redis.execute_command("HGET", keys.cells(SHARD, CONFIG), "reopens") or 0)

    assert held.pay_before_ms == payloads[0].now_ms + 111_000
    assert reopens_ms == payloads[2].now_ms + 222_000
    assert acted.outcome == Outcome.LIMIT_REACHED


GATES = "".join(read_lua(name) for name in [*(f"include/{name}" for name in script.GATE_INCLUDES), "gate"])
COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
TEXT = re.compile(r"'[^'\n]*'")
CAPITALS = re.compile(r"\b[A-Z][A-Z_]+\b")
VALUES = script._values().keys() | script._gate_values().keys()


def words(source: str) -> set[str]:
    """Every name in capitals, outside of comments and texts."""
    return set(CAPITALS.findall(TEXT.sub("", COMMENT.sub("", source))))


def test_every_name_in_capitals_has_a_value() -> None:
    """A misspelled one would be an error only where it is first read, in the middle of a batch."""
    own = set(re.findall(r"^local ([A-Z_]+) =", GATES, re.MULTILINE))

    assert words(GATES) - VALUES - own == {"KEYS", "ARGV"}
    assert words(script._gate()) - own == {"KEYS", "ARGV"}


def test_every_value_has_one_name_and_is_used() -> None:
    assert script._gate_values().keys() & script._values().keys() == set()
    assert script._gate_values().keys() - words(GATES) == set()


def test_no_text_holds_the_name_of_a_value() -> None:
    """It would be replaced there as well."""
    texts = " ".join(TEXT.findall(COMMENT.sub("", GATES)))

    assert set(CAPITALS.findall(texts)) & VALUES == set()
