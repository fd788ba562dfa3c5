/** One EVALSHA a click; ioredis puts the calls of one turn of the event loop into one pipeline. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

import { ORDERS_QUEUE, type OrderJob, type Settings } from './settings.js';

export interface Reply {
  outcome: number;
  replayed: boolean;
  orderId: string;
  payBefore: number;
  status: string;
  current: number;
  target: number;
}

interface ScriptRedis {
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
}

const SOURCE = readFileSync(new URL('../lua/join.lua', import.meta.url), 'utf8');

export class Gate {
  private sha = '';
  private readonly redis: Redis;
  private readonly queue: Queue<OrderJob> | undefined;

  constructor(private readonly settings: Settings) {
    this.redis = new Redis(settings.redisUrl, { enableAutoPipelining: true });
    if (settings.orders === 'bullmq') this.queue = orderQueue(settings);
  }

  async open(): Promise<void> {
    this.sha = (await this.redis.script('LOAD', SOURCE)) as string;
  }

  async join(instanceId: string, user: string, requestId: string, quantity: number): Promise<Reply> {
    const config = instanceId.slice(0, instanceId.indexOf('.'));
    const orderId = hash('md5', `${config}|${user}|${requestId}`, 'hex');
    const fingerprint = crc32(`join|${instanceId}|${quantity}`);
    const sale = `{peer}:${config}:sale`;
    const people = `{peer}:${config}:people`;
    const redis = this.redis as unknown as ScriptRedis;
    const answer = (this.queue === undefined
      ? await redis.evalsha(this.sha, 3, sale, people, '{peer}:intents',
          user, orderId, fingerprint, quantity, requestId, this.settings.holdMs, instanceId)
      : await redis.evalsha(this.sha, 2, sale, people,
          user, orderId, fingerprint, quantity, requestId, this.settings.holdMs, instanceId)
    ) as [number, number, number, string, string, string, number];
    const [outcome, replayed, payBefore, status, current, target, amountFen] = answer;
    // A repeated request adds the job again: the first try may have died before it, and BullMQ ignores a known jobId.
    if (outcome === 0 && this.queue !== undefined) {
      const job: OrderJob = {
        id: orderId, configId: config, instanceId, userId: user, requestId, quantity, amountFen, fingerprint, payBefore,
        createdAt: payBefore - this.settings.holdMs,
      };
      await this.queue.add('order', job, { jobId: orderId });
    }
    return { outcome, replayed: replayed === 1, orderId, payBefore, status, current: Number(current), target: Number(target) };
  }
}

export function orderQueue(settings: Settings): Queue<OrderJob> {
  return new Queue<OrderJob>(ORDERS_QUEUE, {
    connection: new Redis(settings.redisUrl, { enableAutoPipelining: true, maxRetriesPerRequest: null }),
    defaultJobOptions: { removeOnComplete: true, attempts: 5, backoff: { type: 'exponential', delay: 100 } },
  });
}
