// Seat maps: read from PostgreSQL at most once a second, shared by the workers through Redis.
import { eventOf } from './catalog.js';
import { settings } from './settings.js';
import { database, redis, statement } from './stores.js';

const KEPT_MS = 1000;
const LETTERS = { available: 'A', held: 'H', sold: 'S' };

const read = statement('read_seats', `
SELECT id, section, row_name, number, price, version,
  CASE WHEN status = 'held' AND hold_expires_at <= now() THEN 'available' ELSE status END AS status
FROM seats WHERE performance_id = $1 ORDER BY id`);

export async function shared(kind, performance, make) {
  eventOf(performance); // 404 where there is none
  const name = `${settings.name}:${kind}:${performance}`;
  const known = await redis.get(name);
  if (known !== null) return known;
  const { rows } = await read(database, performance);
  const version = rows.reduce((sum, row) => sum + row.version, 0);
  const text = JSON.stringify({ performance_id: performance, version, ...make(rows) });
  await redis.set(name, text, 'PX', KEPT_MS);
  return text;
}

export function seatList(rows) {
  return {
    seats: rows.map(({ id, section, row_name: row, number, price, status }) => ({
      id, section, row, number, price, status,
    })),
  };
}

export const seatLetters = (rows) => ({ status: rows.map((row) => LETTERS[row.status]).join('') });
