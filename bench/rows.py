"""The rows of the table: each function measures one kind of work, the contenders in turn, and gives its lines.

A round asks every contender once, so that whatever else the machine does falls on all of them alike; a ratio is the
median of the rounds' own ratios.
"""

import dataclasses
import itertools
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import threading
import time

from harness import (
    BENCH, ROOT, Failed, LagProbe, Nginx, Server, Webdis, bodies, cpu_seconds, exchange, http_get, join, output_of,
    passes, pgbench, redis_benchmark, request_bytes, resident_bytes, swarm, wrk, free_port)

CONNECTIONS = 64
CROWD = 500  # connections, of which the holds of many share a transaction
CHANGES_PER_SECOND = 10
INSTANCES = (1, 2, 3)
LINE_LENGTHS = (1, 1_000, 10_000, 100_000, 1_000_000)
PEERS = ("fastapi", "fastify")


@dataclasses.dataclass
class Size:
    """How much is measured."""
    line: int  # people in the long line
    sample: int  # of them poll
    rounds: int
    seconds: int
    buyers: int  # who hold and pay; ten seats each
    rushes: tuple
    idle: int
    rates: tuple  # arrivals a second, for latency against load
    clients: tuple  # of pgbench, of which the best is taken


FULL = Size(1_000_000, 10_000, 5, 4, 10_000, ((1, 18_000), (2, 1_000), (2, 10_000)), 18_000,
            (100, 250, 500, 1_000, 1_500, 2_000), (1, 2, 4, 8, 16, 32, 64))
QUICK = Size(20_000, 2_000, 1, 1, 3_000, ((1, 1_000),), 2_000, (), (16, 32))


@dataclasses.dataclass
class Line:
    """A line of the table. value None: it could not be measured, and note says why."""
    work: str
    measure: str
    target: str = ""
    value: float = None
    text: str = ""
    met: bool = None
    note: str = ""


def at_least(work, measure, target, value, note=""):
    return Line(work, measure, f"≥ {target:g}", value, f"{value:.2f}", value >= target, note)


def at_most(work, measure, target, value, note="", text="{:.3f}"):
    return Line(work, measure, f"≤ {target:g}", value, text.format(value), value <= target, note)


def plain(work, measure, value, text="{:,.0f}", note=""):
    return Line(work, measure, "", value, text.format(value), None, note)


def missing(work, measure, why):
    return Line(work, measure, "", None, "MISSING", None, str(why))


class Bench:
    """What the rows share: the lab, how much to measure, and all raw figures by row and contender."""

    def __init__(self, lab, size, say):
        self.lab = lab
        self.size = size
        self.say = say
        self.raw = {}
        self.lag = []  # (row, microseconds seen, share of the time that the server waited for a core)
        self.runs = itertools.count(1)

    def in_turn(self, row, contenders):
        """Rounds of all contenders: name → results. Each is a function that gives a dict with per_second."""
        results = {name: [] for name in contenders}
        for turn in range(self.size.rounds):
            for name, measure in contenders.items():
                result = self.once_more(measure)
                results[name].append(result)
                self.say(f"  {row} {turn + 1}/{self.size.rounds} {name}: {result['per_second']:,.0f}/s")
        self.raw[row] = {name: [round(result["per_second"], 1) for result in ones]
                         for name, ones in results.items()}
        return results

    def once_more(self, measure):
        """A machine that stood still for a moment does not end the row."""
        try:
            return measure()
        except Failed as why:
            self.say(f"  again: {why}")
            return measure()

    def load(self, row, server, script, connections=CONNECTIONS, seconds=None, **variables):
        """wrk on one of our servers, with its loop looked at meanwhile."""
        with LagProbe(server) as probe:
            result = wrk(script, server.port, seconds or self.size.seconds, connections, **variables)
        self.lag.append((row, probe.seen_us, probe.core_wait))
        return result


def ratio(results, ours, theirs, member=lambda result: result["per_second"]):
    return statistics.median(member(a) / member(b) for a, b in zip(results[ours], results[theirs]))


def median(results, name, member=lambda result: result["per_second"]):
    return statistics.median(member(result) for result in results[name])


# Peers

class Peer:
    """A service of bench/peers with its own tables and line: event 1, performance 1, seats from 1."""

    def __init__(self, bench, name, people, **line):
        if not (BENCH / "peers/run.sh").exists():
            raise Failed("missing: bench/peers")
        self.name = name
        self.lab = bench.lab
        self.port = free_port()
        self.next_seat = 1
        self.environment = {**bench.lab.environment, "PORT": str(self.port),
                            "JWT_SECRET": bench.lab.environment["ONSALE_AUTH_JWT_SECRET"]}
        ids = [int(person) for person, _ in people]
        output_of([BENCH / "peers/load.sh", name], env={
            **self.environment, "FIRST": str(min(ids)), "LAST": str(max(ids)), "BALANCE": str(10**12),
            **{member.upper(): str(value) for member, value in line.items()}})
        self.process = bench.lab.spawn(name, [BENCH / "peers/run.sh", name], self.environment)
        bench.lab.wait_for(self.process, self.port, "/v1/performances/1/seats/status")
        wrk("status", self.port, 1, CONNECTIONS, PERFORMANCE=1)  # until every worker has come up

    def stop(self):
        self.lab.stop(self.process)

    def fill(self, people, sample):
        """A line of so many, and the tokens of some from all over it."""
        text = output_of([BENCH / "peers/fill.py", self.name, "places", str(people), str(sample)],
                         env=self.environment)
        return self.lab.write(f"{self.name}.tokens", text.split())

    def hold(self, bench, people_file, connections=CONNECTIONS):
        first = self.next_seat
        self.next_seat += 10_000  # a try that fails may have held any of them
        result = wrk("hold", self.port, bench.size.seconds, connections, PEOPLE=people_file, PERFORMANCE=1,
                     FIRST_SEAT=first, RUN=f"p{next(bench.runs)}")
        self.next_seat = first + result["requests"] + connections
        return result


def peers(bench):
    """Whether what we compare with sells right: 200 buyers at 20 seats at once, and what PostgreSQL has then."""
    lines = []
    for name in PEERS:
        peer = Peer(bench, name, [(1, None), (200, None)], balance=1500)
        try:
            told = output_of([BENCH / "peers/check.py", f"http://127.0.0.1:{peer.port}", name],
                             env=peer.environment).strip().splitlines()[-1]
        finally:
            peer.stop()
        lines.append(Line(f"peer {name}", "invariants 1 to 4, 200 buyers on 20 seats at once", "right", 1,
                          told.removeprefix(f"{name}: "), told == f"{name}: right"))
    return lines


def start_peers(bench, row, lines, people, **line):
    """Those that can be had; of each other one a line says loudly why not."""
    peers = {}
    for name in PEERS:
        try:
            peers[name] = Peer(bench, name, people, **line)
        except Failed as why:
            lines.append(missing(row, f"of {name}", why))
    return peers


def stop_all(servers):
    for server in servers:
        server.stop()


# Polls

def fill(bench, server, event, people):
    """The people join; by the swarm where it is built."""
    tokens_file = bench.lab.write("fill.people", (f"{person} {jwt}" for person, jwt in people))
    out = bench.lab.folder / f"fill.{event}"
    try:
        swarm(bench.lab, "fill", server.port, tokens_file, event=event, count=len(people), connections=64, out=out)
        tokens = [line.split()[-1] for line in out.read_text().splitlines()]
    except Failed as why:
        if "missing" not in str(why):
            raise
        tokens = join(server.port, event, people)
    if len(tokens) != len(people):
        raise Failed(f"{len(tokens)} of {len(people)} joined")
    tokens_file.unlink()
    return tokens


def paused_line(server):
    event = server.event(capacity=1, admit_per_second=1)
    server.call("PUT", f"/v1/admin/events/{event}/queue", {"paused": True})
    server.performance(event, 1000)
    return event


def spread(tokens, count):
    """So many of them, evenly from all over."""
    step = max(1, len(tokens) // count)
    return tokens[::step][:count]


def long_line(bench, server):
    """The line that polls are measured in, made once: the event, its people, a file of tokens."""
    if not hasattr(bench, "line"):
        people = bench.lab.people(bench.size.line, balance=0)
        event = paused_line(server)
        before = bench.lab.redis_info("used_memory")
        bench.say(f"  {len(people):,} people join")
        tokens = fill(bench, server, event, people)
        used = bench.lab.redis_info("used_memory") - before
        bench.lab.redis("bgrewriteaof")
        while bench.lab.redis_info("aof_rewrite_in_progress"):
            time.sleep(0.2)
        bench.line = {
            "event": event, "people": people, "bytes": used / len(people),
            "tokens": bench.lab.write("line.tokens", spread(tokens, bench.size.sample)),
            # So many that nobody polls twice within the second in which heartbeats are written once.
            "crowd": bench.lab.write("line.crowd", spread(tokens, 20 * bench.size.sample)),
            "users": bench.lab.write("line.users", (person for person, _ in spread(people, bench.size.sample))),
            "token": tokens[len(tokens) // 2]}
    return bench.line


def poll_body(server, token):
    (status, body), = exchange(server.port, [request_bytes("GET", "/v1/queue", {"X-Queue-Token": token})])
    place = json.loads(body)
    if status != 200 or place["status"] != "waiting" or place["position"] is None:
        raise Failed(f"a poll says {status} {body[:300]!r}")
    return body.decode()


def polls(bench):
    work = f"poll, {bench.size.line:,} in line"
    server, lines = Server(bench.lab), []
    line = long_line(bench, server)
    nginx, webdis = Nginx(bench.lab, poll_body(server, line["token"])), Webdis(bench.lab)
    key = f"onsale:{{{line['event']}}}:wait"
    member = line["people"][len(line["people"]) // 2][0]
    seconds = bench.size.seconds
    contenders = {
        "onsale": lambda: bench.load("polls", server, "poll", TOKENS=line["tokens"]),
        "crowd": lambda: bench.load("polls", server, "poll", TOKENS=line["crowd"]),
        "nginx": lambda: wrk("poll", nginx.port, seconds, CONNECTIONS, TOKENS=line["tokens"]),
        "webdis": lambda: wrk("zrank", webdis.port, seconds, CONNECTIONS, USERS=line["users"], LINE=key),
        "redis-benchmark": lambda: {"per_second": redis_benchmark(
            bench.lab, 70_000 * seconds, "ZRANK", key, member)},
    }
    peers = start_peers(bench, work, lines, line["people"][:1], capacity=0)
    for name, peer in peers.items():
        tokens = peer.fill(bench.size.line, bench.size.sample)
        contenders[name] = lambda peer=peer, tokens=tokens: wrk(
            "poll", peer.port, seconds, CONNECTIONS, TOKENS=tokens)
    results = bench.in_turn("polls", contenders)
    stop_all([server, nginx, webdis, *peers.values()])
    targets = {"nginx": ("nginx return 200, one worker", 0.7), "webdis": ("webdis ZRANK", 1.8),
               "fastapi": ("FastAPI, 2 workers", 8)}
    for name, (what, target) in targets.items():
        if name in results:
            lines.append(at_least(work, f"of {what}", target, ratio(results, "onsale", name)))
    for name, what in {"redis-benchmark": "redis-benchmark ZRANK", "fastify": "Fastify, 2 workers"}.items():
        if name in results:
            lines.append(plain(work, f"of {what}", ratio(results, "onsale", name), "{:.2f}"))
    lines.append(plain(work, "polls/s", median(results, "onsale")))
    lines.append(plain(f"… each of {20 * bench.size.sample:,} in turn, whose heartbeats are all written",
                       f"of {bench.size.sample:,} in turn", ratio(results, "crowd", "onsale"), "{:.2f}"))
    lines.append(at_most("a place in line", "bytes of Redis", 300, line["bytes"], text="{:.0f}"))
    return lines


def lengths(bench):
    """One server, a line of each length, polled in turn."""
    server = Server(bench.lab)
    line = long_line(bench, server)
    files = {}
    for length in LINE_LENGTHS:
        if length < bench.size.line:
            tokens = fill(bench, server, paused_line(server), line["people"][:length])
            files[length] = bench.lab.write(f"line.{length}", spread(tokens, bench.size.sample))
    files[bench.size.line] = line["tokens"]
    contenders = {
        f"{length:,}": lambda path=path: bench.load("lengths", server, "poll", TOKENS=path)
        for length, path in files.items()}
    results = bench.in_turn("lengths", contenders)
    stop_all([server])
    value = ratio(results, f"{bench.size.line:,}", "1,000")
    return [Line(f"poll, {bench.size.line:,} in line", "of the same at 1,000", "0.9 to 1.1", value, f"{value:.2f}",
                 0.9 <= value)]


def instances(bench):
    """So many servers on one port; wrk and Redis share the machine with them."""
    contenders, servers = {}, []
    for count in INSTANCES:
        servers.append(Server(bench.lab, count))
        line = long_line(bench, servers[0])
        contenders[str(count)] = lambda server=servers[-1]: wrk(
            "poll", server.port, bench.size.seconds, CONNECTIONS, TOKENS=line["tokens"])
    results = bench.in_turn("instances", contenders)
    stop_all(servers)
    return [plain(f"poll, {count} instance{'s' if count > 1 else ''} on one port", "polls/s",
                  median(results, str(count))) for count in INSTANCES]


# Seat maps

class Changer:
    """Holds a seat and cancels again, so that the map changes ten times a second."""

    def __init__(self, server, performance, seat, person):
        self.server = server
        self.performance, self.seat, self.jwt = performance, seat, person[1]
        self.changes = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def run(self):
        who = {"Authorization": f"Bearer {self.jwt}"}
        while not self.ending.wait(1 / CHANGES_PER_SECOND):
            body = json.dumps({"performance_id": self.performance, "seat_ids": [self.seat]})
            hold = request_bytes("POST", "/v1/reservations", {
                **who, "Idempotency-Key": f"change-{self.changes}"}, body)
            held, = bodies(exchange(self.server.port, [hold]), (201,), "changing a seat")
            self.changes += 1
            self.ending.wait(1 / CHANGES_PER_SECOND)
            cancel = request_bytes("DELETE", f"/v1/reservations/{held['id']}", who)
            bodies(exchange(self.server.port, [cancel]), (200,), "changing a seat back")
            self.changes += 1


def seat_maps(bench):
    work = "seats/status, 1,000 seats, 10 changes/s"
    server = Server(bench.lab)
    performance, first = server.performance(server.event(), 1000)
    path = f"/v1/performances/{performance}/seats/status"
    nginx = Nginx(bench.lab, files={path: http_get(server.port, path)[1]})
    seconds = bench.size.seconds
    with Changer(server, performance, first, bench.lab.people(1)[0]) as changer:
        results = bench.in_turn("seat maps", {
            "onsale": lambda: bench.load("seat maps", server, "status", PERFORMANCE=performance),
            "nginx": lambda: wrk("status", nginx.port, seconds, CONNECTIONS, PERFORMANCE=performance)})
    stop_all([server, nginx])
    if changer.changes < bench.size.rounds * seconds * 2 * CHANGES_PER_SECOND / 2:
        raise Failed(f"the map changed only {changer.changes} times")
    return [at_least(work, "of nginx with the same bytes from a file", 0.8, ratio(results, "onsale", "nginx")),
            plain(work, "maps/s", median(results, "onsale"))]


# Holds and payments

class Sale:
    """Ours: a line that lets everybody in, buyers, and a new performance for each run."""

    def __init__(self, bench, **settings):
        self.bench = bench
        self.server = Server(bench.lab, seat__hold_ttl_ms=86400000, **settings)
        self.event = self.server.event(capacity=1_000_000, admit_per_second=100_000)
        self.server.performance(self.event, 100_000)  # nobody is admitted to a sale with fewer seats left than people
        self.people = bench.lab.people(bench.size.buyers)
        self.jwt = dict(self.people)

    def open(self):
        """A fresh performance, and everybody with a pass: who has paid has joined anew."""
        self.performance, self.first = self.server.performance(self.event, len(self.people) * 10)
        found = passes(self.server.port, self.event, self.people)
        self.people_file = self.bench.lab.write(
            "hold.people", (f"{jwt} {text}" for (_, jwt), text in zip(self.people, found)))

    def hold(self, connections=CONNECTIONS, row="holds", seconds=None):
        result = self.bench.load(row, self.server, "hold", connections, seconds, PEOPLE=self.people_file,
                                 PERFORMANCE=self.performance, FIRST_SEAT=self.first, RUN=f"h{next(self.bench.runs)}")
        self.check(result, "reservations", connections)
        return result

    def pay(self, seconds):
        rows = self.bench.lab.sql("select id, user_id from reservations where status = 'held' and "
                                  f"performance_id = {self.performance} order by id").splitlines()
        pairs = [row.split("|") for row in rows]
        path = self.bench.lab.write("pay.reservations", (f"{ident} {self.jwt[user]}" for ident, user in pairs))
        result = self.bench.load("payments", self.server, "pay", seconds=seconds, RESERVATIONS=path,
                                 RUN=f"y{next(self.bench.runs)}")
        if result["requests"] < len(pairs):
            self.check(result, "sold", CONNECTIONS)
        else:  # all were paid before the time was up: what counts is how long that took
            result["per_second"] = float(self.bench.lab.sql(
                "select count(*) / extract(epoch from max(created_at) - min(created_at)) from payments "
                f"where reservation_id between {pairs[0][0]} and {pairs[-1][0]}"))
        return result

    def check(self, result, table, connections):
        """What the client counted stands in PostgreSQL; the last of each connection were cut off."""
        count = int(self.bench.lab.sql(f"select count(*) from {table} where performance_id = {self.performance}"))
        if not result["requests"] <= count <= result["requests"] + connections:
            raise Failed(f"{result['requests']} replies, but {count} rows in {table}")


class Limit:
    """pgbench's: the same schema in a database of its own, on the same cluster."""

    def __init__(self, bench):
        self.bench = bench
        lab = bench.lab
        lab.sql("create database limits", "postgres")
        lab.onsale("migrate", database="limits")
        lab.sql_file(BENCH / "limits/one.sql", "limits")
        people = lab.people(bench.size.buyers, "limits")
        self.first_person, self.people = int(people[0][0]), len(people)
        self.admin = lab.people(1, "limits", role="admin")[0][0]
        lab.sql("insert into events (title, venue) values ('Limits', 'Here')", "limits")
        self.best = None

    def open(self):
        seats = self.people * 10
        self.performance = int(self.bench.lab.sql(
            f"select id from create_performance({self.admin}, 1, 2208988800000, '{{A}}', '{{{seats // 1000}}}', "
            "'{1000}', '{1000}')", "limits"))
        self.seats = seats
        self.first_seat = int(self.bench.lab.sql(
            f"select min(id) from seats where performance_id = {self.performance}", "limits"))

    def hold(self, clients, seconds, script="hold"):
        return {"per_second": pgbench(
            self.bench.lab, script, seconds, clients, first_seat=self.first_seat - 1, share=self.seats // clients,
            first_person=self.first_person, people=self.people, performance=self.performance,
            run=next(self.bench.runs))}

    def pay(self, clients, seconds):
        first, count = map(int, self.bench.lab.sql(
            "select min(id), count(*) from reservations where performance_id = "
            f"{self.performance}", "limits").split("|"))
        return {"per_second": pgbench(
            self.bench.lab, "pay", seconds, clients, first_reservation=first - 1, share=count // clients,
            run=next(self.bench.runs))}

    def find_best(self, measure):
        """The number of clients that does most."""
        tried = {}
        for clients in self.bench.size.clients:
            self.open()
            tried[clients] = measure(clients)["per_second"]
            self.bench.say(f"  pgbench, {clients} clients: {tried[clients]:,.0f}/s")
        return max(tried, key=tried.get), tried


def peer_people(bench, peer, people):
    """The peer's buyers with their passes, as a file."""
    found = passes(peer.port, 1, people)
    return bench.lab.write(f"{peer.name}.people", (f"{jwt} {text}" for (_, jwt), text in zip(people, found)))


def in_order(*steps):
    """A contender of several steps, of which the last is measured."""
    def measure():
        for step in steps[:-1]:
            step()
        return steps[-1]()
    return measure


def holds(bench):
    """Holds of a seat each; their reservations are then paid, and both are measured."""
    work_hold, work_pay, lines = "durable hold, HTTP, pass, lock, idempotency, outbox", "durable payment", []
    sale, limit = Sale(bench), Limit(bench)
    seconds = max(2, bench.size.seconds)
    pay_seconds = seconds // 2  # so that there are more holds than can be paid
    best_hold, tried = limit.find_best(lambda clients: limit.hold(clients, pay_seconds))
    bench.raw["pgbench holds by clients"] = {str(clients): [round(value)] for clients, value in tried.items()}
    best_pay, tried = limit.find_best(in_order_with(
        lambda clients: limit.hold(best_hold, 2), lambda clients: limit.pay(clients, 1)))
    bench.raw["pgbench payments by clients"] = {str(clients): [round(value)] for clients, value in tried.items()}
    peers = start_peers(bench, work_hold, lines, sale.people, seats=100_000, capacity=100_000)
    contenders = {
        "onsale holds": in_order(sale.open, lambda: sale.hold(seconds=seconds)),
        "onsale holds of a crowd": in_order(sale.open, lambda: sale.hold(CROWD, "holds of a crowd", seconds)),
        "pgbench holds": in_order(limit.open, lambda: limit.hold(best_hold, seconds)),
        "onsale payments": lambda: sale.pay(pay_seconds),
        "pgbench payments": lambda: limit.pay(best_pay, pay_seconds)}
    for name, peer in peers.items():
        people_file = peer_people(bench, peer, sale.people)
        contenders[f"{name} holds"] = lambda peer=peer, path=people_file: peer.hold(bench, path)
    results = bench.in_turn("holds", contenders)
    limit.open()
    bench.raw["pgbench holds through our own hold() with arrays of one"] = {
        str(best_hold): [round(limit.hold(best_hold, seconds, "hold_of_ours")["per_second"])]}
    stop_all([sale.server, *peers.values()])
    lines += [
        at_least(work_hold, f"of pgbench's best ({best_hold} clients), by {CONNECTIONS} connections", 1.5,
                 ratio(results, "onsale holds", "pgbench holds")),
        at_least(work_hold, f"… by {CROWD} connections", 1.5,
                 ratio(results, "onsale holds of a crowd", "pgbench holds")),
        at_least(work_pay, f"of pgbench's best ({best_pay} clients)", 1.5,
                 ratio(results, "onsale payments", "pgbench payments")),
        plain(work_hold, f"holds/s by {CONNECTIONS} connections", median(results, "onsale holds")),
        plain(work_hold, f"… by {CROWD} connections", median(results, "onsale holds of a crowd")),
        plain(work_pay, "payments/s", median(results, "onsale payments"))]
    if "fastapi" in peers:
        lines.append(at_least(work_hold, "of FastAPI, 2 workers", 10,
                              ratio(results, "onsale holds", "fastapi holds")))
    if "fastify" in peers:
        lines.append(plain(work_hold, "of Fastify, 2 workers", ratio(results, "onsale holds", "fastify holds"),
                           "{:.2f}"))
    return lines


def in_order_with(*steps):
    def measure(argument):
        for step in steps[:-1]:
            step(argument)
        return steps[-1](argument)
    return measure


def latencies(bench):
    """p95 of a hold in a closed loop: so many users, each with one request in work at a time."""
    lines = []
    sale = Sale(bench)
    peers = start_peers(bench, "p95 of a hold", lines, sale.people, seats=100_000, capacity=100_000)
    files = {name: peer_people(bench, peer, sale.people) for name, peer in peers.items()}
    for users in (50, 500):
        contenders = {"onsale": in_order(sale.open, lambda: sale.hold(users, "p95"))}
        for name, peer in peers.items():
            contenders[name] = lambda peer=peer, name=name: peer.hold(bench, files[name], users)
        results = bench.in_turn(f"holds of {users} users", contenders)
        p95 = lambda result: result["latency_us"]["p95"]
        bench.raw[f"p95 of a hold, {users} users, µs"] = {
            name: [p95(result) for result in ones] for name, ones in results.items()}
        work = f"hold, {users} users, closed loop"
        if "fastapi" in peers:
            lines.append(at_most(work, "p95, of FastAPI's", 0.125, ratio(results, "onsale", "fastapi", p95)))
        lines.append(plain(work, "p95, ms", median(results, "onsale", p95) / 1000, "{:.1f}"))
    stop_all([sale.server, *peers.values()])
    return lines


def rushes(bench):
    """Everybody at once for one seat, or for pairs: until the last has his reply."""
    lines = []
    sale = Sale(bench, http__connections_max=19_000)
    for seats, buyers in bench.size.rushes:
        work = f"{buyers:,} buyers at once, {'one seat' if seats == 1 else 'two seats each'}"
        try:
            lines += rush(bench, sale, work, seats, buyers)
        except Failed as why:
            lines.append(missing(work, "time to the last reply", why))
    stop_all([sale.server])
    return lines


def rush(bench, sale, work, seats, buyers):
    """Ours in a line without a gate, which FastAPI has switched off too: the seats decide alone."""
    lab, lines, pool = bench.lab, [], 1 if seats == 1 else 40
    people = lab.people(buyers)
    tokens = lab.write("rush.people", (f"{person} {jwt}" for person, jwt in people))
    event = sale.server.event()

    def all_at_once(port, event, performance):
        result = swarm(lab, "rush", port, tokens, event=event, performance=performance, seats=seats, pool=pool,
                       buyers=buyers)
        if set(result["statuses"]) - {"201", "409"}:  # who was told to come again has no answer yet
            raise Failed(f"not all were told whether the seats are theirs: {result['statuses']}")
        return result

    def ours():
        performance, _ = sale.server.performance(event, 1000)
        return all_at_once(sale.server.port, event, performance)

    def theirs():
        peer = Peer(bench, "fastapi", people, seats=1000, queue="false")
        try:
            return all_at_once(peer.port, 1, 1)
        finally:
            peer.stop()

    contenders = {"onsale": ours}
    if (BENCH / "peers/run.sh").exists():
        contenders["fastapi"] = theirs
    else:
        lines.append(missing(work, "of fastapi", "missing: bench/peers"))
    results = bench.in_turn(work, contenders)
    bench.raw[f"{work}, s"] = {name: [result["seconds"] for result in ones] for name, ones in results.items()}
    if "fastapi" in results:
        lines.append(at_most(work, "time to the last reply, of FastAPI's", 0.125,
                             ratio(results, "onsale", "fastapi", lambda result: result["seconds"])))
    lines.append(plain(work, "s to the last reply", median(results, "onsale", lambda result: result["seconds"]),
                       "{:.2f}"))
    return lines


# Memory, processor

def idle(bench):
    server = Server(bench.lab, http__connections_max=bench.size.idle + 100)
    request = request_bytes("GET", "/livez", {})
    sockets = []
    before = resident_bytes(server.pid)
    try:
        for _ in range(bench.size.idle):
            one = socket.create_connection(("127.0.0.1", server.port))
            sockets.append(one)
            one.sendall(request)
            if not one.recv(4096).startswith(b"HTTP/1.1 200"):
                raise Failed("a connection was not served")
        established = server.metric("onsale_connections")
        each = (resident_bytes(server.pid) - before) / bench.size.idle
    finally:
        for one in sockets:
            one.close()
    stop_all([server])
    if established < bench.size.idle:
        raise Failed(f"{established} of {bench.size.idle} connections stood")
    bench.raw["idle connections"] = {"bytes of RSS each": [round(each)], "established": [established]}
    return [at_most(f"{bench.size.idle:,} idle keep-alive connections", "KiB of RSS each", 1.5, each / 1024,
                    text="{:.2f}")]


PARTS = (  # of the server's own time in a hold: of the frames, from the leaf to the root, the first that one fits
    ("verify", r"(jwt_|jws_|access_token|authenticate|known_|identify|queue_pass|queue_token|revocations)"),
    ("parse", r"(llhttp|http_|route|json_|flow_read|hold_start|conn_input|conn_readable)"),
    ("Redis", r"(redis|__redis|sds|seat_lock|acquire|mark$|resp_|queue_|on_message|on_reply|holding)"),
    ("PostgreSQL", r"(pg_|PQ|pq[A-Z]|store_|hold_encode|hold_decode|hold_param|hold_read|lane_|segment_)"),
    ("reply", r"(conn_reply|conn_write|reply_|flow_reply|flow_end|keyed_reply|net_turn|net_)"),
    ("the loop", r"(event_|epoll_|evmap|turn$|serve$|loop_)"),
)


def processes_of(lab):
    """Of the stores: name → pids."""
    found = {"Redis": [], "PostgreSQL": []}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            folder = os.readlink(entry / "cwd")
        except OSError:
            continue
        for name, part in (("Redis", "/redis"), ("PostgreSQL", "/postgres/data")):
            if folder == str(lab.folder / "stores") + part:
                found[name].append(int(entry.name))
    return found


def part_of(frames):
    for name in frames:
        for part, pattern in PARTS:
            if re.match(pattern, name):
                return part
    return "other"


def sampled_parts(text):
    """Shares of the server's time by part, from what perf script says: a sample is its frames, the leaf first."""
    counts = {}
    for sample in text.split("\n\n"):
        frames = [words[1] for words in (line.split() for line in sample.splitlines()) if len(words) > 1]
        if frames:
            part = part_of(frames)
            counts[part] = counts.get(part, 0) + 1
    total = sum(counts.values())
    return {part: count / total for part, count in sorted(counts.items(), key=lambda item: -item[1])}


def hold_cost(bench):
    """Where a hold's microseconds go: by process from /proc, within the server by what perf samples."""
    lab, sale = bench.lab, Sale(bench)
    sale.open()
    stores = processes_of(lab)
    pids = {"onsale": [sale.server.pid], **stores}
    before = {name: {pid: cpu_seconds(pid) for pid in ones} for name, ones in pids.items()}
    data = lab.folder / "perf.data"
    recorder = lab.spawn("perf", ["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,8192",
                                  "-p", sale.server.pid, "-o", data])
    result = sale.hold(row="hold's cost")
    after = {name: {pid: cpu_seconds(pid) for pid in ones} for name, ones in pids.items()}
    recorder.send_signal(2)
    recorder.wait(60)
    per_hold = {name: sum(after[name][pid] - before[name][pid] for pid in ones) / result["requests"] * 1e6
                for name, ones in pids.items()}
    stop_all([sale.server])
    work = "CPU of a hold's whole way"
    lines = [plain(work, f"µs, {name}", value, "{:.1f}") for name, value in per_hold.items()]
    text = output_of(["perf", "script", "-i", data, "--no-inline", "-F", "ip,sym,dso"])
    for part, share in sampled_parts(text).items():
        lines.append(plain(work, f"µs, of onsale: {part}", share * per_hold["onsale"], "{:.1f}"))
    bench.raw["CPU of a hold, µs"] = {line.measure: [round(line.value, 1)] for line in lines}
    return lines


def lag(bench):
    """From the probes that ran beside the other rows; so it comes last."""
    lines = []
    for row in dict.fromkeys(row for row, _, _ in bench.lag):
        seen = sorted(us for name, ones, _ in bench.lag if name == row for us in ones)
        waited = statistics.mean(share for name, _, share in bench.lag if name == row)
        if len(seen) < 50:
            continue
        p99 = seen[len(seen) * 99 // 100] / 1000
        lines.append(at_most(f"/livez beside {row}", "p99, ms", 10, p99, text="{:.1f}",
                             note=f"the server waited {waited * 100:.0f} % of the time for a core"))
    if not lines:
        raise Failed("no other row has run")
    return lines


# Latency against load, strategies

def loads(bench):
    """Open-loop arrivals, each join → poll → hold → pay, timed from when they were meant to come."""
    lines, sale = [], Sale(bench)
    for rate in bench.size.rates:
        seconds = bench.size.seconds * 2
        people = bench.lab.people(rate * seconds)
        tokens = bench.lab.write("walk.people", (f"{person} {jwt}" for person, jwt in people))
        event = sale.server.event(capacity=1_000_000, admit_per_second=100_000)
        performance, _ = sale.server.performance(event, 100_000)
        result = swarm(bench.lab, "walk", sale.server.port, tokens, event=event, performance=performance,
                       arrivals=rate, seconds=seconds)
        hold = result["latency_us"]["hold"]
        for name in ("p50", "p95", "p99", "p999"):
            bench.raw.setdefault("walks, latency of a hold, µs", {})[f"{rate} arrivals/s, {name}"] = [hold[name]]
        lines.append(plain(f"{rate:,} arrivals/s, open loop", "p99 of a hold, ms", hold["p99"] / 1000, "{:.1f}"))
    stop_all([sale.server])
    return lines


def strategies(bench):
    """lock.mode × seat.strategy: its own script's table."""
    script = BENCH / "strategies/run.sh"
    if not script.exists():
        raise Failed("missing: bench/strategies")
    text = output_of([script], env={**os.environ, "QUICK": "1" if bench.size is QUICK else "", "BUILD": str(
        bench.lab.build)}, cwd=ROOT)
    bench.tables = {"lock.mode and seat.strategy": [row.split("\t") for row in text.strip().splitlines()]}
    return []


ROWS = {"peers": peers, "polls": polls, "lengths": lengths, "instances": instances, "maps": seat_maps, "holds": holds,
        "latencies": latencies, "rushes": rushes, "idle": idle, "cost": hold_cost, "loads": loads,
        "strategies": strategies, "lag": lag}
