"""What the rows of a config say after each change, and which of them a store or a worker may change."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.access.tokens import Role
from engine.catalog.drafts import Draft
from engine.catalog.life import PLAYBOOK_MISSING
from engine.core.errors import BadInput, NotFound
from engine.core.pages import Page
from engine.core.settings import Settings
from tests.support.market import STORE, Market, open_market

ROW = "SELECT status, paused_why, warm_pending FROM play_configs WHERE id = $1"


@pytest.fixture
async def market(settings: Settings) -> AsyncIterator[Market]:
    async with open_market(settings) as market:
        yield market


async def row(market: Market, config: str) -> tuple[object, ...]:
    return tuple(await market.pool.fetchrow(ROW, config) or ())


async def paused(market: Market, why: str | None) -> str:
    """A config that was paused for this reason; None: by its store."""
    config = await market.publish()
    await market.pool.execute("UPDATE play_configs SET status = 'PAUSED', paused_why = $2 WHERE id = $1", config, why)
    return config


async def test_only_what_the_engine_paused_goes_on_sale_by_itself(market: Market) -> None:
    """Not what its store did, nor what is over meanwhile."""
    by_engine, by_store = await paused(market, PLAYBOOK_MISSING), await paused(market, None)
    over = await paused(market, PLAYBOOK_MISSING)
    await market.pool.execute("UPDATE play_configs SET ends_at = now() WHERE id = $1", over)

    assert await market.engine.catalog.pause_orphans() == 0
    assert await row(market, by_engine) == ("PUBLISHED", None, True)
    assert (await row(market, by_store))[:2] == ("PAUSED", None)
    assert (await row(market, over))[:2] == ("PAUSED", PLAYBOOK_MISSING)


async def test_a_store_that_resumes_says_so(market: Market) -> None:
    """Why the engine had paused it is nobody's business any more."""
    config = await paused(market, PLAYBOOK_MISSING)
    await market.engine.catalog.life.resume(STORE, config)
    assert await row(market, config) == ("PUBLISHED", None, False)


async def test_what_is_over_is_not_resumed(market: Market) -> None:
    config = await paused(market, None)
    await market.pool.execute("UPDATE play_configs SET ends_at = now() WHERE id = $1", config)
    with pytest.raises(BadInput) as refused:
        await market.engine.catalog.life.resume(STORE, config)
    assert [wrong.pointer for wrong in refused.value.extra["errors"]] == ["/endsAt"]


async def test_a_draft_sells_a_service_of_its_own_store(market: Market) -> None:
    stores, now = market.engine.catalog.stores, datetime.now(UTC)
    other = await stores.create("二店", "SH")
    draft = Draft(
        service_id=market._service,
        template_code="FLASH_SALE",
        title="t",
        price_fen=990,
        stock=1,
        rules={},
        starts_at=now,
        ends_at=now + timedelta(days=1),
    )
    with pytest.raises(NotFound) as refused:
        await market.engine.catalog.drafts.create(other.id, draft)
    assert [wrong.pointer for wrong in refused.value.extra["errors"]] == ["/serviceId"]
    assert (await market.engine.catalog.drafts.create(STORE, draft)).status == "DRAFT"


async def test_a_template_is_offered_as_headquarters_say(market: Market) -> None:
    """Off: to nobody. On again, it is for the stores that it was for; for stores that there are not it cannot be."""
    templates = market.engine.catalog.templates
    other = (await market.engine.catalog.stores.create("二店", "SH")).id
    unset = msgspec.UNSET
    await templates.change("GROUP_BUY", enabled=unset, store_ids=[STORE])
    for enabled, offered in ((False, [False, False]), (True, [True, False])):
        await templates.change("GROUP_BUY", enabled=enabled, store_ids=unset)
        found = [[one.code for one in await templates.offered_to(store)] for store in (STORE, other)]
        assert ["GROUP_BUY" in codes for codes in found] == offered

    with pytest.raises(BadInput) as refused:
        await templates.change("GROUP_BUY", enabled=unset, store_ids=[STORE, "nowhere"])
    assert [wrong.pointer for wrong in refused.value.extra["errors"]] == ["/storeIds"]


async def test_lists_go_on_where_the_page_before_ended(market: Market) -> None:
    """By id, or by name: everybody once, and in order."""
    catalog, access = market.engine.catalog, market.engine.access
    for number in range(4):
        await catalog.services.create(
            STORE, name=f"n{9 - number}", asset_type="COURSE", unit_name="节", units_per_share=1
        )
        await catalog.stores.create(f"店{number}", "BJ")
        await access.ensure_staff(f"clerk{9 - number}", "correct horse", Role.CLERK, STORE)
    lists: dict[str, tuple[Callable[[str | None], Awaitable[Page[Any]]], Callable[[Any], str], int]] = {
        "services": (lambda cursor: catalog.services.page(STORE, cursor, 2), lambda one: one.id, 5),
        "stores": (lambda cursor: catalog.stores.page(cursor, 2), lambda one: one.id, 5),
        "staff": (lambda cursor: access.staff_page(cursor, 2), lambda one: one.username, 4),
    }
    for name, (page, key, count) in lists.items():
        found: list[str] = []
        cursor: str | None = None
        for _ in range(count):
            got = await page(cursor)
            found += [key(one) for one in got.items]
            if (cursor := got.next_cursor) is None:
                break
        assert (name, found) == (name, sorted(set(found)))
        assert len(found) == count
