/** Bearer tokens: `<user>.<expires, seconds>.<base64url of HMAC-SHA256>`. A verified one is remembered. */
import { createHmac, timingSafeEqual } from 'node:crypto';

const REMEMBERED_MAX = 200_000;

interface Session {
  user: string;
  expires: number;
}

export class Tokens {
  private readonly remembered = new Map<string, Session>();

  constructor(private readonly secret: string) {}

  /** The user of an `Authorization` header; undefined when it is missing, forged or expired. */
  user(header: string | undefined): string | undefined {
    if (header === undefined) return undefined;
    let session = this.remembered.get(header);
    if (session === undefined) {
      session = this.verify(header);
      if (session === undefined) return undefined;
      if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
      this.remembered.set(header, session);
    }
    return session.expires > Date.now() ? session.user : undefined;
  }

  private verify(header: string): Session | undefined {
    if (!header.startsWith('Bearer ')) return undefined;
    const token = header.slice(7);
    const [user, expires, signature] = token.split('.');
    if (!user || !expires || !signature) return undefined;
    const expected = createHmac('sha256', this.secret).update(`${user}.${expires}`).digest();
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return { user, expires: Number(expires) * 1000 };
  }
}
