"""What a store does: name what it really sells, turn it into marketing products, run them.

Every route acts for the store in the caller's token; another store's rows do not exist for it.
"""

from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, RawBody

from api.doors import STORE_STAFF, Cursor, Engaged, Limit, Who, only, says, store_of
from api.schema.bodies import NewPlayConfig, NewService, PlayConfigChange, changes, decode
from engine.access.tokens import Role
from engine.catalog.drafts import Draft
from engine.catalog.model import PlayConfig, PlayTemplate, Service
from engine.core.errors import BadInput, CursorInvalid, NotFound, PlaybookFailed, RulesInvalid, StateConflict
from engine.core.pages import LIMIT_DEFAULT, Page
from engine.reports.reports import Report


class StoreController(Controller):
    """One store's back office."""

    path = "/v1/store"

    @get("/templates", **only(*STORE_STAFF), **says("本门店可用的玩法模板"))
    async def templates(self, who: Who, engine: Engaged) -> Page[PlayTemplate]:
        """The templates this store may use."""
        return Page(await engine.catalog.templates.offered_to(store_of(who)), None)

    @get("/services", **only(*STORE_STAFF), **says("服务列表", CursorInvalid))
    async def services(
        self, who: Who, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[Service]:
        """A page of the store's services."""
        return await engine.catalog.services.page(store_of(who), cursor, limit)

    @post("/services", **only(Role.STORE), **says("新增服务", body=NewService))
    async def create_service(self, who: Who, body: RawBody, engine: Engaged) -> Service:
        """Name a service."""
        ask = decode(NewService, body)
        return await engine.catalog.services.create(store_of(who), **changes(ask))

    @get("/services/{service_id:str}", **only(*STORE_STAFF), **says("服务详情", NotFound))
    async def service(self, who: Who, service_id: FromPath[str], engine: Engaged) -> Service:
        """One service."""
        return await engine.catalog.services.get(store_of(who), service_id)

    @get("/play-configs", **only(*STORE_STAFF), **says("营销商品列表，最新的在前", CursorInvalid))
    async def configs(
        self, who: Who, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[PlayConfig]:
        """A page of the store's play configs."""
        return await engine.catalog.drafts.page(store_of(who), cursor, limit)

    @post(
        "/play-configs", **only(Role.STORE), **says("新建营销商品草稿；规则在发布时校验", NotFound, body=NewPlayConfig)
    )
    async def create_config(self, who: Who, body: RawBody, engine: Engaged) -> PlayConfig:
        """Begin a draft."""
        draft = Draft(**changes(decode(NewPlayConfig, body)))
        return await engine.catalog.drafts.create(store_of(who), draft)

    @get("/play-configs/{config_id:str}", **only(*STORE_STAFF), **says("营销商品详情", NotFound))
    async def config(self, who: Who, config_id: FromPath[str], engine: Engaged) -> PlayConfig:
        """One play config, draft or not."""
        return await engine.catalog.drafts.get(store_of(who), config_id)

    @get(
        "/play-configs/{config_id:str}/report",
        **only(*STORE_STAFF),
        **says("营销商品的数据：实例、订单、库存计数，与玩法自己的指标；指标暂无数据时为 null", NotFound),
    )
    async def report(self, who: Who, config_id: FromPath[str], engine: Engaged) -> Report:
        """What a play config has brought."""
        return await engine.reports.report(await engine.catalog.drafts.get(store_of(who), config_id))

    @patch(
        "/play-configs/{config_id:str}",
        **only(Role.STORE),
        **says("修改草稿；只填要修改的字段", NotFound, StateConflict, body=PlayConfigChange),
    )
    async def edit_config(self, who: Who, config_id: FromPath[str], body: RawBody, engine: Engaged) -> PlayConfig:
        """Change a draft."""
        return await engine.catalog.drafts.edit(store_of(who), config_id, changes(decode(PlayConfigChange, body)))

    @delete("/play-configs/{config_id:str}", **only(Role.STORE), **says("删除草稿", NotFound, StateConflict))
    async def delete_config(self, who: Who, config_id: FromPath[str], engine: Engaged) -> None:
        """Delete a draft."""
        await engine.catalog.drafts.delete(store_of(who), config_id)

    @post(
        "/play-configs/{config_id:str}/publish",
        status_code=200,
        **only(Role.STORE),
        **says(
            "发布：校验规则并上架。warmPending 为 true 表示已保存，稍后自动生效",
            NotFound,
            StateConflict,
            BadInput,
            RulesInvalid,
            PlaybookFailed,
        ),
    )
    async def publish(self, who: Who, config_id: FromPath[str], engine: Engaged) -> PlayConfig:
        """Put a draft on sale."""
        return await engine.catalog.life.publish(store_of(who), config_id)

    @post(
        "/play-configs/{config_id:str}/pause",
        status_code=200,
        **only(Role.STORE),
        **says("暂停售卖", NotFound, StateConflict),
    )
    async def pause(self, who: Who, config_id: FromPath[str], engine: Engaged) -> PlayConfig:
        """Take it off sale for now."""
        return await engine.catalog.life.pause(store_of(who), config_id)

    @post(
        "/play-configs/{config_id:str}/resume",
        status_code=200,
        **only(Role.STORE),
        **says("恢复售卖；玩法未加载时不能恢复", NotFound, StateConflict, BadInput),
    )
    async def resume(self, who: Who, config_id: FromPath[str], engine: Engaged) -> PlayConfig:
        """Put it back on sale."""
        return await engine.catalog.life.resume(store_of(who), config_id)

    @post(
        "/play-configs/{config_id:str}/end",
        status_code=200,
        **only(Role.STORE),
        **says("结束售卖，不可恢复", NotFound, StateConflict),
    )
    async def end(self, who: Who, config_id: FromPath[str], engine: Engaged) -> PlayConfig:
        """Take it off sale for good."""
        return await engine.catalog.life.end(store_of(who), config_id)
