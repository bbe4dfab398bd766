"""Idempotency-Key: an effect happens once, and every repeat gets the first reply.

The record commits in PostgreSQL with the effect. Redis keeps a request from running twice at once and
hands out known replies; where it forgot, the unique key in PostgreSQL decides.
"""

import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request, Response

import settings
import stores
from replies import Problem, problem_text, reply, request_id

IN_FLIGHT = "in flight"


class Known(Exception):
    """The key was used before: nothing of this request may happen."""


@dataclass
class Kept:
    digest: str
    status: int
    text: str


class Once:
    """One request under its key. `keep` belongs into the transaction of the effect."""

    def __init__(self, request: Request, user: int, body: bytes):
        key = request.headers.get("idempotency-key", "").strip('"')
        if not key:
            raise Problem(400, "idempotency_key_required")
        if len(key) > 255:
            raise Problem(422, "validation_failed", errors=[{"field": "Idempotency-Key", "message": "too long"}])
        self.request = request
        self.scope = f"{user}:{request.method}:{request.url.path}:{key}"
        self.digest = hashlib.sha256(body).hexdigest()
        self.name = f"{settings.NAME}:key:{self.scope}"

    async def keep(self, db, status: int, text: str) -> Kept:
        row = await db.fetchrow(
            "INSERT INTO idempotency (scope, digest, status, reply) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            self.scope, self.digest, status, text,
        )  # fmt: skip
        if row is None:
            raise Known
        return Kept(self.digest, status, text)

    def refusal(self, problem: Problem) -> Kept:
        return Kept(self.digest, problem.status, problem_text(problem, request_id(self.request)))

    async def keep_problem(self, db, problem: Problem) -> Kept:
        return await self.keep(db, problem.status, self.refusal(problem).text)

    async def find(self) -> Kept | None:
        row = await stores.database.fetchrow(
            "SELECT digest, status, reply FROM idempotency WHERE scope = $1", self.scope
        )
        return Kept(*row) if row else None

    async def claim(self) -> Kept | None:
        """None: ours to run. Else the reply that is known."""
        pipeline = stores.redis.pipeline(transaction=False)
        pipeline.set(self.name, IN_FLIGHT, nx=True, px=settings.LOCK_MS)
        pipeline.get(self.name)
        claimed, value = await pipeline.execute()
        if claimed:
            return None
        if value is None or value == IN_FLIGHT:
            raise Problem(409, "request_in_flight")
        return Kept(*json.loads(value))

    async def tell(self, kept: Kept | None) -> None:
        if kept is None:
            await stores.redis.delete(self.name)
        else:
            value = json.dumps([kept.digest, kept.status, kept.text])
            await stores.redis.set(self.name, value, ex=settings.KEY_KEPT_S)

    def answer(self, kept: Kept, replayed: bool) -> Response:
        if kept.digest != self.digest:
            raise Problem(422, "idempotency_key_reused")
        if replayed:
            return reply(self.request, kept.status, kept.text, Idempotent_Replayed="true")
        return reply(self.request, kept.status, kept.text)


async def run_once(request: Request, user: int, work) -> Response:
    """Runs work(once), which gives what was kept, unless the key is known."""
    once = Once(request, user, await request.body())
    kept = await once.claim()
    if kept is not None:
        return once.answer(kept, replayed=True)
    replayed = False
    try:
        try:
            kept = await work(once)
        except Known:
            kept, replayed = await once.find(), True
    finally:
        await once.tell(kept)
    return once.answer(kept, replayed)


@asynccontextmanager
async def transaction():
    async with stores.database.acquire() as db, db.transaction():
        yield db
