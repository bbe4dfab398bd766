#!/usr/bin/env python3
"""check.py URL PEER: does a peer sell right? Without that its speed says nothing.

Invariants 1 to 4 of ours, under the same storm: 200 buyers at 20 seats at once, all connected, all but
the last byte sent, released together; for single seats, for pairs that overlap, and for payments that
are sent twice under one key. Then PostgreSQL is asked. load.sh makes the tables anew, so the peer must
be running on them; DATABASE_URL, REDIS_URL and JWT_SECRET are as for run.sh.
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
BUYERS = 200
SEATS = 20  # of each of the two storms
BALANCE = 1500  # a seat costs 1000: one can be paid, a pair cannot
DEADLINE_S = 60

address: tuple[str, int]
failures: list[str] = []


def expect(holds: bool, what: str) -> None:
    print(f"  {'ok  ' if holds else 'FAIL'} {what}")
    if not holds:
        failures.append(what)


# --- HTTP: plain enough to hold back a byte ---


def encode_part(part: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def access_token(user: int) -> str:
    now = int(time.time())
    claims = {"iss": "onsale", "aud": "onsale", "sub": str(user), "iat": now, "exp": now + 3600}
    text = encode_part({"alg": "HS256", "typ": "JWT"}) + "." + encode_part(claims)
    digest = hmac.digest(os.environ["JWT_SECRET"].encode(), text.encode(), hashlib.sha256)
    return text + "." + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def request(method: str, path: str, body: dict | None = None, **headers: str) -> bytes:
    text = "" if body is None else json.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: peer", f"Content-Length: {len(text)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()


class Reply:
    """The head by name, the body to the byte."""

    def __init__(self, connection: socket.socket):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.more(connection)
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
        while len(self.body) < int(self.headers["content-length"]):
            self.body += self.more(connection)

    @staticmethod
    def more(connection: socket.socket) -> bytes:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("the peer closed a connection within a reply")
        return data

    def json(self) -> dict:
        return json.loads(self.body)


def at_once(requests: list[bytes]) -> list[Reply]:
    """A connection for each, all but the last byte sent; then the last bytes, one right after another."""
    connections = [socket.create_connection(address, timeout=DEADLINE_S) for _ in requests]
    for connection, data in zip(connections, requests):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(data[:-1])
    time.sleep(0.2)  # for the peer to have read what there is; it proves nothing, it only sharpens the storm
    for connection, data in zip(connections, requests):
        connection.sendall(data[-1:])
    replies = [Reply(connection) for connection in connections]
    for connection in connections:
        connection.close()
    return replies


def ask(data: bytes) -> Reply:
    with socket.create_connection(address, timeout=DEADLINE_S) as connection:
        connection.sendall(data)
        return Reply(connection)


# --- the buyers ---


def authorized(user: int) -> dict:
    return {"Authorization": f"Bearer {access_token(user)}"}


def wait_for_pass(token: str) -> str:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        place = ask(request("GET", "/v1/queue", X_Queue_Token=token)).json()
        if place["status"] == "admitted":
            return place["pass"]
    raise TimeoutError("nobody was admitted")


def get_passes() -> dict[int, str]:
    users = range(1, BUYERS + 1)
    joins = at_once([request("POST", "/v1/events/1/queue", **authorized(user)) for user in users])
    expect(all(reply.status == 201 for reply in joins), f"{BUYERS} people joined at once")
    again = ask(request("POST", "/v1/events/1/queue", **authorized(1)))
    expect(again.status == 200, "who joins again has the same place")
    return {user: wait_for_pass(reply.json()["token"]) for user, reply in zip(users, joins)}


def hold_request(user: int, pass_: str, seats: list[int], key: str) -> bytes:
    body = {"performance_id": 1, "seat_ids": seats}
    headers = {"X_Queue_Pass": pass_, "Idempotency_Key": key, **authorized(user)}
    return request("POST", "/v1/reservations", body, **headers)


def pay_request(user: int, reservation: int, key: str) -> bytes:
    return request("POST", f"/v1/reservations/{reservation}/payment", {}, Idempotency_Key=key, **authorized(user))


def check_repeats(what: str, requests: list[bytes], firsts: list[Reply]) -> None:
    repeats = at_once(requests)
    same = all((a.status, a.body) == (b.status, b.body) for a, b in zip(firsts, repeats))
    expect(same, f"{what}: every repeat got the first reply, to the byte")
    told = all(reply.headers.get("idempotent-replayed") == "true" for reply in repeats)
    expect(told, f"{what}: and says that it is one")


def storm(what: str, passes: dict[int, str], seats_of) -> dict[int, Reply]:
    """One hold a buyer; gives the replies of those who won, by user."""
    requests = [hold_request(user, passes[user], seats_of(user), f"{what}-{user}") for user in passes]
    began = time.monotonic()
    replies = at_once(requests)
    print(f"  {what}: {len(requests)} at once answered in {(time.monotonic() - began) * 1000:.0f} ms")
    won = {user: reply for user, reply in zip(passes, replies) if reply.status == 201}
    lost = [reply for reply in replies if reply.status != 201]
    expect(
        all(reply.status == 409 and reply.json()["code"] == "seat_unavailable" for reply in lost),
        f"{what}: all others were told 409 seat_unavailable",
    )
    check_repeats(what, requests, replies)
    return won


def pay_twice(won: dict[int, Reply]) -> dict[int, list[Reply]]:
    """Each payment twice at once under its key."""
    users = list(won)
    requests = [pay_request(user, won[user].json()["id"], f"pay-{user}") for user in users]
    replies = at_once([data for data in requests for _ in range(2)])
    return {user: replies[2 * i : 2 * i + 2] for i, user in enumerate(users)}


def check_payments(singles: dict[int, Reply]) -> int:
    """Gives how many were acknowledged."""
    paid = pay_twice(singles)
    firsts = {user: [r for r in two if r.status == 201] for user, two in paid.items()}
    expect(all(firsts.values()), "each payment was acknowledged")
    in_flight = [r for two in paid.values() for r in two if r.status != 201]
    expect(
        all(r.json()["code"] == "request_in_flight" for r in in_flight),
        "a twin got the same reply, or was told that the first is in flight",
    )
    same = True
    for user, replies in firsts.items():
        again = ask(pay_request(user, singles[user].json()["id"], f"pay-{user}"))
        same = same and all((again.status, again.body) == (r.status, r.body) for r in replies)
    expect(same, "payments: every repeat got the first reply, to the byte")
    other = list(singles)[0]
    anew = ask(pay_request(other, singles[other].json()["id"], "another key"))
    expect(anew.status == 409 and anew.json()["code"] == "already_paid", "paid is paid: 409 under another key")
    return len(firsts)


def check_poor(pairs: dict[int, Reply]) -> None:
    codes = {reply.json().get("code") for two in pay_twice(pairs).values() for reply in two}
    right = "insufficient_balance" in codes and codes <= {"insufficient_balance", "request_in_flight"}
    expect(right, "who has too little is told 402")


def check_key_reuse(passes: dict[int, str]) -> None:
    user = next(iter(passes))
    reply = ask(hold_request(user, passes[user], [2 * SEATS], f"singles-{user}"))
    expect(reply.json()["code"] == "idempotency_key_reused", "the key with another body: 422")
    headers = {**authorized(user), "X_Queue_Pass": passes[user]}
    body = {"performance_id": 1, "seat_ids": [1]}
    reply = ask(request("POST", "/v1/reservations", body, **headers))
    expect(reply.json()["code"] == "idempotency_key_required", "no key: 400")
    headers = {**authorized(user), "X_Queue_Pass": passes[user + 1], "Idempotency_Key": "stolen"}
    reply = ask(request("POST", "/v1/reservations", body, **headers))
    expect(reply.json()["code"] == "queue_pass_invalid", "somebody else's pass: 403")


# --- PostgreSQL ---


def query(sql: str) -> int:
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", os.environ["DATABASE_URL"]]
    sql = f"SET search_path = peer_{sys.argv[2]};\n{sql}"
    return int(subprocess.run(command, input=sql, check=True, capture_output=True, text=True).stdout)


def check_database(singles: int, pairs: int, paid: int) -> None:
    count = "SELECT count(*) FROM "
    expect(query(count + "reservations") == singles + pairs, "as many reservations as were acknowledged")
    expect(
        query(count + "(SELECT unnest(seat_ids) FROM reservations) s(id)")
        == query(count + "(SELECT DISTINCT unnest(seat_ids) FROM reservations) s(id)"),
        "no seat in two reservations",
    )
    expect(
        query(
            count + "reservations r WHERE cardinality(seat_ids) <> (SELECT count(*) FROM seats s WHERE"
            " s.reservation_id = r.id AND s.id = ANY (r.seat_ids) AND s.status ="
            " CASE r.status WHEN 'paid' THEN 'sold' ELSE 'held' END)"
        )
        == 0,
        "a reservation has all its seats or none",
    )
    expect(query(count + "seats WHERE status <> 'available'") == singles + 2 * pairs, "and no seat without one")
    expect(query(count + "payments") == paid, "each acknowledged payment is there, once")
    expect(
        query(
            count + "accounts a WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM ledger l"
            " WHERE l.user_id = a.user_id AND unit = 'money') OR points <> (SELECT coalesce(sum(amount), 0)"
            " FROM ledger l WHERE l.user_id = a.user_id AND unit = 'points')"
        )
        == 0,
        "balances and points are the sum of their ledger",
    )
    expect(
        query(f"SELECT {BALANCE} * count(*) - sum(balance) FROM accounts") == 1000 * paid,
        "no money appeared or vanished",
    )


def main() -> int:
    global address
    url = urlsplit(sys.argv[1])
    address = (url.hostname, url.port)
    passes = get_passes()
    singles = storm("singles", passes, lambda user: [user % SEATS + 1])
    expect(len(singles) == SEATS, f"{SEATS} seats were held")
    # Neighbours overlap: 21+22, 22+23, … 39+40, 40+21.
    pairs = storm("pairs", passes, lambda user: [SEATS + 1 + user % SEATS, SEATS + 1 + (user + 1) % SEATS])
    expect(0 < len(pairs) <= SEATS // 2, f"{len(pairs)} pairs of {SEATS} seats were held")
    check_key_reuse(passes)
    paid = check_payments(singles)
    check_poor(pairs)
    check_database(len(singles), len(pairs), paid)
    print(f"{sys.argv[2]}: {'right' if not failures else f'{len(failures)} wrong'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
