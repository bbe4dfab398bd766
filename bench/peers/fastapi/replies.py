"""Replies: JSON, and problems as RFC 9457 has them."""

import json
import secrets

from fastapi import Request, Response

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    422: "Unprocessable Entity",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Problem(Exception):
    def __init__(self, status: int, code: str, detail: str = "", **members):
        super().__init__(code)
        self.status, self.code, self.detail, self.members = status, code, detail, members


def request_id(request: Request) -> str:
    return request.headers.get("x-request-id") or request.scope.setdefault("request_id", secrets.token_hex(8))


def encode(body: dict) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def problem_text(problem: Problem, request: str) -> str:
    return encode(
        {
            "type": f"/problems/{problem.code}",
            "title": TITLES.get(problem.status, "Error"),
            "status": problem.status,
            "detail": problem.detail or problem.code.replace("_", " "),
            "code": problem.code,
            **problem.members,
            "request_id": request,
        }
    )


def reply(request: Request, status: int, text: str, **headers: str) -> Response:
    kind = "application/json" if status < 400 else "application/problem+json"
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["X-Request-Id"] = request_id(request)
    headers.setdefault("Cache-Control", "no-store")
    if status in (429, 503):
        headers["Retry-After"] = "1"
    return Response(text, status, headers, kind)


def problem_reply(request: Request, problem: Problem) -> Response:
    return reply(request, problem.status, problem_text(problem, request_id(request)))
