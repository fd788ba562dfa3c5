"""Demo people, stores and products for development: `wanfa up` makes what is missing.

Every loaded playbook gets one product in the first store, with its own first example: the engine knows
no playbook by name.
"""

import logging
from datetime import UTC, datetime, timedelta

import asyncpg

from engine.access.tokens import Role
from engine.catalog.catalog import Catalog
from engine.catalog.drafts import Draft
from engine.catalog.model import AssetType, Service
from engine.core.errors import NotFound, WanfaError
from engine.playbooks.consult import reason_of
from engine.runtime.bootstrap import Engine
from engine.sdk import Playbook

log = logging.getLogger("wanfa.demo")

PRODUCT_DAYS = 30
PRODUCT_STOCK = 1000

STORES = (("1001", "北京朝阳店", "BJ"), ("1002", "上海静安店", "SH"))
STAFF = (
    ("hq", Role.HQ, None),
    ("finance", Role.FINANCE, None),
    ("store-1001", Role.STORE, "1001"),
    ("clerk-1001", Role.CLERK, "1001"),
    ("store-1002", Role.STORE, "1002"),
    ("clerk-1002", Role.CLERK, "1002"),
)
SERVICES: tuple[tuple[str, str, AssetType, str, int], ...] = (
    ("1001", "舞蹈课", "COURSE", "节", 10),
    ("1001", "东北大米", "GOODS", "袋", 2),
    ("1002", "日常保洁", "SERVICE", "小时", 3),
)

_ON_SALE = """
SELECT count(*) FROM play_configs WHERE store_id = $1 AND template_code = $2 AND status <> 'ENDED' AND ends_at > $3
"""


async def make_demo(engine: Engine, password: str) -> list[str]:
    """Make what is missing; the codes of playbooks that got a product. Safe to repeat.

    Every staff member's password is `password` afterwards.
    """
    for store_id, name, city in STORES:
        try:
            await engine.catalog.stores.get(store_id)
        except NotFound:
            await engine.catalog.stores.create(name, city, store_id)
    for username, role, at_store in STAFF:
        await engine.access.ensure_staff(username, password, role, at_store)
    services = await _services(engine.catalog)
    made = []
    for template in await engine.catalog.templates.offered_to(STORES[0][0]):
        playbook = engine.playbooks.loaded[template.code]
        if playbook.examples and await _sell(engine.pool, engine.catalog, playbook, services[STORES[0][0]][0]):
            made.append(template.code)
    return made


async def _services(catalog: Catalog) -> dict[str, list[Service]]:
    services = {store_id: (await catalog.services.page(store_id, None, 100)).items for store_id, _, _ in STORES}
    for store_id, name, asset_type, unit_name, units in SERVICES:
        if name not in {service.name for service in services[store_id]}:
            made = await catalog.services.create(
                store_id, name=name, asset_type=asset_type, unit_name=unit_name, units_per_share=units
            )
            services[store_id].append(made)
    return services


async def _sell(pool: asyncpg.Pool, catalog: Catalog, playbook: Playbook, service: Service) -> bool:
    """One product on sale by this playbook, unless the store has one; whether it was made."""
    now = datetime.now(UTC)
    if await pool.fetchval(_ON_SALE, service.store_id, playbook.code, now):
        return False
    # What `wanfa playbook check` has judged is the example as it is: sold so where the playbook wants nothing larger.
    example = playbook.examples[0]
    for stock, hours in ((PRODUCT_STOCK, PRODUCT_DAYS * 24), (example.stock, example.hours)):
        draft = Draft(
            service_id=service.id,
            template_code=playbook.code,
            title=f"{playbook.name}版{service.name}",
            price_fen=example.price_fen,
            stock=stock,
            rules=dict(example.rules),
            starts_at=now,
            ends_at=now + timedelta(hours=hours),
        )
        refusal = await _refusal(catalog, service.store_id, draft)
        if not refusal:
            return True
    log.warning("no demo product for %s, its first example cannot be published: %s", playbook.code, refusal)
    return False


async def _refusal(catalog: Catalog, store_id: str, draft: Draft) -> str:
    """Put it on sale; why that cannot be, rule by rule, or "" when it is."""
    config = await catalog.drafts.create(store_id, draft)
    try:
        await catalog.life.publish(store_id, config.id)
    except WanfaError as error:
        await catalog.drafts.delete(store_id, config.id)
        return reason_of(error)
    return ""
