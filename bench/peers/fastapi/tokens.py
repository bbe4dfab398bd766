"""Who calls, and which place or pass they bring: JWTs, all by the one secret.

Access tokens are those of `onsale users`; places and passes are our own.
"""

import jwt
from fastapi import Request

from replies import Problem
from settings import JWT_SECRET

ALGORITHMS = ["HS256"]


def user_of(request: Request) -> int:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Problem(401, "unauthorized")
    try:
        claims = jwt.decode(
            token,
            JWT_SECRET,
            ALGORITHMS,
            audience="onsale",
            issuer="onsale",
            options={"require": ["exp", "sub"]},
        )
        return int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        raise Problem(401, "unauthorized") from None


def sign_place(event: int, user: int) -> str:
    return jwt.encode({"sub": str(user), "evt": event, "typ": "place"}, JWT_SECRET, "HS256")


def place_of(request: Request) -> tuple[int, int, str]:
    """Event, user and the token itself."""
    token = request.headers.get("x-queue-token", "")
    try:
        claims = jwt.decode(token, JWT_SECRET, ALGORITHMS)
        if claims["typ"] == "place":
            return claims["evt"], int(claims["sub"]), token
    except (jwt.InvalidTokenError, KeyError, ValueError):
        pass
    raise Problem(401, "invalid_queue_token")


def sign_pass(event: int, user: int, ends_s: int) -> str:
    claims = {"sub": str(user), "evt": event, "typ": "pass", "exp": ends_s}
    return jwt.encode(claims, JWT_SECRET, "HS256")


def check_pass(request: Request, event: int, user: int) -> None:
    token = request.headers.get("x-queue-pass")
    if not token:
        raise Problem(403, "queue_pass_required")
    try:
        claims = jwt.decode(token, JWT_SECRET, ALGORITHMS)
        if (claims["typ"], claims["evt"], claims["sub"]) == ("pass", event, str(user)):
            return
    except jwt.ExpiredSignatureError:
        raise Problem(403, "queue_pass_expired") from None
    except (jwt.InvalidTokenError, KeyError):
        pass
    raise Problem(403, "queue_pass_invalid")
