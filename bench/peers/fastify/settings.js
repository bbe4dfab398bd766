// What run.sh puts into the environment, and the limits that every worker has.
import { readFileSync } from 'node:fs';

const { env } = process;

export const settings = {
  databaseUrl: env.DATABASE_URL,
  redisUrl: env.REDIS_URL,
  jwtSecret: env.JWT_SECRET,
  name: env.PEER_NAME ?? 'peer_fastify', // of the schema, and in front of Redis' keys
  port: Number(env.PORT),
  workers: Number(env.WORKERS ?? 2),
  databaseConnections: 10,
  admitEveryMs: 100,
  admitAtMost: 1000,
  catalogEveryMs: 2000,
  lockMs: 10_000,
  keyKeptS: 24 * 3600,
  holdTtlMs: 300_000,
  seatsPerHold: 10,
  rewardPercent: 1,
  currency: 'KRW',
  pollMinMs: 1000,
  pollMaxMs: 10_000,
};

export function script(name) {
  return readFileSync(new URL(`../${name}.lua`, import.meta.url), 'utf8');
}
