"""Holding seats and paying for them.

A hold locks its seats in Redis, so that a crowd does not wait at a row of PostgreSQL's; PostgreSQL
decides. Lock order: seats before all else in a hold; reservation, account, seats in a payment. A hold
that has lapsed is told by its time alone, so that neither waits for the other's reservation.
"""

import secrets

from pydantic import BaseModel, Field, conint

import catalog
import line
import settings
import stores
from once import Kept, Once, transaction
from replies import Problem, encode

RELEASE = settings.script("release")


class HoldRequest(BaseModel):
    performance_id: conint(gt=0)
    # Under pydantic 2, too, these are the names: 1 knows no others.
    seat_ids: list[conint(gt=0)] = Field(..., min_items=1, max_items=settings.SEATS_PER_HOLD)


class Lapsed(Exception):
    """The hold lapsed while it was paid, and somebody took a seat of it."""


def register() -> None:
    global release
    release = stores.redis.register_script(RELEASE)


# --- hold ---

LOCK_SEATS = """
SELECT id, section, row_name, number, price,
	status = 'sold' OR status = 'held' AND hold_expires_at > clock_timestamp() AS taken
FROM seats WHERE performance_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR UPDATE
"""
RESERVE = """
INSERT INTO reservations (user_id, performance_id, seat_ids, total, hold_expires_at)
VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5 / 1000.0))
RETURNING id, hold_expires_at
"""
HOLD_SEATS = """
UPDATE seats SET status = 'held', reservation_id = $1, hold_expires_at = $2, version = version + 1
WHERE id = ANY ($3::bigint[])
"""


def seat_unavailable(taken: list[int]) -> Problem:
    return Problem(409, "seat_unavailable", seat_ids=taken)


async def hold(once: Once, user: int, wanted: HoldRequest) -> Kept:
    seats = sorted(wanted.seat_ids)
    locks = [f"{settings.NAME}:lock:{seat}" for seat in seats]
    owner = secrets.token_hex(16)
    pipeline = stores.redis.pipeline(transaction=False)
    for lock in locks:
        pipeline.set(lock, owner, nx=True, px=settings.LOCK_MS)
    locked = await pipeline.execute()
    try:
        if not all(locked):
            return once.refusal(seat_unavailable([s for s, ours in zip(seats, locked) if not ours]))
        async with transaction() as db:
            return await hold_seats(db, once, user, wanted.performance_id, seats)
    finally:
        if any(locked):
            await release(keys=locks, args=[owner])


async def hold_seats(db, once: Once, user: int, performance: int, seats: list[int]) -> Kept:
    rows = await db.fetch(LOCK_SEATS, performance, seats)
    if len(rows) != len(seats):
        raise Problem(404, "seat_not_found")
    taken = [row["id"] for row in rows if row["taken"]]
    if taken:
        return await once.keep_problem(db, seat_unavailable(taken))
    total = sum(row["price"] for row in rows)
    held = await db.fetchrow(RESERVE, user, performance, seats, total, settings.HOLD_TTL_MS)
    await db.execute(HOLD_SEATS, held["id"], held["hold_expires_at"], seats)
    reply = {
        "id": held["id"],
        "status": "held",
        "performance_id": performance,
        "seats": [seat_member(row) for row in rows],
        "total": total,
        "currency": settings.CURRENCY,
        "hold_expires_at": line.time_text(held["hold_expires_at"].timestamp() * 1000),
    }
    return await once.keep(db, 201, encode(reply))


def seat_member(row) -> dict:
    return {
        "id": row["id"],
        "section": row["section"],
        "row": row["row_name"],
        "number": row["number"],
        "price": row["price"],
    }


# --- pay ---

LOCK_RESERVATION = """
SELECT user_id, performance_id, status, seat_ids, total, hold_expires_at <= clock_timestamp() AS lapsed
FROM reservations WHERE id = $1 FOR UPDATE
"""
LOCK_ACCOUNT = "SELECT balance FROM accounts WHERE user_id = $1 FOR UPDATE"
SELL_SEATS = """
UPDATE seats SET status = 'sold', hold_expires_at = NULL, version = version + 1
WHERE id = ANY ($2::bigint[]) AND reservation_id = $1 AND status = 'held'
RETURNING id
"""
DEBIT = """
UPDATE accounts SET balance = balance - $2, points = points + $3 WHERE user_id = $1
RETURNING balance, points
"""
NOTE_PAYMENT = "INSERT INTO payments (reservation_id, user_id, amount) VALUES ($1, $2, $3) RETURNING id"
NOTE_LEDGER = """
INSERT INTO ledger (user_id, unit, kind, amount, balance_after, reservation_id)
SELECT $1::bigint, * FROM (VALUES ('money', 'payment', -$3::bigint, $4::bigint, $2::bigint),
	('points', 'reward', $5::bigint, $6::bigint, $2::bigint)) AS entry(unit, kind, amount, balance, reservation)
WHERE amount <> 0
"""


async def pay(once: Once, user: int, reservation: int) -> Kept:
    try:
        async with transaction() as db:
            kept, performance = await pay_reservation(db, once, user, reservation)
    except Lapsed:
        async with transaction() as db:
            return await once.keep_problem(db, Problem(410, "hold_expired"))
    if kept.status == 201:
        await line.end_pass(catalog.event_of(performance).id, user)
    return kept


def judge(held, balance: int) -> Problem | None:
    if held["status"] == "paid":
        return Problem(409, "already_paid")
    if held["lapsed"]:
        return Problem(410, "hold_expired")
    if balance < held["total"]:
        return Problem(402, "insufficient_balance")
    return None


async def pay_reservation(db, once: Once, user: int, reservation: int) -> tuple[Kept, int]:
    held = await db.fetchrow(LOCK_RESERVATION, reservation)
    if held is None or held["user_id"] != user:
        raise Problem(404, "reservation_not_found")
    balance = await db.fetchval(LOCK_ACCOUNT, user)
    refusal = judge(held, balance)
    if refusal:
        return await once.keep_problem(db, refusal), held["performance_id"]
    amount, seats = held["total"], held["seat_ids"]
    points = amount * settings.REWARD_PERCENT // 100
    if len(await db.fetch(SELL_SEATS, reservation, seats)) != len(seats):
        raise Lapsed
    await db.execute("UPDATE reservations SET status = 'paid' WHERE id = $1", reservation)
    account = await db.fetchrow(DEBIT, user, amount, points)
    payment = await db.fetchval(NOTE_PAYMENT, reservation, user, amount)
    await db.execute(NOTE_LEDGER, user, reservation, amount, account["balance"], points, account["points"])
    reply = {
        "payment_id": payment,
        "reservation_id": reservation,
        "status": "paid",
        "amount": amount,
        "balance": account["balance"],
        "points_awarded": points,
    }
    return await once.keep(db, 201, encode(reply)), held["performance_id"]
