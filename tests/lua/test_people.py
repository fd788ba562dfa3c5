"""How much of a person the gate keeps: what lives is bounded, what was let go is bounded apart."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.core.settings import load_settings
from engine.gate.outcome import Outcome
from engine.gate.records import PERSON_RELEASED_MAX
from engine.kit.stage import open_stage
from engine.local.running import Running
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook
from tests.support.gate import Sale, gate_settings, open_sale

LIVE_MAX = load_settings("default", environ={}).gate.person_effects_max
STEP = "local function yes() end return { join = yes, cut = yes }"
FREE = msgspec.structs.replace(load_playbooks().loaded["FLASH_SALE"], step=STEP, actions=("cut",))


@pytest.fixture
async def free(hot_url: str) -> AsyncIterator[Sale]:
    """A sale whose steps allow everything, at the limits of a server as it is shipped."""
    settings = gate_settings(person_effects_max=LIVE_MAX, reopen_ms=0)
    async with open_sale(hot_url, playbooks=[FREE], settings=settings) as sale:
        await sale.publish(stock=1000)
        yield sale


async def let_go(sale: Sale, times: int) -> None:
    """Take a unit and let go of it, again and again."""
    for number in range(times):
        assert (await sale.click("u1", f"r{number}")).outcome == Outcome.RESERVED
        await sale.event("released", "u1", f"r{number}")


async def test_what_a_person_has_is_bounded(free: Sale) -> None:
    """Orders and actions together; one that is let go makes room for another."""
    for number in range(LIVE_MAX):
        verb = "cut" if number % 2 else "join"
        assert (await free.click("u1", f"r{number}", verb=verb)).outcome in {Outcome.RESERVED, Outcome.DONE}

    assert (await free.click("u1", "one more")).outcome == Outcome.LIMIT_REACHED
    assert (await free.click("u1", "one more", verb="cut")).outcome == Outcome.LIMIT_REACHED
    await free.event("released", "u1", "r0")
    assert (await free.click("u1", "one more")).outcome == Outcome.RESERVED


async def test_who_has_changed_their_mind_often_can_still_act_on_what_they_pay_for(free: Sale) -> None:
    """More orders let go than a person may have at once: another one can be held, paid and used."""
    await let_go(free, LIVE_MAX + 1)

    assert (await free.click("u1", "kept")).outcome == Outcome.RESERVED
    assert (await free.event("paid", "u1", "kept")).outcome == Outcome.DONE
    assert (await free.click("u1", "used", verb="cut")).outcome == Outcome.DONE


async def test_who_lets_go_of_everything_for_ever_is_given_nothing_more(free: Sale) -> None:
    """No further order; but each repeat has its first answer and takes no unit, and what holds no stock goes on."""
    first = await free.click("u1", "first")
    await free.event("released", "u1", "first")
    await let_go(free, PERSON_RELEASED_MAX - 1)

    assert (await free.click("u1", "one more")).outcome == Outcome.LIMIT_REACHED
    assert (await free.click("u1", "used", verb="cut")).outcome == Outcome.DONE
    assert await free.click("u1", "first") == first._replace(replayed=True)
    assert await free.left() == 1000


def test_the_authors_stage_keeps_as_much_of_a_person_as_a_server(valkey: Running) -> None:
    """What a playbook's own tests show is what its buyers meet."""
    playbook: Playbook = FREE
    with open_stage([playbook], url=valkey.url) as stage:
        stage.publish(playbook)
        suffix = next(iter(stage.instances()))
        outcomes = [stage.click("cut", "u", suffix=suffix).outcome for _ in range(LIVE_MAX + 1)]

    assert outcomes == [Outcome.DONE] * LIVE_MAX + [Outcome.LIMIT_REACHED]
