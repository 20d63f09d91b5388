"""The SOAP dialect over HTTP: reads a message, checks the login, asks operations, replies.

The order of checks: XML, schema, login, permission, grammar of the product code and expiry, then
the pack itself. Every reply to a message has HTTP status 200, refusals and trouble included,
because deployed clients drop whatever else they get. No exception leaves `handle`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from emvs.errors import BadRequestError, EmvsError, TooLargeError
from emvs.identifiers import check_identifiers
from emvs.infra.logs import get_logger
from emvs.infra.plain_response import Head, PlainResponse
from emvs.infra.web import SlowSenderError, read_body
from emvs.outcomes import Outcome
from emvs.scheme import Scheme
from nmvs.certificates.gate import NOBODY, forbidden
from nmvs.certificates.registry import Problem
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.participants import Participant
from nmvs.requests import Answer, PackRequest
from nmvs.soap.catalogue import NEWEST, Endpoint
from nmvs.soap.messages import NOT_READ, Frame, PackCall, PingCall, Refusal
from nmvs.soap.reader import LOGIN_BYTES_FREE, Reader
from nmvs.soap.render import render_answer, render_ping, render_refusal
from nmvs.soap.settings import SoapSettings
from nmvs.soap.wsdl import describe, list_addresses

_SOAP: Final = CIMultiDict({"Content-Type": "application/soap+xml; charset=utf-8"})
_SOAP_HEAD: Final = Head(200, _SOAP)
_XML: Final = CIMultiDict({"Content-Type": "text/xml; charset=utf-8"})
_TEXT: Final = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})

_SCHEMES: Final = {scheme.value: scheme for scheme in Scheme}

_UNREAD: Final = {
    TooLargeError: "FE_TX_07",
    SlowSenderError: "TI_TO_01",
    BadRequestError: "TE_XM_01",
}
"""Return codes for bodies that could not be read (our choice)."""

_log = get_logger(__name__)


class SoapDialect:
    """One market's SOAP services, all on one address."""

    def __init__(
        self,
        operations: Operations,
        directory: Directory,
        settings: SoapSettings | None = None,
        *,
        certificate_client: Callable[[web.BaseRequest], str | None] | None = None,
    ) -> None:
        """`certificate_client` returns the client login id that a request's certificate belongs
        to (`nmvs.certificates.gate`), None if it came where none is wanted."""
        self._certificate_client = certificate_client
        self._operations = operations
        self._directory = directory
        self._settings = settings or SoapSettings()
        self._reader = Reader()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        try:
            if request.method == "POST":
                return await self._answer(request)
            return _describe(request)
        except ConnectionError:
            raise  # Nobody is there to be answered.
        except Exception:  # noqa: BLE001 - a defect of ours: logged, answered without detail.
            request_id = secrets.token_hex(8)
            _log.exception("request failed", action="request_failed", request_id=request_id)
            return self._broken(None, request_id)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            message = await read_body(
                request,
                bytes_max=self._settings.body_bytes_max,
                timeout_s=self._settings.body_read_s_max,
            )
        except (TooLargeError, SlowSenderError, BadRequestError) as error:
            response = self._refuse(_unread(error))
            response.force_close()  # The rest of the body may still be under way.
            return response
        reader = self._reader
        call: PackCall | PingCall | Refusal | None = reader.read_known(message)
        is_known = call is not None
        if call is None:
            call = await reader.read_apart(message) if reader.reads_apart else reader.read(message)
        if isinstance(call, PackCall):
            if self._certificate_client is not None:
                shown = self._certificate_client(request)
                if shown == NOBODY:  # Let in to fetch a certificate, and for nothing else.
                    return forbidden(Problem.NONE_SHOWN)
                if shown is not None and shown != call.frame.client_login_id:
                    return self._refuse(_of_another(call))
            try:
                answer = await self._perform(call, message, is_known=is_known)
                body = render_answer(call, answer, self._settings.verify_codes)
            except Exception:  # noqa: BLE001 - a defect of ours: logged, answered without detail.
                request_id = secrets.token_hex(8)
                _log.exception("request failed", action="request_failed", request_id=request_id)
                return self._broken(call, request_id)
            return PlainResponse(_SOAP_HEAD, body)
        if isinstance(call, PingCall):
            return web.Response(body=render_ping(call), headers=_SOAP)
        return self._refuse(call)

    async def _perform(self, call: PackCall, message: bytes, *, is_known: bool) -> Answer:
        operations = self._operations
        participant = await self._log_in(call)
        if isinstance(participant, Outcome):
            if len(message) > LOGIN_BYTES_FREE and not is_known:  # Those were not parsed.
                self._reader.distrust(len(message))
            return operations.answer(participant)
        if not is_known:
            self._reader.learn(message, call)
        endpoint = call.endpoint
        operation = endpoint.operation
        assert operation is not None, "only pings have none"
        if operation not in participant.permitted:
            return operations.answer(Outcome.NOT_PERMITTED)
        scheme = _SCHEMES[call.scheme]
        defect = check_identifiers(
            scheme,
            call.product_code,
            call.serial_number,
            call.batch_id,
            call.expiry,
            manual=endpoint.is_manual,
        )
        if defect is not None:
            return operations.answer(defect)
        return await operations.perform(
            PackRequest(
                operation,
                participant,
                scheme,
                call.product_code,
                call.serial_number,
                call.batch_id,
                call.expiry,
                endpoint.is_manual,
                call.frame.client_transaction_id,
                call.reference,
                "soap",
            )
        )

    async def _log_in(self, call: PackCall) -> Participant | Outcome:
        login = call.frame.client_login_id, call.frame.user_id, call.password
        return self._directory.cached_soap_login(*login) or await self._directory.soap_login(*login)

    def _refuse(self, refusal: Refusal) -> web.Response:
        operations = self._operations
        body = render_refusal(refusal, operations.new_transaction_id(), operations.clock.now_ms())
        return web.Response(body=body, headers=_SOAP)

    def _broken(self, call: PackCall | None, request_id: str) -> web.Response:
        """Answer in the interface's technical form; what broke is in the log, not in the reply."""
        endpoint: Endpoint | None = call.endpoint if call is not None else None
        return self._refuse(
            Refusal(
                "ERROR",
                f"Internal error; the log has more under {request_id}",
                endpoint.version if endpoint is not None else NEWEST,
                endpoint,
                call.frame if call is not None else _NOBODY,
                sender_at_fault=False,
            )
        )


_NOBODY: Final = Frame(NOT_READ, NOT_READ, None, NOT_READ, "eng")


def _of_another(call: PackCall) -> Refusal:
    """The return code is our choice; the real systems' is not public."""
    text = "The client certificate belongs to another client"
    return Refusal("FE_PKI_06", text, call.endpoint.version, call.endpoint, call.frame)


def _unread(error: EmvsError) -> Refusal:
    """A body that was not read names no operation, so a fault is the answer."""
    return Refusal(_UNREAD[type(error)], str(error), NEWEST, None, _NOBODY)


def _describe(request: web.BaseRequest) -> web.Response:
    """Answer a GET: the definitions, or where they are."""
    if request.method not in ("GET", "HEAD"):
        headers = _TEXT.copy()
        headers["Allow"] = "GET, HEAD, POST"
        return web.Response(status=405, text="SOAP messages come by POST\n", headers=headers)
    path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
    document = describe(path, query, scheme=request.scheme, host=request.host)
    if document is not None:
        return web.Response(body=document.encode(), headers=_XML)
    text = list_addresses(scheme=request.scheme, host=request.host)
    return web.Response(status=404, body=f"The definitions are at\n{text}".encode(), headers=_TEXT)
