// What is on sale, as each worker knows it: read anew every two seconds.
import { Problem } from './replies.js';
import { database } from './stores.js';

const READ = `
SELECT e.id, e.queue_enabled, e.capacity, e.pass_ttl_seconds, count(s.id) AS seats_available
FROM events e
LEFT JOIN performances p ON p.event_id = e.id
LEFT JOIN seats s ON s.performance_id = p.id
  AND (s.status = 'available' OR s.status = 'held' AND s.hold_expires_at <= now())
GROUP BY e.id`;

let byId = new Map();
let performances = new Map();

export const events = () => byId.values();

export async function refresh() {
  const found = await database.query(READ);
  const shows = await database.query('SELECT id, event_id FROM performances');
  byId = new Map(found.rows.map((event) => [event.id, event]));
  performances = new Map(shows.rows.map(({ id, event_id: event }) => [id, event]));
}

export function eventById(id) {
  const event = byId.get(id);
  if (!event) throw new Problem(404, 'event_not_found');
  return event;
}

export function eventOf(performance) {
  const event = byId.get(performances.get(performance));
  if (!event) throw new Problem(404, 'performance_not_found');
  return event;
}
