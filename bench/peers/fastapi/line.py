"""The waiting line: a sorted set of who waits, and one of who has a pass, by its end in ms."""

import random
import time
from datetime import datetime, timezone

import catalog
import settings
import stores
import tokens
from replies import Problem, encode

JOIN, ADMIT = settings.script("join"), settings.script("admit")


def waiting_key(event: int) -> str:
    return f"{settings.NAME}:waiting:{event}"


def active_key(event: int) -> str:
    return f"{settings.NAME}:active:{event}"


def time_text(ms: float) -> str:
    moment = datetime.fromtimestamp(ms / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place_text(event: catalog.Event, user: int, token: str, ahead: int, waiting: int, ends_ms: float) -> str:
    place = {"event_id": event.id, "token": token}
    if ends_ms:
        place |= {"status": "admitted", "position": 0, "ahead": 0, "waiting": waiting}
        poll_ms = settings.POLL_MAX_MS
    else:
        place |= {"status": "waiting", "position": ahead + 1, "ahead": ahead, "waiting": waiting}
        poll_ms = min(settings.POLL_MAX_MS, settings.POLL_MIN_MS + ahead // 10)
        poll_ms = int(poll_ms * random.uniform(0.9, 1.1))
    place |= {"eta_seconds": None, "poll_after_ms": poll_ms}
    if ends_ms:
        place["pass"] = tokens.sign_pass(event.id, user, int(ends_ms / 1000))
        place["pass_expires_at"] = time_text(ends_ms)
        place["expires_in"] = max(0, int(ends_ms / 1000 - time.time()))
    place |= {"seats_available": event.seats_available, "paused": False, "message": None}
    return encode(place)


async def join(event: catalog.Event, user: int) -> tuple[int, str]:
    keys = waiting_key(event.id), active_key(event.id), f"{settings.NAME}:sequence:{event.id}"
    new, ahead, waiting, ends = await run_join(keys=keys, args=[user])
    token = tokens.sign_place(event.id, user)
    return 201 if new else 200, place_text(event, user, token, ahead, waiting, float(ends))


async def poll(event: catalog.Event, user: int, token: str) -> str:
    pipeline = stores.redis.pipeline(transaction=False)
    pipeline.zrank(waiting_key(event.id), user)
    pipeline.zcard(waiting_key(event.id))
    ahead, waiting = await pipeline.execute()
    if ahead is not None:
        return place_text(event, user, token, ahead, waiting, 0)
    ends_ms = await pass_end(event, user)
    if not ends_ms:
        raise Problem(410, "place_expired")
    return place_text(event, user, token, 0, waiting, ends_ms)


async def pass_end(event: catalog.Event, user: int) -> float:
    """0 where there is no live pass."""
    ends_ms = await stores.redis.zscore(active_key(event.id), user)
    return ends_ms if ends_ms and ends_ms > time.time() * 1000 else 0


async def end_pass(event: int, user: int) -> None:
    await stores.redis.zrem(active_key(event), user)


async def leave(event: int, user: int) -> None:
    pipeline = stores.redis.pipeline(transaction=False)
    pipeline.zrem(waiting_key(event), user)
    pipeline.zrem(active_key(event), user)
    await pipeline.execute()


async def counts(event: catalog.Event) -> tuple[int, int]:
    pipeline = stores.redis.pipeline(transaction=False)
    pipeline.zcard(waiting_key(event.id))
    pipeline.zcard(active_key(event.id))
    return tuple(await pipeline.execute())


async def admit() -> None:
    now = int(time.time() * 1000)
    for event in list(catalog.events.values()):
        if event.queue_enabled and event.seats_available:
            args = [now, event.capacity, event.pass_ttl_seconds * 1000, settings.ADMIT_AT_MOST]
            await run_admit(keys=[waiting_key(event.id), active_key(event.id)], args=args)


def register() -> None:
    global run_join, run_admit
    run_join = stores.redis.register_script(JOIN)
    run_admit = stores.redis.register_script(ADMIT)
