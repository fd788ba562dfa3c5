"""The nouns of the catalog, as stored and as sent: camelCase in JSON, snake_case here."""

from datetime import datetime
from typing import Any, Literal

import msgspec

AssetType = Literal["COURSE", "SERVICE", "GOODS"]
ConfigStatus = Literal["DRAFT", "PUBLISHED", "PAUSED", "ENDED"]


class Store(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """门店"""

    id: str
    name: str
    city: str
    created_at: datetime


class Service(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """服务: what a store really sells; one share carries `units_per_share` of `unit_name`."""

    id: str
    store_id: str
    name: str
    asset_type: AssetType
    unit_name: str
    units_per_share: int
    created_at: datetime


class PlayTemplate(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """玩法模板: a loaded playbook as HQ offers it. `store_ids` None: every store."""

    code: str
    name: str
    version: str
    unit_name: str
    rule_schema: dict[str, Any]
    defaults: dict[str, Any]
    enabled: bool
    store_ids: list[str] | None


class PlayConfig(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """营销商品: a service sold by a template's rules.

    `asks`: facts its clicks carry. `paused_why`: why the engine paused it, None when its store did.
    `warm_pending`: the gate has still to hear of this version.
    """

    id: str
    store_id: str
    store_name: str
    city: str
    service_id: str
    service_name: str
    asset_type: AssetType
    unit_name: str
    units_per_share: int
    template_code: str
    title: str
    price_fen: int
    stock: int
    rules: dict[str, Any]
    rules_version: str
    asks: list[str]
    starts_at: datetime
    ends_at: datetime
    status: ConfigStatus
    paused_why: str | None
    shard: int
    warm_pending: bool
    created_at: datetime
