"""Buyers, as users of Locust would write them: join, poll as told, hold a seat, pay.

    set -a; . .run/env; set +a
    build/onsale users --count 1000 --balance 10000000 >tokens
    TOKENS=tokens locust -f bench/locustfile.py --headless -H http://127.0.0.1:8080 -u 100 -r 50 -t 30s Buyer

TOKENS names what `onsale users` printed: each walk takes the next person, and where there is none left the
run ends. EVENT (1) and PERFORMANCE (1) say what is bought. Poller only polls, without a pause, for what
Locust itself can do: one process is one core; more are Locust's --master and --worker, each with TOKENS of
its own.
"""

import os
import random
import time
import uuid

from locust import FastHttpUser, constant, task
from locust.exception import StopUser

EVENT = int(os.environ.get("EVENT", "1"))
PERFORMANCE = int(os.environ.get("PERFORMANCE", "1"))
SEAT_TRIES = 20
AVAILABLE = "available"


def read_tokens():
    with open(os.environ["TOKENS"]) as lines:
        return [line.split()[-1] for line in lines]


tokens = iter(read_tokens())


class Person(FastHttpUser):
    abstract = True
    wait_time = constant(0)

    def become_somebody(self):
        token = next(tokens, None)
        if token is None:
            self.environment.runner.quit()
            raise StopUser
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method, path, name, right, **arguments):
        """A reply whose status is not among the right ones is a failure; gives status and members."""
        with self.client.request(method, path, name=name, catch_response=True, **arguments) as reply:
            if reply.status_code in right:
                reply.success()
                return reply.status_code, reply.json()
            reply.failure(f"{reply.status_code} {reply.text}")
        return reply.status_code, {}

    def join(self):
        path = f"/v1/events/{EVENT}/queue"
        status, place = self.call("POST", path, "join", (200, 201), headers=self.headers)
        if status not in (200, 201):
            raise StopUser
        return place

    def poll(self, place):
        headers = {"X-Queue-Token": place["token"]}
        status, next_place = self.call("GET", "/v1/queue", "poll", (200,), headers=headers)
        return next_place if status == 200 else place


class Buyer(Person):
    """The whole way, as told: most of its time it waits."""

    @task
    def buy(self):
        self.become_somebody()
        place = self.join()
        while place["status"] != "admitted":
            time.sleep(place["poll_after_ms"] / 1000)
            place = self.poll(place)
        reservation = self.hold(place["pass"])
        if reservation is not None:
            path = f"/v1/reservations/{reservation}/payment"
            headers = {**self.headers, "Idempotency-Key": str(uuid.uuid4())}
            self.call("POST", path, "pay", (201,), headers=headers, json={})

    def hold(self, queue_pass):
        """Another buyer may have been faster: then another seat."""
        seats = self.free_seats()
        random.shuffle(seats)
        for seat in seats[:SEAT_TRIES]:
            headers = {
                **self.headers,
                "X-Queue-Pass": queue_pass,
                "Idempotency-Key": str(uuid.uuid4()),
            }
            body = {"performance_id": PERFORMANCE, "seat_ids": [seat]}
            status, reply = self.call(
                "POST", "/v1/reservations", "hold", (201, 409), headers=headers, json=body
            )
            if status == 201:
                return reply["id"]
        return None

    def free_seats(self):
        path = f"/v1/performances/{PERFORMANCE}/seats"
        _, reply = self.call("GET", path, "seats", (200,))
        return [seat["id"] for seat in reply.get("seats", []) if seat["status"] == AVAILABLE]


class Poller(Person):
    """One person each, who polls and polls."""

    def on_start(self):
        self.become_somebody()
        self.place = self.join()

    @task
    def ask(self):
        self.place = self.poll(self.place)
