"""The REST dialect as HTTP: takes a request, asks operations, answers. No exception leaves it.

What clients of the real systems can't bear decides the statuses: on 400, 405 and 415 one vendor's
library takes itself offline and stores the call twice, so whatever is wrong with a request is
422. Only the token endpoint answers 400, which those clients read.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from emvs.errors import BadRequestError, TooLargeError
from emvs.infra.logs import get_logger
from emvs.infra.plain_response import Head, PlainResponse
from emvs.infra.web import SlowSenderError, read_body
from emvs.limits import SERVICE_BODY_BYTES_MAX, SERVICE_BODY_READ_S_MAX, URL_LENGTH_MAX
from emvs.outcomes import Outcome
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.participants import Participant
from nmvs.rest import codes
from nmvs.rest.answers import render_answer, render_code
from nmvs.rest.describing_pages import DescribingPages
from nmvs.rest.pack_requests import read_pack_request
from nmvs.rest.routes import Call, Route, RouteTable, read_query
from nmvs.rest.settings import RestSettings
from nmvs.rest.streaming import send_stream
from nmvs.rest.targets import PackTarget, is_token_target, parse_pack_target, split_target
from nmvs.rest.token_requests import (
    INVALID_CLIENT,
    INVALID_REQUEST,
    TEMPORARILY_UNAVAILABLE,
    read_credentials,
    render_token,
    render_token_error,
)
from nmvs.rest.tokens import AccessTokens

_log = get_logger(__name__)

_JSON: Final = CIMultiDict({"Content-Type": "application/json"})
_RETRY: Final = CIMultiDict({"Content-Type": "application/json", "Retry-After": "1"})
# Without this header one vendor's library throws.
_WHO: Final = CIMultiDict({"Content-Type": "application/json", "WWW-Authenticate": "Bearer"})
_TOKEN: Final = CIMultiDict({"Content-Type": "application/json", "Cache-Control": "no-store"})


_HEADS: Final = {
    status: Head(status, _RETRY if status == 503 else _JSON)
    for status in codes.HTTP_STATUS.values()
}


class RestDialect:
    """The national system as clients of the REST-built systems know it."""

    def __init__(
        self,
        operations: Operations,
        directory: Directory,
        signing_key: str,
        settings: RestSettings | None = None,
        *,
        routes: Sequence[Route] = (),
    ) -> None:
        """`signing_key`: private key on curve P-256 as PEM. `routes`: what there is beside single
        packs and tokens."""
        self._routes = RouteTable(routes)
        self._pages = DescribingPages(routes)
        self._operations = operations
        self._directory = directory
        self._settings = settings or RestSettings()
        self._tokens = AccessTokens(
            signing_key,
            operations.clock,
            issuer=f"nmvs-{operations.market.code.lower()}",
            life_s=self._settings.token_life_s,
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        try:
            raw_target = request.raw_path
            if len(raw_target) > URL_LENGTH_MAX:
                return _refusal(codes.REQUEST_INVALID)
            target = parse_pack_target(raw_target)
            if target is not None:
                return await self._answer_pack(request, target)
            if is_token_target(raw_target):
                return await self._answer_token(request)
            return await self._answer_route(request)
        except Exception:  # noqa: BLE001 - a defect of ours; its traceback is for the log alone
            _log.exception(
                "REST request failed",
                action="request_failed",
                dialect="rest",
                request_id=secrets.token_hex(8),
            )
            return _response(503, render_code(codes.TECHNICAL), _RETRY)

    async def _answer_pack(
        self, request: web.BaseRequest, target: PackTarget
    ) -> web.StreamResponse:
        headers = request.headers
        participant = self._participant(headers.get("Authorization"))
        if participant is None:
            return _response(401, render_code(codes.NOT_LOGGED_IN), _WHO)
        method = request.method
        body: bytes | None = None
        if method == "PATCH":
            received = await _read_body(request)
            if isinstance(received, web.Response):
                return received
            body = received
        elif method != "GET":
            return _refusal(codes.REQUEST_INVALID)
        wanted = read_pack_request(
            target,
            entry_mode=headers.get("emvs-data-entry-mode"),
            body=body,
            participant=participant,
        )
        if isinstance(wanted, str):
            return _refusal(wanted)
        answer = await self._operations.perform(wanted)
        status, content = render_answer(answer, wanted.operation, self._settings.ams_url)
        return PlainResponse(_HEADS[status], content)

    async def _answer_route(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a call of the route table."""
        prefix, path, query = split_target(request.raw_path)
        page = self._pages.find(request.method, prefix, path)
        if page is not None:
            return _response(200, page.body, CIMultiDict({"Content-Type": page.content_type}))
        found = self._routes.find(request.method, path)
        if found is None:
            return _refusal(codes.PATH_UNKNOWN)
        route, parameters = found
        headers = request.headers
        client_id = self._client_id(headers.get("Authorization"))
        participant = None
        if client_id is not None:
            participant = self._directory.participant_of_rest_client(client_id)
        if client_id is None or participant is None:
            return _response(401, render_code(codes.NOT_LOGGED_IN), _WHO)
        fields = read_query(query)
        if fields is None:
            return _refusal(codes.REQUEST_INVALID)
        body = None
        if route.request is not None:
            received = await _read_body(request, route.body_bytes_max, route.invalid_body_code)
            if isinstance(received, web.Response):
                return received
            try:
                body = msgspec.json.decode(received, type=route.request)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return _refusal(route.invalid_body_code)
        reply = await route.handler(
            Call(
                participant=participant,
                client_id=client_id,
                parameters=parameters,
                query=fields,
                body=body,
                entry_mode=headers.get("emvs-data-entry-mode"),
                language=headers.get("Accept-Language", ""),
                api_version=headers.get("emvs-api-version", ""),
                base_url=f"{request.scheme}://{request.host}{prefix}",
                user_agent=headers.get("User-Agent", ""),
            )
        )
        if reply.stream is not None:
            return await send_stream(request, reply, reply.stream)
        response = _response(reply.status, reply.body, CIMultiDict(reply.headers))
        response.headers["Content-Type"] = reply.content_type
        return response

    def _participant(self, authorization: str | None) -> Participant | None:
        client_id = self._client_id(authorization)
        if client_id is None:
            return None
        return self._directory.participant_of_rest_client(client_id)

    def _client_id(self, authorization: str | None) -> str | None:
        """Return whom an Authorization header speaks for. Its scheme matches in any case."""
        if authorization is None or authorization[:7].lower() != "bearer ":
            return None
        return self._tokens.client_id_of(authorization[7:].strip())

    async def _answer_token(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "POST":
            return _token_refusal(INVALID_REQUEST)
        body = await _read_body(request)
        if isinstance(body, web.Response):
            return _token_refusal(INVALID_REQUEST, close=True)
        credentials = read_credentials(request.headers.get("Authorization"), body)
        if isinstance(credentials, str):
            return _token_refusal(credentials)
        client_id, client_secret = credentials
        login = await self._directory.rest_client(client_id, client_secret)
        if login is Outcome.OVERLOADED:
            return _response(503, render_token_error(TEMPORARILY_UNAVAILABLE), _RETRY)
        if isinstance(login, Outcome):
            return _token_refusal(INVALID_CLIENT)
        settings = self._settings
        content = render_token(
            self._tokens.issue(client_id), life_s=settings.token_life_s, scope=settings.token_scope
        )
        return _response(200, content, _TOKEN)


async def _read_body(
    request: web.BaseRequest,
    bytes_max: int = SERVICE_BODY_BYTES_MAX,
    refusing_code: str = codes.BODY_INVALID,
) -> bytes | web.Response:
    """Return the body, or the answer if there is none to be had; that one ends the connection."""
    try:
        return await read_body(request, bytes_max=bytes_max, timeout_s=SERVICE_BODY_READ_S_MAX)
    except SlowSenderError:
        # The clients repeat a call on 408; on 422 they would give it up.
        refused = _response(408, render_code(refusing_code), _JSON)
    except (TooLargeError, BadRequestError, ConnectionResetError):
        refused = _refusal(refusing_code)
    refused.force_close()
    return refused


def _refusal(code: str) -> web.Response:
    return _response(codes.http_status(code), render_code(code), _JSON)


def _token_refusal(error: str, *, close: bool = False) -> web.Response:
    response = _response(400, render_token_error(error), _TOKEN)
    if close:
        response.force_close()
    return response


def _response(status: int, content: bytes, headers: CIMultiDict[str]) -> web.Response:
    return web.Response(body=content, status=status, headers=headers)
