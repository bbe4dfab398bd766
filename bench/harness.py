"""What the benchmark starts and asks: stores, servers, wrk, pgbench, and a plain client for preparing.

Everything lives in one private folder and listens on free ports of 127.0.0.1; whatever was started is ended by its
own process id, at the end or when the benchmark is cut off. Nothing here measures anything by itself.
"""

import asyncio
import ctypes
import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
WAIT_SECONDS = 60
SETUP_CONNECTIONS = 64


class Failed(Exception):
    """Something could not be measured; the text says why."""


def die_with_parent():
    """Runs in a child before it becomes the program: the kernel ends it should the benchmark be killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=WAIT_SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def output_of(command, **options):
    """The command's standard output; its standard error is in the exception where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{shlex.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def http_get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def answers(port, path):
    try:
        return http_get(port, path)[0] == 200
    except OSError:
        return False


class Lab:
    """The private folder, the stores in it, and every process that was started."""

    def __init__(self, folder, build):
        self.folder = pathlib.Path(folder).resolve()
        self.build = build
        self.processes = []
        self.environment = dict(os.environ)
        self.redis_socket = None

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o711)  # PostgreSQL's account passes through
        self.start_stores()
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        self.stores("wipe")
        shutil.rmtree(self.folder, ignore_errors=True)

    def stores(self, command):
        return output_of([ROOT / "config/run/stores.sh", command, self.folder / "stores"])

    def start_stores(self):
        self.stores("start")
        urls = dict(re.findall(r"^(\w+)='(.*)'$", self.stores("urls"), re.M))
        self.redis_socket = re.match(r"unix://(.*)\?", urls["REDIS_URL"]).group(1)
        self.environment.update(urls)
        for name in ("JWT", "QUEUE"):
            self.environment[f"ONSALE_AUTH_{name}_SECRET"] = os.urandom(32).hex()
        self.onsale("migrate")

    def url_of(self, database):
        return self.environment["DATABASE_URL"].replace("/onsale?", f"/{database}?")

    def spawn(self, name, command, environment=None, folder=None):
        """Starts a program in a session of its own, its output in NAME.log."""
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder or ROOT,
            env={**self.environment, **(environment or {})}, start_new_session=True, preexec_fn=die_with_parent)
        log.close()
        process.name = name
        self.processes.append(process)
        return process

    def stop(self, process):
        """Ends a program that spawn started, and whatever it has started in its session."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def wait_for(self, process, port, path):
        def up():
            if process.poll() is not None:
                raise Failed(f"{process.name} ended: {self.log_of(process.name)}")
            return answers(port, path)
        wait_until(up, process.name)

    def log_of(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")[-1500:]

    def write(self, name, lines):
        path = self.folder / name
        with open(path, "w") as file:
            file.writelines(line + "\n" for line in lines)
        return path

    def onsale(self, *arguments, database="onsale"):
        return output_of([self.build / "onsale", *arguments],
                         env={**self.environment, "DATABASE_URL": self.url_of(database)}, cwd=ROOT)

    def sql(self, query, database="onsale"):
        return output_of(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url_of(database), "-c", query]
                         ).strip()

    def sql_file(self, path, database):
        output_of(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.url_of(database), "-f", path])

    def redis(self, *arguments):
        return output_of(["redis-cli", "-s", self.redis_socket, *map(str, arguments)]).strip()

    def redis_info(self, member):
        return int(re.search(rf"^{member}:(\d+)", self.redis("info"), re.M).group(1))

    def people(self, count, database="onsale", role="buyer", balance=10**12):
        """New people: [(id, access token)]."""
        text = self.onsale("users", f"--count={count}", f"--balance={balance}", f"--role={role}", database=database)
        return [tuple(line.split()) for line in text.splitlines()]


class Server:
    """One onsale, or several on one port, and what an operator does there."""

    def __init__(self, lab, instances=1, **settings):
        self.lab = lab
        self.port = free_port()
        self.settings = settings
        self.processes = []
        self.admin = None
        for _ in range(instances):
            self.add_instance()

    def add_instance(self):
        flags = [f"--{name.replace('__', '.')}={value}" for name, value in self.settings.items()]
        process = self.lab.spawn("onsale", [
            self.lab.build / "onsale", "serve", f"--http.port={self.port}", "--http.share_port=true", *flags])
        self.processes.append(process)
        self.lab.wait_for(process, self.port, "/readyz")

    def stop(self):
        for process in self.processes:
            self.lab.stop(process)
        self.processes = []

    @property
    def pid(self):
        return self.processes[0].pid

    def call(self, method, path, body):
        if self.admin is None:
            self.admin = self.lab.people(1, role="admin")[0][1]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, json.dumps(body), {
            "Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        if reply.status not in (200, 201):
            raise Failed(f"{method} {path}: {reply.status} {text}")
        return json.loads(text)

    def event(self, **line):
        body = {"title": "Bench", "venue": "Here"}
        if line:
            body["queue"] = {"enabled": True, "abandon_after_seconds": 86400, "pass_ttl_seconds": 86400, **line}
        return self.call("POST", "/v1/admin/events", body)["id"]

    def performance(self, event, seats, price=1000):
        """A performance and its first seat; seats are numbered without a gap."""
        rows = max(1, seats // 1000)
        made = self.call("POST", f"/v1/admin/events/{event}/performances", {
            "starts_at": "2040-01-01T19:00:00Z",
            "sections": [{"name": "A", "rows": rows, "seats_per_row": seats // rows, "price": price}]})
        first = int(self.lab.sql(f"select min(id) from seats where performance_id = {made['id']}"))
        return made["id"], first

    def metric(self, name):
        found = re.search(rf"^{name} (\d+)", http_get(self.port, "/metrics")[1], re.M)
        return int(found.group(1)) if found else None


def resident_bytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def waited_for_core_ns(pid):
    """How long the process was ready to run and was not let: the second number of schedstat."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1])


def cpu_seconds(pid):
    """Of the process, its children that have ended not counted."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Preparing: many requests over a few connections. Its speed is nobody's figure.

async def read_reply(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: *(\d+)", head, re.I).group(1))
    return int(head[9:12]), await reader.readexactly(length)


async def exchange_share(port, requests, results, places):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for place in places:
        writer.write(requests[place])
        results[place] = await read_reply(reader)
    writer.close()


def exchange(port, requests):
    """Sends each request, and gives each one's (status, body)."""
    async def all_shares():
        results = [None] * len(requests)
        await asyncio.gather(*(
            exchange_share(port, requests, results, range(first, len(requests), SETUP_CONNECTIONS))
            for first in range(SETUP_CONNECTIONS)))
        return results
    return asyncio.run(all_shares())


def request_bytes(method, path, headers, body=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + (body or "")).encode()


def bodies(results, allowed, what):
    for status, body in results:
        if status not in allowed:
            raise Failed(f"{what}: {status} {body[:300]!r}")
    return [json.loads(body) for _, body in results]


def join(port, event, people):
    """Everybody's queue token."""
    requests = [request_bytes("POST", f"/v1/events/{event}/queue", {"Authorization": f"Bearer {jwt}"})
                for _, jwt in people]
    return [place["token"] for place in bodies(exchange(port, requests), (200, 201), "joining")]


def passes(port, event, people):
    """Everybody's pass, in a line that lets all in."""
    tokens = join(port, event, people)
    found = [None] * len(people)
    end = time.monotonic() + WAIT_SECONDS
    missing = list(range(len(people)))
    while missing:
        if time.monotonic() > end:
            raise Failed(f"{len(missing)} of {len(people)} had no pass after {WAIT_SECONDS} s")
        replies = exchange(port, [request_bytes("GET", "/v1/queue", {"X-Queue-Token": tokens[i]}) for i in missing])
        for i, place in zip(missing, bodies(replies, (200,), "polling")):
            found[i] = place.get("pass")
        missing = [i for i in missing if found[i] is None]
    return found


# Load

def wrk(script, port, seconds, connections, **variables):
    """Runs a script of bench/wrk; what it said, and requests a second."""
    text = output_of(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", BENCH / "wrk" / f"{script}.lua",
         f"http://127.0.0.1:{port}"],
        env={**os.environ, "BENCH_WRK": str(BENCH / "wrk"), **{name: str(value) for name, value in variables.items()}})
    result = json.loads(re.search(r"^RESULT (.*)$", text, re.M).group(1))
    result["per_second"] = result["requests"] / (result["duration_us"] / 1e6)
    wrong = {kind: count for kind, count in result["errors"].items() if count}
    if wrong or result["requests"] == 0:
        raise Failed(f"wrk {script}: {result['requests']} requests, errors {wrong}")
    return result


def swarm(lab, mode, port, tokens, **options):
    """The virtual users' result; Failed where the program is not there."""
    program = lab.build / "swarm"
    if not program.exists():
        raise Failed("missing: build/swarm")
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    text = output_of([program, mode, "--url", f"http://127.0.0.1:{port}", "--tokens", tokens, *words])
    return json.loads(text.strip().splitlines()[-1])


class LagProbe:
    """Asks /livez every 10 ms on a connection of its own while something else is measured: how late the loop is.
    What it sees includes the probe's own waiting for a core."""

    def __init__(self, server):
        self.server = server
        self.seen_us = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.began = time.monotonic()
        self.waited_ns = waited_for_core_ns(self.server.pid)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.core_wait = (waited_for_core_ns(self.server.pid) - self.waited_ns) / 1e9 / (time.monotonic() - self.began)

    def run(self):
        request = request_bytes("GET", "/livez", {})
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self.ending.wait(0.01):
                began = time.perf_counter_ns()
                connection.sendall(request)
                if not connection.recv(4096):
                    return
                self.seen_us.append((time.perf_counter_ns() - began) / 1000)


# Limits

class Nginx:
    def __init__(self, lab, reply="{}", files=None):
        self.lab = lab
        self.port = free_port()
        folder = lab.folder / "nginx"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path, content in (files or {}).items():
            target = folder / "www" / path.lstrip("/")
            target.parent.mkdir(parents=True)
            target.write_text(content)
        text = (BENCH / "limits/nginx.conf").read_text()
        for name, value in {"@PORT@": str(self.port), "@FOLDER@": str(folder), "@REPLY@": reply.replace("'", "\\'"),
                            "@USER@": "user root;" if os.geteuid() == 0 else ""}.items():
            text = text.replace(name, value)
        (folder / "nginx.conf").write_text(text)
        self.process = lab.spawn("nginx", ["nginx", "-p", folder, "-c", folder / "nginx.conf"])
        lab.wait_for(self.process, self.port, "/livez")

    def stop(self):
        self.lab.stop(self.process)


class Webdis:
    def __init__(self, lab):
        self.lab = lab
        self.port = free_port()
        folder = lab.folder / "webdis"
        folder.mkdir(exist_ok=True)
        text = (BENCH / "limits/webdis.json").read_text()
        for name, value in {"@PORT@": str(self.port), "@FOLDER@": str(folder),
                            "@SOCKET@": lab.redis_socket}.items():
            text = text.replace(name, value)
        (folder / "webdis.json").write_text(text)
        self.process = lab.spawn("webdis", ["webdis", folder / "webdis.json"])
        lab.wait_for(self.process, self.port, "/PING")

    def stop(self):
        self.lab.stop(self.process)


def redis_benchmark(lab, requests, *command):
    text = output_of(["redis-benchmark", "-s", lab.redis_socket, "-c", "64", "-n", str(requests), "--csv", *command])
    return float(text.strip().splitlines()[-1].split('","')[1].strip('"'))


def pgbench_program():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"),
                   key=lambda path: float(path.parts[4]))
    return found[-1] if found else "pgbench"


def pgbench(lab, script, seconds, clients, **variables):
    """Transactions a second of a script of bench/limits; a transaction that fails is an error."""
    words = [f"-D{name}={value}" for name, value in {"n": 0, **variables}.items()]
    text = output_of([
        pgbench_program(), "--no-vacuum", "-Mprepared", "-j1", f"-c{clients}", f"-T{seconds}",
        f"-f{BENCH / 'limits' / script}.sql", *words, lab.url_of("limits")])
    found = re.search(r"tps = ([\d.]+) \(without", text)
    if found is None:
        raise Failed(f"pgbench {script} with {clients} clients made no transaction")
    return float(found.group(1))
