"""Seat maps: read from PostgreSQL at most once a second, shared by the workers through Redis."""

import settings
import stores
from catalog import event_of
from replies import encode

READ = """
SELECT id, section, row_name, number, price, version,
	CASE WHEN status = 'held' AND hold_expires_at <= now() THEN 'available' ELSE status END AS status
FROM seats WHERE performance_id = $1 ORDER BY id
"""
LETTERS = {"available": "A", "held": "H", "sold": "S"}
KEPT_MS = 1000


async def shared(kind: str, performance: int, make) -> str:
    event_of(performance)  # 404 where there is none
    name = f"{settings.NAME}:{kind}:{performance}"
    text = await stores.redis.get(name)
    if text is None:
        text = encode(make(performance, await stores.database.fetch(READ, performance)))
        await stores.redis.set(name, text, px=KEPT_MS)
    return text


def seat_list(performance: int, rows) -> dict:
    return {
        "performance_id": performance,
        "version": sum(row["version"] for row in rows),
        "seats": [
            {
                "id": row["id"],
                "section": row["section"],
                "row": row["row_name"],
                "number": row["number"],
                "price": row["price"],
                "status": row["status"],
            }
            for row in rows
        ],
    }


def seat_letters(performance: int, rows) -> dict:
    return {
        "performance_id": performance,
        "version": sum(row["version"] for row in rows),
        "status": "".join(LETTERS[row["status"]] for row in rows),
    }
