#!/usr/bin/env python3
"""fill.py PEER places|passes COUNT [LINES]: fills a peer's line, without the many calls that it would take.

A million joins through HTTP take a peer many minutes, and its joins are not what is measured.
places: people 1 to COUNT wait, as if they had joined in that order; prints the queue tokens of LINES (1000)
of them, spread evenly over the line. Set CAPACITY=0 in load.sh, or the first are admitted at once.
passes: people 1 to COUNT have a pass for an hour; prints each one's. JWT_SECRET and REDIS_URL are as for
run.sh.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

PASS_S = 3600


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims: dict) -> str:
    parts = {"alg": "HS256", "typ": "JWT"}, claims
    text = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return text + "." + encode(hmac.digest(os.environ["JWT_SECRET"].encode(), text.encode(), hashlib.sha256))


def redis_cli() -> list[str]:
    """redis-cli before Redis 7.2 takes no unix:// URL."""
    url = urlsplit(os.environ["REDIS_URL"])
    if url.scheme != "unix":
        return ["redis-cli", "-u", os.environ["REDIS_URL"]]
    return ["redis-cli", "-s", url.path, "-n", parse_qs(url.query).get("db", ["0"])[0]]


def send(commands) -> None:
    sending = subprocess.Popen([*redis_cli(), "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for command in commands:
        sending.stdin.write(command + "\r\n")
    sending.stdin.close()
    if sending.wait() != 0:
        sys.exit("fill.py: redis-cli failed")


def fill_places(name: str, count: int, lines: int) -> None:
    send(f"ZADD {name}:waiting:1 NX {user} {user}" for user in range(1, count + 1))
    send([f"SET {name}:sequence:1 {count}"])
    for n in range(lines):
        print(sign({"sub": str(n * count // lines + 1), "evt": 1, "typ": "place"}))


def fill_passes(name: str, count: int) -> None:
    ends_s = int(time.time()) + PASS_S
    send(f"ZADD {name}:active:1 {ends_s * 1000} {user}" for user in range(1, count + 1))
    for user in range(1, count + 1):
        print(sign({"sub": str(user), "evt": 1, "typ": "pass", "exp": ends_s}))


def main() -> None:
    name, what, count = f"peer_{sys.argv[1]}", sys.argv[2], int(sys.argv[3])
    if what == "places":
        fill_places(name, count, int(sys.argv[4]) if len(sys.argv) > 4 else 1000)
    else:
        fill_passes(name, count)


if __name__ == "__main__":
    main()
