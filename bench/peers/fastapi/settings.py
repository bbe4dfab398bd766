"""What run.sh puts into the environment, and the limits that every worker has."""

import os
from pathlib import Path

DATABASE_URL = os.environ["DATABASE_URL"]
REDIS_URL = os.environ["REDIS_URL"]
JWT_SECRET = os.environ["JWT_SECRET"]
NAME = os.environ.get("PEER_NAME", "peer_fastapi")  # of the schema, and in front of Redis' keys

DATABASE_CONNECTIONS = 10
REDIS_CONNECTIONS = 64
ADMIT_EVERY_S = 0.1
ADMIT_AT_MOST = 1000
CATALOG_EVERY_S = 2.0
LOCK_MS = 10_000
KEY_KEPT_S = 24 * 3600
HOLD_TTL_MS = 300_000
SEATS_PER_HOLD = 10
REWARD_PERCENT = 1
CURRENCY = "KRW"
POLL_MIN_MS = 1000
POLL_MAX_MS = 10_000

SCRIPTS = Path(__file__).resolve().parent.parent


def script(name: str) -> str:
    return (SCRIPTS / f"{name}.lua").read_text()
