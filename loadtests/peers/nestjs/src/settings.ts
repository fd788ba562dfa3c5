/** Settings, all from the environment; loadtests/bench/peer.py sets them. */

export interface Settings {
  port: number;
  redisUrl: string;
  postgresUrl: string;
  secret: string;
  orders: 'stream' | 'bullmq';
  concurrency: number;
  holdMs: number;
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export function settings(): Settings {
  const orders = process.env.PEER_ORDERS ?? 'stream';
  if (orders !== 'stream' && orders !== 'bullmq') throw new Error(`PEER_ORDERS is stream or bullmq, not ${orders}`);
  return {
    port: Number(process.env.PEER_PORT ?? 0),
    redisUrl: required('PEER_REDIS_URL'),
    postgresUrl: process.env.PEER_POSTGRES_URL ?? '',
    secret: required('PEER_SECRET'),
    orders,
    concurrency: Number(process.env.PEER_CONCURRENCY ?? 50),
    holdMs: Number(process.env.PEER_HOLD_MS ?? 300_000),
  };
}

export interface OrderJob {
  id: string;
  configId: string;
  instanceId: string;
  userId: string;
  requestId: string;
  quantity: number;
  amountFen: number;
  fingerprint: number;
  payBefore: number;
  createdAt: number;
}

export const ORDERS_QUEUE = 'orders';
