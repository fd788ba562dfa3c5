/** Starts the HTTP server; prints `listening <port>` when it answers. */
import 'reflect-metadata';

import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';

import { AppModule } from './app.js';
import { Gate } from './gate.js';
import { settings } from './settings.js';
import { Tokens } from './tokens.js';

const chosen = settings();
const gate = new Gate(chosen);
await gate.open();
const adapter = new FastifyAdapter({ logger: false, bodyLimit: 16_384 });
const app = await NestFactory.create<NestFastifyApplication>(
  AppModule.with(gate, new Tokens(chosen.secret)), adapter, { logger: false });
await app.listen({ port: chosen.port, host: '127.0.0.1', backlog: 4096 });
const address = adapter.getHttpServer().address() as { port: number };
console.log(`listening ${address.port}`);
process.on('SIGTERM', () => process.exit(0));
