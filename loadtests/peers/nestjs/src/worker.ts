/** The order peer: one BullMQ job an order, one INSERT a job. */
import { readFileSync } from 'node:fs';

import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';

import { ORDERS_QUEUE, settings, type OrderJob } from './settings.js';

const INSERT = `
INSERT INTO peer_orders (id, config_id, instance_id, user_id, request_id, quantity, amount_fen, status, gate_state,
                         fingerprint, receipt, pay_before, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'HELD', 1, $8, $9, to_timestamp($10::float8), to_timestamp($11::float8))
ON CONFLICT (id) DO NOTHING`;

const chosen = settings();
const pool = new pg.Pool({ connectionString: chosen.postgresUrl, max: Math.min(chosen.concurrency, 20) });
if (process.env.PEER_CREATE_TABLE) {
  await pool.query('DROP TABLE IF EXISTS peer_orders');
  await pool.query(readFileSync(new URL('../sql/orders.sql', import.meta.url), 'utf8'));
}

const worker = new Worker<OrderJob>(
  ORDERS_QUEUE,
  async ({ data }) => {
    await pool.query({
      name: 'insert-order',
      text: INSERT,
      values: [data.id, data.configId, data.instanceId, data.userId, data.requestId, data.quantity, data.amountFen,
        data.fingerprint, [1, 0, 0], data.payBefore / 1000, data.createdAt / 1000],
    });
  },
  {
    connection: new Redis(chosen.redisUrl, { enableAutoPipelining: true, maxRetriesPerRequest: null }),
    concurrency: chosen.concurrency,
  },
);
worker.on('error', (error) => console.error(error));
await worker.waitUntilReady();
console.log('listening 0');
process.on('SIGTERM', () => process.exit(0));
