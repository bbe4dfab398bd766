"""What is on sale, as each worker knows it: read anew every two seconds."""

from dataclasses import dataclass

import stores
from replies import Problem


@dataclass
class Event:
    id: int
    queue_enabled: bool
    capacity: int
    pass_ttl_seconds: int
    seats_available: int


events: dict[int, Event] = {}
performances: dict[int, int] = {}  # performance → event

READ = """
SELECT e.id, e.queue_enabled, e.capacity, e.pass_ttl_seconds, count(s.id) AS seats_available
FROM events e
LEFT JOIN performances p ON p.event_id = e.id
LEFT JOIN seats s ON s.performance_id = p.id
	AND (s.status = 'available' OR s.status = 'held' AND s.hold_expires_at <= now())
GROUP BY e.id
"""


async def refresh() -> None:
    rows = await stores.database.fetch(READ)
    found = await stores.database.fetch("SELECT id, event_id FROM performances")
    events.clear()
    events.update({row["id"]: Event(**row) for row in rows})
    performances.clear()
    performances.update({row["id"]: row["event_id"] for row in found})


def event(id: int) -> Event:
    if id not in events:
        raise Problem(404, "event_not_found")
    return events[id]


def event_of(performance: int) -> Event:
    if performance not in performances:
        raise Problem(404, "performance_not_found")
    return events[performances[performance]]
