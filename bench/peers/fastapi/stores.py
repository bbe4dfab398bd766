"""The stores of one worker: a pool of each."""

import asyncpg
from redis.asyncio import BlockingConnectionPool, Redis

import settings

redis: Redis
database: asyncpg.Pool


async def open_stores() -> None:
    global redis, database
    # Waits for a connection, as asyncpg's pool does: the plain pool opens as many as there are callers.
    redis = Redis(
        connection_pool=BlockingConnectionPool.from_url(
            settings.REDIS_URL,
            max_connections=settings.REDIS_CONNECTIONS,
            timeout=None,
            decode_responses=True,
        )
    )
    database = await asyncpg.create_pool(
        settings.DATABASE_URL,
        min_size=settings.DATABASE_CONNECTIONS,
        max_size=settings.DATABASE_CONNECTIONS,
        server_settings={"search_path": settings.NAME},
    )


async def close_stores() -> None:
    await database.close()
    await redis.close()
