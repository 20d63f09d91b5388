"""HTTP responses of the REST dialect, and the headers they carry."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from nmvs.rest import codes
from nmvs.rest.answers import render_code

JSON_HEADERS: Final = CIMultiDict({"Content-Type": "application/json"})
RETRY_HEADERS: Final = CIMultiDict({"Content-Type": "application/json", "Retry-After": "1"})
# Without this header one vendor's library throws.
WHO_HEADERS: Final = CIMultiDict({"Content-Type": "application/json", "WWW-Authenticate": "Bearer"})


def response(status: int, content: bytes, headers: CIMultiDict[str]) -> web.Response:
    """Return a response; the headers are copied."""
    return web.Response(body=content, status=status, headers=headers)


def refusal(code: str, language: str) -> web.Response:
    """Return the refusal that an operation code stands for."""
    return response(codes.http_status(code), render_code(code, language), JSON_HEADERS)


def not_logged_in(language: str) -> web.Response:
    """Return the refusal of a request that does not say, or not truthfully, who sends it."""
    return response(401, render_code(codes.NOT_LOGGED_IN, language), WHO_HEADERS)


def throttled(retry_after: str, language: str) -> web.Response:
    """Return the refusal of a request that is one too many for its organisation's rate plan."""
    headers = JSON_HEADERS.copy()
    headers["Retry-After"] = retry_after
    return response(429, render_code(codes.THROTTLED, language), headers)
