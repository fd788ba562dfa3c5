"""A config's report. Read from the main tables when asked for: it is what the worker has made rows of so far."""

import logging
import math
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from engine.catalog.model import PlayConfig
from engine.reports.own import OwnInstances
from engine.sdk import Counters, Metric, Playbook

log = logging.getLogger(__name__)

# One statement, so that all numbers are of one moment. Orders in a simulated instance are real money, so they count.
COUNT = """
WITH own AS (
    SELECT status, cells FROM instances WHERE config_id = $1 AND NOT cells @> '{"simulated": true}'
)
SELECT i.*, o.*, r.rebate_fen, o.gmv_fen - r.rebate_fen AS net_fen,
       coalesce((SELECT total FROM stock WHERE config_id = $1), 0) AS units_stock, t.totals
  FROM (SELECT count(*) AS instances_opened,
               count(*) FILTER (WHERE status = 'SUCCESS') AS instances_succeeded,
               count(*) FILTER (WHERE status = 'FAILED') AS instances_failed
          FROM own) i,
       (SELECT count(*) FILTER (WHERE status = 'HELD') AS orders_held,
               count(*) FILTER (WHERE status = 'PAID') AS orders_paid,
               count(*) FILTER (WHERE status = 'EXPIRED') AS orders_expired,
               count(*) FILTER (WHERE status IN ('REFUNDING', 'REFUNDED')) AS orders_refunded,
               coalesce(sum(quantity) FILTER (WHERE status = 'PAID'), 0)::bigint AS units_sold,
               coalesce(sum(amount_fen) FILTER (WHERE status = 'PAID'), 0)::bigint AS gmv_fen
          FROM orders WHERE config_id = $1) o,
       (SELECT coalesce(sum(r.amount_fen), 0)::bigint AS rebate_fen
          FROM refunds r JOIN orders ON orders.id = r.order_id
         WHERE orders.config_id = $1 AND orders.status = 'PAID' AND r.kind = 'REBATE') r,
       (SELECT coalesce(jsonb_object_agg(name, total), '{}') AS totals
          FROM (SELECT name, coalesce(sum((cells ->> name)::numeric), 0) AS total
                  FROM unnest($2::text[]) AS name
                  LEFT JOIN own ON jsonb_typeof(cells -> name) = 'number'
                 GROUP BY name) sums) t
"""


class MetricValue(msgspec.Struct, frozen=True, rename="camel"):
    """A playbook's own number; `value` None: there is none yet, or it could not be computed."""

    key: str
    label: str
    unit: str
    value: float | None


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """营销商品的数据：计数与玩法指标"""

    config_id: str
    counters: Counters
    metrics: list[MetricValue]


class Reports:
    """Reports of configs, whatever their status."""

    def __init__(self, pool: asyncpg.Pool, playbooks: Mapping[str, Playbook]) -> None:
        self.own = OwnInstances(pool)
        self._pool = pool
        self._playbooks = playbooks

    async def report(self, config: PlayConfig) -> Report:
        """Counters and metrics; no metrics while the playbook is not loaded."""
        playbook = self._playbooks.get(config.template_code)
        counted = await counters(self._pool, config.id, playbook.totals if playbook else ())
        metrics = playbook.metrics if playbook else ()
        return Report(config.id, counted, [_value(config, metric, counted) for metric in metrics])


async def counters(pool: asyncpg.Pool, config_id: str, totals: Sequence[str]) -> Counters:
    """What is counted of a config, with the sums of the cells named in `totals`."""
    row = await pool.fetchrow(COUNT, config_id, list(totals))
    assert row is not None
    found = dict(row)
    return Counters(**found | {"totals": {name: int(total) for name, total in found["totals"].items()}})


def _value(config: PlayConfig, metric: Metric, counted: Counters) -> MetricValue:
    value: float | None = None
    try:
        found = metric.compute(counted)
        if found is not None and math.isfinite(found):
            value = float(found)
    except Exception:  # a stranger's function may raise anything; its number is a dash, the report stays
        log.exception("config %s: metric %s of %s cannot be computed", config.id, metric.key, config.template_code)
    return MetricValue(metric.key, metric.label, metric.unit, value)
