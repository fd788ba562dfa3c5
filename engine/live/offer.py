"""A play config on sale, as a consumer sees it: pure functions of the snapshot and the time."""

from datetime import datetime
from typing import Any

import msgspec

from engine.catalog.model import AssetType
from engine.gate.records import HeadStatus
from engine.live.entries import LiveConfig
from engine.live.view import Button


class OfferView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """营销商品. `button` None: consumers open no instances of it, they join the ones there are."""

    id: str
    store_id: str
    store_name: str
    city: str
    service_id: str
    service_name: str
    asset_type: AssetType
    unit_name: str
    units_per_share: int
    play_code: str
    play_name: str
    title: str
    price_fen: int
    stock: int
    stock_left: int
    rules: dict[str, Any]
    starts_at: datetime
    ends_at: datetime
    status: str
    button: Button | None


def offer_view(live: LiveConfig, now_ms: int) -> OfferView:
    """The view at `now_ms` (Redis' clock)."""
    config = live.config
    return OfferView(
        id=config.id,
        store_id=config.store_id,
        store_name=config.store_name,
        city=config.city,
        service_id=config.service_id,
        service_name=config.service_name,
        asset_type=config.asset_type,
        unit_name=config.unit_name,
        units_per_share=config.units_per_share,
        play_code=config.template_code,
        play_name=live.playbook.name,
        title=config.title,
        price_fen=config.price_fen,
        stock=config.stock,
        stock_left=live.to_sell(now_ms),
        rules=config.rules,
        starts_at=config.starts_at,
        ends_at=config.ends_at,
        status=HeadStatus(live.head_status).name,
        button=_button(live, now_ms),
    )


def _button(live: LiveConfig, now_ms: int) -> Button | None:
    words = live.playbook.view.open
    if words is None:
        return None
    if now_ms >= live.ends_ms or live.head_status == HeadStatus.ENDED:
        return Button("已结束", disabled=True, reason="ENDED")
    if live.head_status == HeadStatus.PAUSED:
        return Button("暂停中", disabled=True, reason="PAUSED")
    if now_ms < live.starts_ms:
        return Button("未开始", disabled=True, reason="NOT_STARTED")
    if live.to_sell(now_ms) < 1:
        return Button("已售罄", disabled=True, reason="SOLD_OUT")
    return Button(words, disabled=False, reason=None)
