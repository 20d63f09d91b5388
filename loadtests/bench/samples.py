"""Whether a server answers what is measured: single requests, asked through a client that has
nothing in common with the generators (Python's own), their answers read as software would."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from loadtests.bench.errors import LoadError

_S_MAX: Final = 10.0
_TYPES: Final = "{urn:types.nmvs.eu:v5.0}"
STATES: Final = {"s": "SUPPLIED", "u": "ACTIVE", "l": "LOCKED"}
"""By letter of a request: the state that it leaves a pack in; others leave it as it is."""


class Told(NamedTuple):
    """What an answer says of a pack."""

    is_success: bool
    state: str


def read(body: bytes) -> Told:
    """Return what a JSON or a SOAP answer says. Raises ValueError if that is nothing."""
    if body.startswith(b"{"):
        document = json.loads(body)
        return Told(document["operationCode"].startswith("1"), document["state"].upper())
    try:
        root = ET.fromstring(body)  # noqa: S314 - from a server of ours.
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    code, pack = root.find(f".//{_TYPES}ReturnCode"), root.find(f".//{_TYPES}Pack")
    if code is None or pack is None:
        raise ValueError("neither a return code nor a pack")
    state = pack.findtext(f"{_TYPES}Reason") or pack.get(f"{_TYPES}state") or ""
    return Told(code.get(f"{_TYPES}code") == "NMVS_SUCCESS", state)


async def ask(port: int, request: bytes) -> bytes:
    """Return the body of the answer to a request given as bytes.

    Raises LoadError unless the status is 200.
    """
    return await asyncio.to_thread(_ask, port, request)


def _ask(port: int, request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_S_MAX)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"a sample got no answer: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise LoadError(f"a sample was answered with {answer.status}: {content[:300]!r}")
    return content


async def check(port: int, request: bytes, state: str, *, case: str) -> bytes:
    """Ask once; raise LoadError unless the answer is a success with the pack in this state."""
    body = await ask(port, request)
    try:
        told = read(body)
    except (ValueError, KeyError) as error:
        raise LoadError(f"{case}: a sample says {body[:300]!r}, which means nothing") from error
    if told != Told(is_success=True, state=state):
        raise LoadError(f"{case}: a sample should tell {state}: {body[:1000]!r}")
    return body
