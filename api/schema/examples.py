"""One example of everything that is sent and answered; a test holds each against its own schema."""

from datetime import UTC, datetime
from typing import Any

from api.hot import clicks as hot
from api.readiness import Readiness
from api.routes.auth import ConsumerToken, StaffToken, User
from api.routes.hq import Missing, Quarantined, TemplatesPage
from api.routes.ops import Alive
from api.routes.payments import SandboxTrade
from api.schema import bodies as schemas
from api.schema.operations import InstanceBrief, Won
from engine.access.access import Staff
from engine.access.tokens import Role
from engine.catalog.model import PlayConfig, PlayTemplate, Service, Store
from engine.core.pages import Page
from engine.core.schema import DIALECT
from engine.live.offer import OfferView
from engine.live.view import Button, InstanceView, Progress
from engine.money.providers.port import Prepay
from engine.money.refunds import StuckRefund
from engine.money.strays import StrayPayment
from engine.orders.orders import Order
from engine.reports.own import OwnInstance, Steps
from engine.reports.reports import MetricValue, Report
from engine.rewards.rewards import Reward, RewardRecord
from engine.sdk import Counters

CONFIG_ID = "c1f0a9d2b7e44"
ORDER_ID = "9a53f0b17c2e4d6b8f6e2f6f0e3c1a77"
INSTANCE_ID = f"{CONFIG_ID}.{ORDER_ID[:16]}"
REQUEST_ID = "5f0c6a52-7d0e-4b6f-9a53-2f6f0e3c1a77"
TOKEN = "eyJzdWJqZWN0IjoidTAifQ.9bW0o1vH7m5mJ0n3q4Yk2w"  # noqa: S105  # no real one
MORE = "WyJ2MTIzIl0"

OPENS = datetime(2026, 12, 1, 12, tzinfo=UTC)
CLOSES = datetime(2026, 12, 8, 12, tzinfo=UTC)
MADE = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
PAY_BEFORE = datetime(2026, 12, 1, 12, 5, 0, tzinfo=UTC)

RULES = {"target": 3, "durationMinutes": 1440, "limitPerPerson": 1}
STORE = Store(id="1001", name="北京朝阳店", city="BJ", created_at=MADE)
SERVICE = Service(
    id="v3f9d01c2b7a8",
    store_id="1001",
    name="舞蹈课",
    asset_type="COURSE",
    unit_name="节",
    units_per_share=20,
    created_at=MADE,
)
TEMPLATE = PlayTemplate(
    code="GROUP_BUY",
    name="拼团",
    version="1.0.0",
    unit_name="份",
    rule_schema={
        "$schema": DIALECT,
        "type": "object",
        "properties": {"target": {"title": "成团人数", "type": "integer", "minimum": 2}},
        "required": ["target"],
        "additionalProperties": False,
    },
    defaults={"durationMinutes": 1440, "limitPerPerson": 1},
    enabled=True,
    store_ids=None,
)
CONFIG = PlayConfig(
    id=CONFIG_ID,
    store_id="1001",
    store_name="北京朝阳店",
    city="BJ",
    service_id=SERVICE.id,
    service_name="舞蹈课",
    asset_type="COURSE",
    unit_name="节",
    units_per_share=20,
    template_code="GROUP_BUY",
    title="三人成团舞蹈课",
    price_fen=19900,
    stock=300,
    rules=RULES,
    rules_version="1.0.0",
    asks=[],
    starts_at=OPENS,
    ends_at=CLOSES,
    status="PUBLISHED",
    paused_why=None,
    shard=2,
    warm_pending=False,
    created_at=MADE,
)
OFFER = OfferView(
    id=CONFIG_ID,
    store_id="1001",
    store_name="北京朝阳店",
    city="BJ",
    service_id=SERVICE.id,
    service_name="舞蹈课",
    asset_type="COURSE",
    unit_name="节",
    units_per_share=20,
    play_code="GROUP_BUY",
    play_name="拼团",
    title="三人成团舞蹈课",
    price_fen=19900,
    stock=300,
    stock_left=287,
    rules=RULES,
    starts_at=OPENS,
    ends_at=CLOSES,
    status="PUBLISHED",
    button=Button("发起拼团", disabled=False, reason=None),
)
INSTANCE = InstanceView(
    id=INSTANCE_ID,
    config_id=CONFIG_ID,
    store_id="1001",
    store_name="北京朝阳店",
    city="BJ",
    play_code="GROUP_BUY",
    title="三人成团舞蹈课",
    price_fen=19900,
    unit_name="节",
    units_per_share=20,
    status="ACTIVE",
    progress=Progress(1, 3),
    stock_left=287,
    seats_left=1,
    button=Button("立即参团", disabled=False, reason=None),
    actions=[],
    simulated=False,
    starts_at=OPENS,
    ends_at=CLOSES,
    poll_after_ms=1000,
)
ORDER = Order(
    id=ORDER_ID,
    source_instance_id=INSTANCE_ID,
    config_id=CONFIG_ID,
    status="HELD",
    reason=None,
    quantity=1,
    amount_fen=19900,
    rebate_fen=0,
    refund_fen=0,
    refunded_fen=0,
    pay_before=PAY_BEFORE,
    created_at=OPENS,
)
OWN = OwnInstance(
    id=INSTANCE_ID,
    config_id=CONFIG_ID,
    store_id="1001",
    play_code="GROUP_BUY",
    title="三人成团舞蹈课",
    status="ACTIVE",
    progress=Steps(1, 3),
    opened=True,
    touched_at=OPENS,
)
REPORT = Report(
    CONFIG_ID,
    Counters(
        instances_opened=12,
        instances_succeeded=6,
        instances_failed=2,
        orders_held=3,
        orders_paid=20,
        orders_expired=4,
        orders_refunded=2,
        units_stock=300,
        units_sold=20,
        gmv_fen=398000,
        rebate_fen=30000,
        net_fen=368000,
    ),
    [MetricValue("successRate", "成团率", "%", 75.0)],
)
REWARD = Reward(
    id="3b1f6a0c9d2e47b58c6a0f1e2d3c4b5a",
    source_instance_id=INSTANCE_ID,
    kind="CASH",
    amount=500,
    status="FROZEN",
    reason=None,
    unfreezes_at=CLOSES,
    created_at=OPENS,
)
FLAGGED = RewardRecord(
    id="7c0e5d4b3a29481f96e8d7c6b5a40312",
    source_instance_id=INSTANCE_ID,
    kind="ASSET",
    amount=2,
    status="FLAGGED",
    reason="SHARED_DEVICE",
    unfreezes_at=OPENS,
    created_at=MADE,
    user_id="u5d41402abc4b2a76",
    order_id=ORDER_ID,
)
STAFF = Staff("a51f0c77be21d", "store-1001", Role.STORE, "1001")
NOT_READY = Readiness(
    status="unavailable",
    postgres=True,
    redis=False,
    shards_open=[],
    shards_closed=[0, 1, 2, 3],
    durability="unknown",
    quarantined={},
    warnings=["4 个分片未开放，其商品暂停下单", "无法读取 Redis 的持久化配置"],
)

STUCK = StuckRefund(
    order_id=ORDER.id,
    kind="WHOLE",
    refund_no=f"r{ORDER.id}",
    amount_fen=19900,
    last_error="支付渠道暂时不可用，请稍后重试",
    created_at=ORDER.created_at,
)
STRAY = StrayPayment(
    transaction_id="4200002468202611221234567890",
    order_id=ORDER.id,
    provider="sandbox",
    amount_fen=19800,
    currency="CNY",
    payer="payer-u3f1c2a9d8e7b6a50",
    why="OTHER_AMOUNT",
    created_at=ORDER.created_at,
)
EXAMPLES: dict[Any, Any] = {
    schemas.WechatLogin: schemas.WechatLogin(code="demo-alice"),
    schemas.StaffLogin: schemas.StaffLogin(username="store-1001", password="correct horse"),  # noqa: S106  # no real one
    schemas.NewStore: schemas.NewStore(id="1001", name="北京朝阳店", city="BJ"),
    schemas.NewStaff: schemas.NewStaff(
        username="store-1001",
        password="correct horse",  # noqa: S106  # no real one
        role=Role.STORE,
        store_id="1001",
    ),
    schemas.TemplateChange: schemas.TemplateChange(enabled=True, store_ids=["1001"]),
    schemas.NewService: schemas.NewService(name="舞蹈课", asset_type="COURSE", unit_name="节", units_per_share=20),
    schemas.NewPlayConfig: schemas.NewPlayConfig(
        template_code="GROUP_BUY",
        service_id=SERVICE.id,
        title="三人成团舞蹈课",
        price_fen=19900,
        stock=300,
        starts_at=OPENS,
        ends_at=CLOSES,
        rules={"target": 3},
    ),
    schemas.PlayConfigChange: schemas.PlayConfigChange(price_fen=17900, stock=500),
    schemas.SandboxPay: schemas.SandboxPay(payer="payer-alice", late=False, notify_after_ms=0),
    hot.Join: hot.Join(request_id=REQUEST_ID, quantity=1),
    hot.Act: hot.Act(request_id=REQUEST_ID),
    ConsumerToken: ConsumerToken(TOKEN, CLOSES, User("u5d41402abc4b2a76")),
    StaffToken: StaffToken(TOKEN, CLOSES, Role.STORE, "1001"),
    TemplatesPage: TemplatesPage(
        [TEMPLATE],
        None,
        [Quarantined("lottery", "ModuleNotFoundError: No module named 'dice'")],
        [Missing("LOTTERY", 2)],
    ),
    PlayTemplate: TEMPLATE,
    Page[PlayTemplate]: Page([TEMPLATE], None),
    Store: STORE,
    Page[Store]: Page([STORE], MORE),
    Staff: STAFF,
    Page[Staff]: Page([STAFF], None),
    Service: SERVICE,
    Page[Service]: Page([SERVICE], MORE),
    PlayConfig: CONFIG,
    Page[PlayConfig]: Page([CONFIG], None),
    Report: REPORT,
    OfferView: OFFER,
    InstanceView: INSTANCE,
    Page[InstanceView]: Page([INSTANCE], None),
    Page[OfferView]: Page([OFFER], None),
    Order: ORDER,
    Page[Order]: Page([ORDER], None),
    Page[OwnInstance]: Page([OWN], None),
    Page[Reward]: Page([REWARD], None),
    Page[RewardRecord]: Page([FLAGGED], None),
    Page[StuckRefund]: Page([STUCK], None),
    Page[StrayPayment]: Page([STRAY], None),
    Prepay: Prepay("sandbox", ORDER_ID, 19900, PAY_BEFORE, {"payPath": f"/v1/payments/sandbox/{ORDER_ID}/pay"}),
    SandboxTrade: SandboxTrade(ORDER_ID, "PAID", 19900, "4200001234567890123456789012", "payer-alice"),
    Won: Won(
        outcome="RESERVED",
        order_id=ORDER_ID,
        instance_id=INSTANCE_ID,
        pay_before="2026-12-01T12:05:00.000Z",
        instance=InstanceBrief("ACTIVE", Progress(1, 3)),
    ),
    Alive: Alive("alive"),
    Readiness: Readiness(
        status="ready",
        postgres=True,
        redis=True,
        shards_open=[0, 1, 2, 3],
        shards_closed=[],
        durability="always",
        quarantined={},
        warnings=[],
    ),
}
