"""What headquarters do: decide which templates are offered to whom, open stores, hire staff."""

from typing import Annotated

import msgspec
from litestar import Controller, get, patch, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET

from api.doors import Cursor, Engaged, Limit, Who, only, says
from api.schema.bodies import NewStaff, NewStore, TemplateChange, decode
from engine.access.access import Staff
from engine.access.tokens import Role
from engine.catalog.model import PlayTemplate, Store
from engine.core.errors import AlreadyExists, BadInput, CursorInvalid, NotFound
from engine.core.pages import LIMIT_DEFAULT, Page
from engine.money.refunds import StuckRefund
from engine.money.strays import StrayPayment
from engine.rewards.rewards import RewardRecord, RewardStatus

READERS = (Role.HQ, Role.FINANCE)

Status = Annotated[RewardStatus, QueryParameter(description="奖励状态，默认 FLAGGED")]


class Quarantined(msgspec.Struct, frozen=True):
    """加载失败的玩法插件及其原因"""

    name: str
    error: str


class Missing(msgspec.Struct, frozen=True):
    """未加载的玩法，及因此被暂停的商品数"""

    code: str
    paused: int


class TemplatesPage(msgspec.Struct, frozen=True, rename="camel"):
    """全部玩法模板"""

    items: list[PlayTemplate]
    next_cursor: str | None
    quarantined: list[Quarantined]
    missing: list[Missing]


class HqController(Controller):
    """Headquarters."""

    path = "/v1/hq"

    @get(
        "/templates",
        **only(*READERS),
        **says("玩法模板：全部已加载的玩法、加载失败的玩法和原因，以及因玩法未加载而暂停的商品数"),
    )
    async def templates(self, engine: Engaged) -> TemplatesPage:
        """Every playbook: loaded, quarantined, or missed by what is on sale."""
        failed = [Quarantined(name, error) for name, error in sorted(engine.playbooks.quarantined.items())]
        missing = [Missing(code, paused) for code, paused in (await engine.catalog.orphans()).items()]
        return TemplatesPage(await engine.catalog.templates.every(), None, failed, missing)

    @patch(
        "/templates/{code:str}",
        **only(Role.HQ),
        **says("启用或停用玩法，或指定哪些门店可用；已上架的商品不受影响", NotFound, BadInput, body=TemplateChange),
    )
    async def change_template(self, code: FromPath[str], body: RawBody, engine: Engaged) -> PlayTemplate:
        """Switch a template on or off, or choose its stores."""
        ask = decode(TemplateChange, body)
        return await engine.catalog.templates.change(code, enabled=ask.enabled, store_ids=ask.store_ids)

    @get("/stores", **only(*READERS), **says("门店列表", CursorInvalid))
    async def stores(self, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page[Store]:
        """A page of stores."""
        return await engine.catalog.stores.page(cursor, limit)

    @post("/stores", **only(Role.HQ), **says("新增门店", AlreadyExists, body=NewStore))
    async def create_store(self, body: RawBody, engine: Engaged) -> Store:
        """Open a store."""
        ask = decode(NewStore, body)
        return await engine.catalog.stores.create(ask.name, ask.city, None if ask.id is UNSET else ask.id)

    @get("/stores/{store_id:str}", **only(*READERS), **says("门店详情", NotFound))
    async def store(self, store_id: FromPath[str], engine: Engaged) -> Store:
        """One store."""
        return await engine.catalog.stores.get(store_id)

    @get(
        "/rewards",
        **only(*READERS),
        **says(
            "某一状态的奖励，最新的在前；默认列出因共用设备、地址或付款人而扣下、待人工核查的", BadInput, CursorInvalid
        ),
    )
    async def rewards(
        self, engine: Engaged, status: Status = "FLAGGED", cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[RewardRecord]:
        """A page of the rewards in one status."""
        return await engine.rewards.with_status(status, cursor, limit)

    @get("/refunds", **only(*READERS), **says("多次失败、待人工处理的退款，最早的在前", CursorInvalid))
    async def refunds(self, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page[StuckRefund]:
        """A page of the refunds that wait for a person."""
        return await engine.money.refunds.stuck_page(cursor, limit)

    @post(
        "/refunds/{order_id:str}/retry",
        status_code=204,
        **only(*READERS),
        **says("把该订单待人工处理的退款重新交给系统，从第一次尝试开始；退款单号不变，不会重复退款", NotFound),
    )
    async def retry_refund(self, order_id: FromPath[str], engine: Engaged) -> None:
        """Have what is stuck of an order's refunds tried again."""
        await engine.money.refunds.retry(order_id)

    @get(
        "/stray-payments",
        **only(*READERS),
        **says("渠道已收款但无法对应订单、待人工处理的付款，最早的在前", CursorInvalid),
    )
    async def stray_payments(
        self, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[StrayPayment]:
        """A page of the payments that no order takes."""
        return await engine.money.strays.page(cursor, limit)

    @post(
        "/stray-payments/{transaction_id:str}/settle",
        status_code=204,
        **only(*READERS),
        **says("标记为已处理：款项已在渠道后台退回，或已查明归属；系统不会自动退款", NotFound),
    )
    async def settle_stray_payment(self, transaction_id: FromPath[str], who: Who, engine: Engaged) -> None:
        """Note that somebody has dealt with a payment that no order takes."""
        await engine.money.strays.settle(transaction_id, who.subject)

    @get("/staff", **only(Role.HQ), **says("员工列表", CursorInvalid))
    async def staff(self, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page[Staff]:
        """A page of the staff."""
        return await engine.access.staff_page(cursor, limit)

    @post("/staff", **only(Role.HQ), **says("新增员工", AlreadyExists, NotFound, body=NewStaff))
    async def create_staff(self, body: RawBody, engine: Engaged) -> Staff:
        """Hire somebody."""
        ask = decode(NewStaff, body)
        return await engine.access.create_staff(ask.username, ask.password, ask.role, ask.store_id)
