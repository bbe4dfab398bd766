"""A ticket shop as people write it with FastAPI: redis-py for the line and the locks, asyncpg for the sale.

It speaks onsale's contract as far as bench/ calls it, for the comparison. Handlers take the request
itself and give finished replies: measured, that is FastAPI's fastest way.
"""

import asyncio
import logging

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import catalog
import line
import sale
import seats
import settings
import stores
import tokens
from once import run_once
from replies import Problem, encode, problem_reply, reply

app = FastAPI(openapi_url=None)
tasks: list[asyncio.Task] = []


async def repeat(seconds: float, work) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:
            logging.exception("%s failed; it is tried again", work.__name__)


@app.on_event("startup")
async def start() -> None:
    await stores.open_stores()
    line.register()
    sale.register()
    await catalog.refresh()
    tasks.append(asyncio.create_task(repeat(settings.ADMIT_EVERY_S, line.admit)))
    tasks.append(asyncio.create_task(repeat(settings.CATALOG_EVERY_S, catalog.refresh)))


@app.on_event("shutdown")
async def stop() -> None:
    for task in tasks:
        task.cancel()
    await stores.close_stores()


@app.exception_handler(Problem)
async def on_problem(request: Request, problem: Problem) -> Response:
    return problem_reply(request, problem)


@app.exception_handler(RequestValidationError)
async def on_invalid(request: Request, error: RequestValidationError) -> Response:
    if any("json" in e["type"] and "decode" in e["type"] or e["type"] == "json_invalid" for e in error.errors()):
        return problem_reply(request, Problem(400, "malformed_json"))
    errors = [{"field": ".".join(map(str, e["loc"][1:])), "message": e["msg"]} for e in error.errors()]
    return problem_reply(request, Problem(422, "validation_failed", errors=errors))


@app.exception_handler(HTTPException)
async def on_http(request: Request, error: HTTPException) -> Response:
    return problem_reply(request, Problem(error.status_code, str(error.detail).lower().replace(" ", "_")))


@app.exception_handler(asyncpg.DeadlockDetectedError)
async def on_deadlock(request: Request, _: Exception) -> Response:
    return problem_reply(request, Problem(503, "database_unavailable"))


# --- the line ---


@app.post("/v1/events/{event}/queue")
async def join(request: Request, event: int) -> Response:
    user = tokens.user_of(request)
    found = catalog.event(event)
    if not found.queue_enabled:
        raise Problem(409, "queue_disabled")
    return reply(request, *await line.join(found, user))


@app.get("/v1/queue")
async def poll(request: Request) -> Response:
    event, user, token = tokens.place_of(request)
    return reply(request, 200, await line.poll(catalog.event(event), user, token))


@app.delete("/v1/queue")
async def leave(request: Request) -> Response:
    event, user, _ = tokens.place_of(request)
    await line.leave(event, user)
    return Response(status_code=204)


@app.get("/v1/events/{event}/queue")
async def queue(request: Request, event: int) -> Response:
    found = catalog.event(event)
    waiting, active = await line.counts(found)
    body = {
        "event_id": event,
        "enabled": found.queue_enabled,
        "paused": False,
        "message": None,
        "waiting": waiting,
        "active": active,
        "capacity": found.capacity,
        "admit_per_second": settings.ADMIT_AT_MOST * 10,
    }
    return reply(request, 200, encode(body), Cache_Control="public, max-age=1")


# --- the sale ---


@app.post("/v1/reservations")
async def hold(request: Request, wanted: sale.HoldRequest) -> Response:
    user = tokens.user_of(request)
    event = catalog.event_of(wanted.performance_id)
    if len(set(wanted.seat_ids)) != len(wanted.seat_ids):
        raise Problem(422, "validation_failed", errors=[{"field": "seat_ids", "message": "says a seat twice"}])
    if event.queue_enabled:
        tokens.check_pass(request, event.id, user)

    async def work(once):
        if event.queue_enabled and not await line.pass_end(event, user):
            raise Problem(403, "queue_pass_expired")
        return await sale.hold(once, user, wanted)

    return await run_once(request, user, work)


@app.post("/v1/reservations/{reservation}/payment")
async def pay(request: Request, reservation: int) -> Response:
    user = tokens.user_of(request)

    async def work(once):
        return await sale.pay(once, user, reservation)

    return await run_once(request, user, work)


# --- seats ---


@app.get("/v1/performances/{performance}/seats")
async def seat_list(request: Request, performance: int) -> Response:
    text = await seats.shared("seats", performance, seats.seat_list)
    return reply(request, 200, text, Cache_Control="public, max-age=1")


@app.get("/v1/performances/{performance}/seats/status")
async def seat_status(request: Request, performance: int) -> Response:
    text = await seats.shared("status", performance, seats.seat_letters)
    return reply(request, 200, text, Cache_Control="public, max-age=1")


@app.get("/livez")
async def live(request: Request) -> Response:
    return reply(request, 200, '{"status":"ok"}')
