"""The REST dialect as HTTP: takes a request, asks operations, answers. No exception leaves it.

What clients of the real systems can't bear decides the statuses: on 400, 405 and 415 one vendor's
library takes itself offline and stores the call twice, so whatever is wrong with a request is
422. Only the token endpoint answers 400, which those clients read.
"""

from __future__ import annotations

import secrets
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict, istr

from emvs.errors import TooLargeError
from emvs.infra.body_parts import BODY_TROUBLE, SlowSenderError
from emvs.infra.logs import get_logger
from emvs.infra.plain_response import Head, PlainResponse
from emvs.infra.web import read_body, read_large_body
from emvs.limits import SERVICE_BODY_BYTES_MAX, SERVICE_BODY_READ_S_MAX, URL_LENGTH_MAX
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.participants import Participant
from nmvs.recovery import Recovery
from nmvs.rest import codes
from nmvs.rest.admission import Admission
from nmvs.rest.answers import render_answer, render_code
from nmvs.rest.base_urls import base_url
from nmvs.rest.describing_pages import DescribingPages
from nmvs.rest.languages import choose_language, language_of
from nmvs.rest.pack_requests import read_pack_request
from nmvs.rest.responses import (
    JSON_HEADERS,
    RETRY_HEADERS,
    not_logged_in,
    refusal,
    response,
)
from nmvs.rest.routes import BodyReader, BodyRefusedError, Call, Route, RouteTable, read_query
from nmvs.rest.settings import RestSettings
from nmvs.rest.signing_keys import SigningKeys
from nmvs.rest.streaming import send_stream
from nmvs.rest.targets import (
    PackTarget,
    is_token_target,
    parse_pack_target,
    split_identity_target,
    split_target,
)
from nmvs.rest.token_endpoint import TokenEndpoint
from nmvs.rest.tokens import AccessTokens
from nmvs.rest.versions import hidden_members, served_version
from nmvs.sightings import Sightings

_log = get_logger(__name__)

# As the library looks them up: text would be folded to small letters at each request.
_ACCEPT_LANGUAGE: Final = istr("Accept-Language")
_ENTRY_MODE: Final = istr("emvs-data-entry-mode")


_HEADS: Final = {
    status: Head(status, RETRY_HEADERS if status == 503 else JSON_HEADERS)
    for status in codes.HTTP_STATUS.values()
}


class RestDialect:
    """The national system as clients of the REST-built systems know it."""

    def __init__(
        self,
        operations: Operations,
        directory: Directory,
        keys: SigningKeys,
        sightings: Sightings,
        settings: RestSettings | None = None,
        *,
        routes: Sequence[Route] = (),
    ) -> None:
        """`routes`: what there is beside single packs and tokens."""
        self._routes = RouteTable(routes)
        self._pages = DescribingPages(routes)
        self._operations = operations
        self._settings = settings = settings or RestSettings()
        market = operations.market
        self._language = language_of(market.locale)
        issuer = settings.token_issuer or f"nmvs-{market.code.lower()}"
        tokens = AccessTokens(
            keys.ring, operations.clock, issuer=issuer, life_s=settings.token_life_s
        )
        self._token_endpoint = TokenEndpoint(
            directory=directory, tokens=tokens, keys=keys, settings=settings, issuer=issuer
        )
        self._admission = Admission(
            tokens=tokens,
            directory=directory,
            clock=operations.clock,
            settings=settings,
            sightings=sightings,
            metrics=operations.metrics,
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        try:
            raw_target = request.raw_path
            accepted = request.headers.get(_ACCEPT_LANGUAGE)
            language = self._language
            if accepted is not None:
                language = choose_language(accepted, language)
            if len(raw_target) > URL_LENGTH_MAX:
                return refusal(codes.REQUEST_INVALID, language)
            target = parse_pack_target(raw_target)
            if target is not None:
                return await self._answer_pack(request, target, language)
            if is_token_target(raw_target):
                return await self._token_endpoint.answer(request)
            return await self._answer_route(request, language)
        except Recovery.TROUBLE as error:  # Results of a bulk, say, after the job was found.
            _log.warning("REST request failed", action="database_away", error=repr(error))
            return response(503, render_code(codes.TECHNICAL), RETRY_HEADERS)
        except Exception:  # noqa: BLE001 - a defect of ours; its traceback is for the log alone
            _log.exception(
                "REST request failed",
                action="request_failed",
                dialect="rest",
                request_id=secrets.token_hex(8),
            )
            return response(503, render_code(codes.TECHNICAL), RETRY_HEADERS)

    async def _answer_pack(
        self, request: web.BaseRequest, target: PackTarget, language: str
    ) -> web.StreamResponse:
        participant = self._admission.admit(request, language)
        if not isinstance(participant, Participant):
            return participant
        method = request.method
        body: bytes | None = None
        if method == "PATCH":
            received = await self._receive(request, participant, language)
            if not isinstance(received, bytes):
                return received
            body = received
        elif method != "GET":
            return refusal(codes.REQUEST_INVALID, language)
        wanted = read_pack_request(
            target,
            entry_mode=request.headers.get(_ENTRY_MODE),
            body=body,
            participant=participant,
        )
        if isinstance(wanted, str):
            return refusal(wanted, language)
        answer = await self._operations.perform(wanted)
        settings = self._settings
        hidden = self._hidden_members(request) if settings.filter_by_version else ()
        status, content = render_answer(
            answer, wanted.operation, settings.ams_url, language, hidden
        )
        return PlainResponse(_HEADS[status], content)

    def _hidden_members(self, request: web.BaseRequest) -> Sequence[str]:
        """Return what the client's version of the interface does not have."""
        requested = request.headers.get("emvs-api-version")
        return hidden_members(served_version(requested, self._settings.default_api_version))

    async def _answer_route(self, request: web.BaseRequest, language: str) -> web.StreamResponse:
        """Answer a call of the route table, or what describes the identity server."""
        described = split_identity_target(request.raw_path)
        if described is not None:
            document = await self._token_endpoint.describe(request, *described)
            if document is not None:
                return document
        prefix, path, query = split_target(request.raw_path)
        page = self._pages.find(request.method, prefix, path)
        if page is not None:
            return response(200, page.body, CIMultiDict({"Content-Type": page.content_type}))
        found = self._routes.find(request.method, path)
        if found is None:
            return refusal(codes.PATH_UNKNOWN, language)
        route, parameters = found
        participant = self._admission.admit(request, language)
        if not isinstance(participant, Participant):
            return participant
        fields = read_query(query)
        if fields is None:
            return refusal(codes.REQUEST_INVALID, language)
        body = None
        if route.request is not None and not route.reads_body:
            received = await self._receive(
                request, participant, language, route.body_bytes_max, route.invalid_body_code
            )
            if not isinstance(received, bytes):
                return received
            try:
                body = msgspec.json.decode(received.removeprefix(BOM_UTF8), type=route.request)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return refusal(route.invalid_body_code, language)
        headers = request.headers
        call = Call(
            participant=participant,
            client_id=participant.equipment,
            parameters=parameters,
            query=fields,
            body=body,
            entry_mode=headers.get(_ENTRY_MODE),
            language=language,
            api_version=headers.get("emvs-api-version", ""),
            base_url=base_url(request, prefix),
            user_agent=headers.get("User-Agent", ""),
            read_body=(
                self._body_reader(request, participant, route, language)
                if route.reads_body
                else None
            ),
        )
        try:
            reply = await route.handler(call)
        except BodyRefusedError as refused:
            return refused.response
        if reply.stream is not None:
            return await send_stream(request, reply, reply.stream)
        answer = response(reply.status, reply.body, CIMultiDict(reply.headers))
        answer.headers["Content-Type"] = reply.content_type
        return answer

    def _body_reader(
        self, request: web.BaseRequest, participant: Participant, route: Route, language: str
    ) -> BodyReader:
        """Return what reads the body for a handler."""

        async def read(note_size: Callable[[int], None]) -> bytearray:
            try:
                body = await read_large_body(
                    request,
                    bytes_max=route.body_bytes_max,
                    timeout_s=route.body_s_max,
                    note_size=note_size,
                )
            except (*BODY_TROUBLE, ConnectionResetError) as error:
                too_large = isinstance(error, TooLargeError)
                code = route.too_large_code if too_large else route.invalid_body_code
                raise BodyRefusedError(_body_refusal(request, error, code, language)) from error
            if not self._admission.still_admits(participant):
                raise BodyRefusedError(not_logged_in(language))
            return body

        return read

    async def _receive(
        self,
        request: web.BaseRequest,
        participant: Participant,
        language: str,
        bytes_max: int = SERVICE_BODY_BYTES_MAX,
        refusing_code: str = codes.BODY_INVALID,
    ) -> bytes | web.Response:
        """Return the body, or the answer if there is none to be had; that one ends the
        connection if some of the body may still be under way."""
        came_with_head = request.content.is_eof()
        try:
            body = await read_body(request, bytes_max=bytes_max, timeout_s=SERVICE_BODY_READ_S_MAX)
        except (*BODY_TROUBLE, ConnectionResetError) as error:
            return _body_refusal(request, error, refusing_code, language)
        if came_with_head or self._admission.still_admits(participant):
            return body
        return not_logged_in(language)


def _body_refusal(
    request: web.BaseRequest, error: Exception, code: str, language: str
) -> web.Response:
    if isinstance(error, SlowSenderError):
        # The clients repeat a call on 408; on 422 they would give it up.
        refused = response(408, render_code(code, language), JSON_HEADERS)
    else:
        refused = refusal(code, language)
    if not request.content.is_eof():
        refused.force_close()
    return refused
