// The stores of one worker: one connection to Redis, whose commands of one turn of the loop go out
// together, and a pool to PostgreSQL.
import { Redis } from 'ioredis';
import pg from 'pg';
import { script, settings } from './settings.js';

const BIGINT = 20;
const BIGINT_ARRAY = 1016;

// Ids and money stay below 2^53.
pg.types.setTypeParser(BIGINT, Number);
const parseArray = pg.types.getTypeParser(BIGINT_ARRAY);
pg.types.setTypeParser(BIGINT_ARRAY, (text) => parseArray(text).map(Number));

function redisOptions() {
  const url = new URL(settings.redisUrl);
  if (url.protocol !== 'unix:') return settings.redisUrl;
  return { path: url.pathname, db: Number(url.searchParams.get('db') ?? 0) };
}

const where = redisOptions();
const options = { enableAutoPipelining: true };
export const redis = typeof where === 'string' ? new Redis(where, options) : new Redis({ ...where, ...options });
redis.defineCommand('join', { numberOfKeys: 3, lua: script('join') });
redis.defineCommand('admit', { numberOfKeys: 2, lua: script('admit') });
redis.defineCommand('release', { lua: script('release') });

export const database = new pg.Pool({
  connectionString: settings.databaseUrl,
  max: settings.databaseConnections,
  options: `-c search_path=${settings.name}`,
});

// A statement is prepared once on each connection, under its name.
export function statement(name, text) {
  return (client, ...values) => client.query({ name, text, values });
}

export async function transaction(work) {
  const client = await database.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    client.release();
    return result;
  } catch (error) {
    // A connection that cannot roll back is thrown away.
    await client.query('ROLLBACK').then(() => client.release(), (broken) => client.release(broken));
    throw error;
  }
}
