// Holding seats and paying for them.
//
// A hold locks its seats in Redis, so that a crowd does not wait at a row of PostgreSQL's; PostgreSQL
// decides. Lock order: seats before all else in a hold; reservation, account, seats in a payment. A hold
// that has lapsed is told by its time alone, so that neither waits for the other's reservation.
import { randomBytes } from 'node:crypto';
import { eventOf } from './catalog.js';
import { endPass } from './line.js';
import { Problem } from './replies.js';
import { settings } from './settings.js';
import { redis, statement, transaction } from './stores.js';

const OWNER_BYTES = 16;

export const holdSchema = {
  type: 'object',
  required: ['performance_id', 'seat_ids'],
  properties: {
    performance_id: { type: 'integer', minimum: 1 },
    seat_ids: {
      type: 'array',
      items: { type: 'integer', minimum: 1 },
      minItems: 1,
      maxItems: settings.seatsPerHold,
      uniqueItems: true,
    },
  },
};

// The hold lapsed while it was paid, and somebody took a seat of it.
class Lapsed extends Error {}

// --- hold ---

const lockSeats = statement('lock_seats', `
SELECT id, section, row_name, number, price,
  status = 'sold' OR status = 'held' AND hold_expires_at > clock_timestamp() AS taken
FROM seats WHERE performance_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR UPDATE`);
const reserve = statement('reserve', `
INSERT INTO reservations (user_id, performance_id, seat_ids, total, hold_expires_at)
VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5 / 1000.0))
RETURNING id, hold_expires_at`);
const markHeld = statement('mark_held', `
UPDATE seats SET status = 'held', reservation_id = $1, hold_expires_at = $2, version = version + 1
WHERE id = ANY ($3::bigint[])`);

function seatUnavailable(taken) {
  return new Problem(409, 'seat_unavailable', { seat_ids: taken });
}

export async function hold(once, user, wanted) {
  const seats = [...wanted.seat_ids].sort((a, b) => a - b);
  const locks = seats.map((seat) => `${settings.name}:lock:${seat}`);
  const owner = randomBytes(OWNER_BYTES).toString('hex');
  const locked = await Promise.all(locks.map((lock) => redis.set(lock, owner, 'PX', settings.lockMs, 'NX')));
  try {
    const taken = seats.filter((_, i) => !locked[i]);
    if (taken.length) return once.refusal(seatUnavailable(taken));
    return await transaction((client) => holdSeats(client, once, user, wanted.performance_id, seats));
  } finally {
    if (locked.some(Boolean)) await redis.release(locks.length, ...locks, owner);
  }
}

async function holdSeats(client, once, user, performance, seats) {
  const { rows } = await lockSeats(client, performance, seats);
  if (rows.length !== seats.length) throw new Problem(404, 'seat_not_found');
  const taken = rows.filter((row) => row.taken).map((row) => row.id);
  if (taken.length) return once.keepProblem(client, seatUnavailable(taken));
  const total = rows.reduce((sum, row) => sum + row.price, 0);
  const [held] = (await reserve(client, user, performance, seats, total, settings.holdTtlMs)).rows;
  await markHeld(client, held.id, held.hold_expires_at, seats);
  return once.keep(client, 201, JSON.stringify({
    id: held.id,
    status: 'held',
    performance_id: performance,
    seats: rows.map(({ id, section, row_name: row, number, price }) => ({ id, section, row, number, price })),
    total,
    currency: settings.currency,
    hold_expires_at: held.hold_expires_at.toISOString(),
  }));
}

// --- pay ---

const lockReservation = statement('lock_reservation', `
SELECT user_id, performance_id, status, seat_ids, total, hold_expires_at <= clock_timestamp() AS lapsed
FROM reservations WHERE id = $1 FOR UPDATE`);
const lockAccount = statement('lock_account', 'SELECT balance FROM accounts WHERE user_id = $1 FOR UPDATE');
const sellSeats = statement('sell_seats', `
UPDATE seats SET status = 'sold', hold_expires_at = NULL, version = version + 1
WHERE id = ANY ($2::bigint[]) AND reservation_id = $1 AND status = 'held'`);
const markPaid = statement('mark_paid', "UPDATE reservations SET status = 'paid' WHERE id = $1");
const debit = statement('debit', `
UPDATE accounts SET balance = balance - $2, points = points + $3 WHERE user_id = $1
RETURNING balance, points`);
const notePayment = statement('note_payment',
  'INSERT INTO payments (reservation_id, user_id, amount) VALUES ($1, $2, $3) RETURNING id');
const noteLedger = statement('note_ledger', `
INSERT INTO ledger (user_id, unit, kind, amount, balance_after, reservation_id)
SELECT $1::bigint, * FROM (VALUES ('money', 'payment', -$3::bigint, $4::bigint, $2::bigint),
  ('points', 'reward', $5::bigint, $6::bigint, $2::bigint)) AS entry(unit, kind, amount, balance, reservation)
WHERE amount <> 0`);

export async function pay(once, user, reservation) {
  try {
    const { kept, performance } = await transaction((client) => payReservation(client, once, user, reservation));
    if (kept.status === 201) await endPass(eventOf(performance), user);
    return kept;
  } catch (error) {
    if (!(error instanceof Lapsed)) throw error;
    return transaction((client) => once.keepProblem(client, new Problem(410, 'hold_expired')));
  }
}

function judge(held, balance) {
  if (held.status === 'paid') return new Problem(409, 'already_paid');
  if (held.lapsed) return new Problem(410, 'hold_expired');
  if (balance < held.total) return new Problem(402, 'insufficient_balance');
  return undefined;
}

async function payReservation(client, once, user, reservation) {
  const [held] = (await lockReservation(client, reservation)).rows;
  if (held?.user_id !== user) throw new Problem(404, 'reservation_not_found');
  const { performance_id: performance, seat_ids: seats, total: amount } = held;
  const [{ balance }] = (await lockAccount(client, user)).rows;
  const refusal = judge(held, balance);
  if (refusal) return { kept: await once.keepProblem(client, refusal), performance };
  const points = Math.floor((amount * settings.rewardPercent) / 100);
  if ((await sellSeats(client, reservation, seats)).rowCount !== seats.length) throw new Lapsed();
  await markPaid(client, reservation);
  const [account] = (await debit(client, user, amount, points)).rows;
  const [payment] = (await notePayment(client, reservation, user, amount)).rows;
  await noteLedger(client, user, reservation, amount, account.balance, points, account.points);
  const text = JSON.stringify({
    payment_id: payment.id,
    reservation_id: reservation,
    status: 'paid',
    amount,
    balance: account.balance,
    points_awarded: points,
  });
  return { kept: await once.keep(client, 201, text), performance };
}
