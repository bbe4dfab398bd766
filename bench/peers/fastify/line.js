// The waiting line: a sorted set of who waits, and one of who has a pass, by its end in ms.
import { events } from './catalog.js';
import { Problem } from './replies.js';
import { settings } from './settings.js';
import { redis } from './stores.js';
import { signPass, signPlace } from './tokens.js';

const waitingKey = (event) => `${settings.name}:waiting:${event}`;
const activeKey = (event) => `${settings.name}:active:${event}`;
const sequenceKey = (event) => `${settings.name}:sequence:${event}`;

function pollAfterMs(ahead) {
  const ms = Math.min(settings.pollMaxMs, settings.pollMinMs + Math.floor(ahead / 10));
  return Math.floor(ms * (0.9 + 0.2 * Math.random()));
}

function placeMembers(event, token, waiting) {
  return {
    event_id: event.id, token, status: 'admitted', position: 0, ahead: 0, waiting, eta_seconds: null,
    poll_after_ms: settings.pollMaxMs, pass: undefined, pass_expires_at: undefined, expires_in: undefined,
    seats_available: event.seats_available, paused: false, message: null,
  };
}

function waitingPlace(event, token, ahead, waiting) {
  const place = placeMembers(event, token, waiting);
  place.status = 'waiting';
  place.position = ahead + 1;
  place.ahead = ahead;
  place.poll_after_ms = pollAfterMs(ahead);
  return place;
}

function admittedPlace(event, user, token, waiting, endsMs) {
  const place = placeMembers(event, token, waiting);
  place.pass = signPass(event.id, user, Math.floor(endsMs / 1000));
  place.pass_expires_at = new Date(endsMs).toISOString();
  place.expires_in = Math.max(0, Math.floor((endsMs - Date.now()) / 1000));
  return place;
}

// What Fastify makes the serializer of a place from.
const integer = { type: 'integer' };
const string = { type: 'string' };
export const placeSchema = {
  type: 'object',
  properties: {
    event_id: integer, token: string, status: string, position: integer, ahead: integer, waiting: integer,
    eta_seconds: { type: 'null' }, poll_after_ms: integer, pass: string, pass_expires_at: string,
    expires_in: integer, seats_available: integer, paused: { type: 'boolean' }, message: { type: 'null' },
  },
};

export async function join(event, user) {
  const keys = [waitingKey(event.id), activeKey(event.id), sequenceKey(event.id)];
  const [added, ahead, waiting, ends] = await redis.join(...keys, user);
  const token = signPlace(event.id, user);
  if (ends !== '0') return { status: 200, place: admittedPlace(event, user, token, waiting, Number(ends)) };
  return { status: added ? 201 : 200, place: waitingPlace(event, token, ahead, waiting) };
}

export async function poll(event, user, token) {
  const [ahead, waiting] = await Promise.all([
    redis.zrank(waitingKey(event.id), user),
    redis.zcard(waitingKey(event.id)),
  ]);
  if (ahead !== null) return waitingPlace(event, token, ahead, waiting);
  const endsMs = await passEnd(event, user);
  if (!endsMs) throw new Problem(410, 'place_expired');
  return admittedPlace(event, user, token, waiting, endsMs);
}

// 0 where there is no live pass.
export async function passEnd(event, user) {
  const endsMs = Number(await redis.zscore(activeKey(event.id), user));
  return endsMs > Date.now() ? endsMs : 0;
}

export const endPass = (event, user) => redis.zrem(activeKey(event.id), user);

export async function leave(event, user) {
  await Promise.all([redis.zrem(waitingKey(event), user), redis.zrem(activeKey(event), user)]);
}

export async function counts(event) {
  return Promise.all([redis.zcard(waitingKey(event.id)), redis.zcard(activeKey(event.id))]);
}

export async function admit() {
  for (const event of events()) {
    if (event.queue_enabled && event.seats_available) {
      await redis.admit(waitingKey(event.id), activeKey(event.id), Date.now(), event.capacity,
        event.pass_ttl_seconds * 1000, settings.admitAtMost);
    }
  }
}
