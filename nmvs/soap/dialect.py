"""The SOAP dialect over HTTP: reads a message, checks the login, asks operations, replies.

The order of checks: XML, schema, certificate, login, duties of its user (`nmvs.soap.logins`),
permission, grammar of the product code and expiry, then the pack itself. Every reply to a message
has HTTP status 200, refusals and trouble included, because deployed clients drop whatever else they
get. No exception leaves `handle`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from emvs.errors import EmvsError, OverloadedError
from emvs.identifiers import check_identifiers
from emvs.infra.body_parts import BODY_TROUBLE, BodyParts, coding_of
from emvs.infra.logs import get_logger
from emvs.infra.plain_response import Head, PlainResponse
from emvs.infra.tls import peer_fingerprint
from emvs.infra.web import read_body
from emvs.outcomes import OUTCOMES, Outcome
from emvs.scheme import Scheme
from nmvs.certificates.gate import NOBODY, forbidden
from nmvs.certificates.registry import Problem
from nmvs.logins.registry import Visit
from nmvs.participants import Participant
from nmvs.recovery import Recovery
from nmvs.requests import Answer, PackRequest
from nmvs.soap.accounts import Accounts
from nmvs.soap.bulk_calls import Reply
from nmvs.soap.bulk_intake import UNREAD, Entered, Submitted
from nmvs.soap.bulk_messages import AnyCall, BulkCall
from nmvs.soap.catalogue import NEWEST, SERVICES, Endpoint, Service
from nmvs.soap.codes import report_in
from nmvs.soap.describing import describe_services
from nmvs.soap.interface import Interface
from nmvs.soap.logins import admit, render_notices
from nmvs.soap.messages import (
    NOT_READ,
    AccountCall,
    DataCall,
    Frame,
    PackCall,
    PingCall,
    Refusal,
)
from nmvs.soap.parts import SoapParts
from nmvs.soap.reader import LOGIN_BYTES_FREE, Reader
from nmvs.soap.render import render_answer, render_ping, render_refusal, render_reply
from nmvs.streaming import send_parts

_SOAP: Final = CIMultiDict({"Content-Type": "application/soap+xml; charset=utf-8"})
_SOAP_HEAD: Final = Head(200, _SOAP)

_ANY_SIZE: Final = 1 << 62
"""The beginning alone is bounded, until it is known who sends it."""
_PKI: Final = SERVICES["pki"]
_SCHEMES: Final = {scheme.value: scheme for scheme in Scheme}

LoginCall = PackCall | BulkCall | AccountCall | DataCall
"""What bears a login."""

_log = get_logger(__name__)


class SoapDialect:
    """SOAP services of one market on one address."""

    def __init__(
        self, parts: SoapParts, services: Collection[Service] = tuple(SERVICES.values())
    ) -> None:
        self._certificate_client = parts.certificate_client
        self._operations = parts.operations
        self._logins = parts.logins
        self._accounts = Accounts(parts.logins, parts.certificates)
        self._settings = settings = parts.settings
        self._frequency = parts.frequency
        self._interface = interface = Interface(
            settings.open_names, services, sandbox=settings.sandbox
        )
        self._reader = Reader(interface=interface)
        self._bulk_calls, self._data_calls = parts.bulk_calls, parts.data_calls
        self._intake = parts.intake

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        try:
            if request.method == "POST":
                return await self._answer(request)
            return describe_services(request, self._interface)
        except ConnectionError:
            raise  # Nobody is there to be answered.
        except Exception:  # noqa: BLE001 - a defect of ours: logged, answered without detail.
            request_id = secrets.token_hex(8)
            _log.exception("request failed", action="request_failed", request_id=request_id)
            return self._broken(None, request_id)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        bytes_max, wait_s_max = self._settings.body_bytes_max, self._settings.body_read_s_max
        try:
            content = request.content
            if content.is_eof() and content.total_bytes <= bytes_max and not coding_of(request):
                # The usual case: it came with the head.
                message = await read_body(request, bytes_max=bytes_max, timeout_s=wait_s_max)
            else:
                read = await self._receive(request)
                if isinstance(read, web.StreamResponse):
                    return read
                message = read
        except BODY_TROUBLE as error:
            response = self._refuse(_unread(error))
            response.force_close()  # The rest of the body may still be under way.
            return response
        reader = self._reader
        call: AnyCall | Refusal | None = reader.read_known(message)
        is_known = call is not None
        if call is None:
            call = await reader.read_apart(message) if reader.reads_apart else reader.read(message)
        if isinstance(call, (PackCall, BulkCall, AccountCall, DataCall)):
            if self._certificate_client is not None:
                stopped = self._stop(self._certificate_client(request), call)
                if stopped is not None:
                    return stopped
            try:
                if not isinstance(call, PackCall):
                    return await self._answer_rare_call(call, message, request)
                body = await self._answer_pack_call(call, message, is_known=is_known)
            except ConnectionError:
                raise
            except Exception:  # noqa: BLE001 - a defect of ours: logged, answered without detail.
                request_id = secrets.token_hex(8)
                _log.exception("request failed", action="request_failed", request_id=request_id)
                return self._broken(call, request_id)
            return PlainResponse(_SOAP_HEAD, body)
        if isinstance(call, PingCall):
            return web.Response(body=render_ping(call), headers=_SOAP)
        return self._refuse(call)

    async def _receive(self, request: web.BaseRequest) -> web.StreamResponse | bytes:
        """Return a message that comes bit by bit; the answer to one that is too large for that."""
        bytes_max, wait_s_max = self._settings.body_bytes_max, self._settings.body_read_s_max
        parts = BodyParts(request, bytes_max=_ANY_SIZE, wait_s_max=wait_s_max)
        message, is_whole = await parts.read_beginning(bytes_max)
        return message if is_whole else await self._answer_large(request, message, parts)

    def _stop(self, shown: str | None, call: LoginCall) -> web.Response | None:
        """Return the answer to a call that the certificate shown does not entitle to, else None."""
        if shown is None or shown == call.frame.client_login_id:
            return None
        if shown != NOBODY:
            return self._refuse(_of_another(call))
        if call.endpoint.row.service is _PKI:
            return None
        return forbidden(Problem.NONE_SHOWN)  # Let in to fetch a certificate, and for nothing else.

    async def _answer_rare_call(
        self, call: BulkCall | AccountCall | DataCall, message: bytes, request: web.BaseRequest
    ) -> web.StreamResponse:
        visit = await admit(self._logins, self._operations, call)
        if isinstance(visit, Refusal):
            body = self._turn_away(visit, message, is_known=False)
            return PlainResponse(_SOAP_HEAD, body)
        too_frequent = self._too_frequent(call, visit.participant)
        if too_frequent is not None:  # Who asks is no stranger, though.
            return self._refuse(too_frequent)
        return await self._answer_entered(call, visit, request)

    async def _answer_entered(
        self, call: BulkCall | AccountCall | DataCall, visit: Visit, request: web.BaseRequest
    ) -> web.StreamResponse:
        """Answer within the time there is; a reply in pieces has begun by then."""
        wait_s_max = self._settings.answer_s_max
        if isinstance(call, BulkCall):  # To cut it into slices takes time, beside the tills.
            wait_s_max = max(wait_s_max, self._settings.bulk_body_read_s_max)
        try:
            async with asyncio.timeout(wait_s_max):
                reply = await self._reply_to(call, visit, request)
            if isinstance(reply, bytes):
                return PlainResponse(_SOAP_HEAD, reply)
            return await send_parts(
                request, reply, status=200, headers=_SOAP, begin_s_max=wait_s_max
            )
        except TimeoutError:
            code, text = "TI_TO_01", f"The process ran longer than {wait_s_max:g} s"
        except OverloadedError as error:
            code, text = "TE_TX_03", str(error)
        except Recovery.TROUBLE as error:  # Nothing has been sent yet.
            _log.warning("reply not made", action="reply_unavailable", error=repr(error))
            code, text = "TE_REQ_01", OUTCOMES[Outcome.UNAVAILABLE].text
        return self._refuse(_refusal_of(call, code, text)._replace(sender_at_fault=False))

    async def _reply_to(
        self, call: BulkCall | AccountCall | DataCall, visit: Visit, request: web.BaseRequest
    ) -> Reply:
        notifications = render_notices(visit.notices, call.endpoint.version)
        if isinstance(call, BulkCall):
            return await self._bulk_calls.answer(call, visit.participant, notifications)
        if isinstance(call, DataCall):
            return await self._data_calls.answer(call, notifications)
        content = await self._accounts.answer(call, visit, peer_fingerprint(request))
        return render_reply(
            call.endpoint,
            call.frame,
            self._operations.new_transaction_id(),
            self._operations.clock.now_ms(),
            content=content,
            notifications=notifications,
        )

    def _too_frequent(self, call: LoginCall, participant: Participant) -> Refusal | None:
        """Return the refusal of a client that asks more often than it may; the right to ask at all
        comes before."""
        operation, now_ms = call.endpoint.operation, self._operations.clock.now_ms()
        if self._frequency is None or (
            operation is not None and operation not in participant.permitted
        ):
            return None
        if self._frequency.allows(call.frame.client_login_id, now_ms):
            return None
        self._operations.metrics.throttled_count += 1
        return _refusal_of(call, "FI_SE_CLI_01", "The client asks more often than it may")

    async def _answer_large(
        self, request: web.BaseRequest, beginning: bytes, parts: BodyParts
    ) -> web.StreamResponse | bytes:
        """Answer a message that is too large for all but bulk requests and lists of products; of
        such a list return the whole message."""
        if self._intake.is_list_of_products(beginning, self._interface):
            bytes_max = self._settings.master_data_body_bytes_max
            parts.allow(bytes_max=bytes_max, wait_s_max=self._settings.body_read_s_max)
            rest, is_whole = await parts.read_beginning(bytes_max)
            assert is_whole, "a larger one is refused by its parts"
            return beginning + rest

        async def enter(opening: BulkCall) -> Entered | web.Response:
            visit = await self._let_in(opening, request)
            if not isinstance(visit, Visit):
                return visit
            too_frequent = self._too_frequent(opening, visit.participant)
            if too_frequent is not None:
                return self._refuse(too_frequent)
            notifications = render_notices(visit.notices, opening.endpoint.version)
            refused = self._bulk_calls.refuse_unread(opening, visit.participant, notifications)
            if refused is not None:
                return PlainResponse(_SOAP_HEAD, refused)
            return Entered(visit.participant)

        read = await self._intake.read(beginning, parts, enter, self._interface)
        if isinstance(read, Submitted):
            # That took minutes, perhaps: the login or its certificate may have ended meanwhile.
            visit = await self._let_in(read.call, request)
            if isinstance(visit, Visit):
                return await self._answer_entered(read.call, visit, request)
            return visit
        response = self._refuse(read) if isinstance(read, Refusal) else read
        response.force_close()  # The rest of the body may still be under way.
        return response

    async def _let_in(self, opening: BulkCall, request: web.BaseRequest) -> Visit | web.Response:
        """Return the visit of a large message's sender, or the answer that turns it away."""
        if self._certificate_client is not None:
            stopped = self._stop(self._certificate_client(request), opening)
            if stopped is not None:
                return stopped
        visit = await admit(self._logins, self._operations, opening)
        return self._refuse(visit) if isinstance(visit, Refusal) else visit

    async def _answer_pack_call(self, call: PackCall, message: bytes, *, is_known: bool) -> bytes:
        frame = call.frame
        notifications = ""
        participant = self._logins.enter_calmly(frame.client_login_id, frame.user_id, call.password)
        if participant is None:
            visit = await admit(self._logins, self._operations, call)
            if isinstance(visit, Refusal):
                return self._turn_away(visit, message, is_known=is_known)
            participant = visit.participant
            if visit.notices:
                notifications = render_notices(visit.notices, call.endpoint.version)
        if not is_known:
            self._reader.learn(message, call)
        if self._frequency is not None:
            refusal = self._too_frequent(call, participant)
            if refusal is not None:
                return self._render_refusal(refusal)
        answer = await self._perform(call, participant)
        return render_answer(call, answer, self._settings.verify_codes, notifications)

    def _turn_away(self, refusal: Refusal, message: bytes, *, is_known: bool) -> bytes:
        if len(message) > LOGIN_BYTES_FREE and not is_known:  # Those were not parsed.
            self._reader.distrust(len(message))
        return self._render_refusal(refusal)

    async def _perform(self, call: PackCall, participant: Participant) -> Answer:
        operations = self._operations
        endpoint = call.endpoint
        operation = endpoint.operation
        assert operation is not None, "what is about a pack has one"
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

    def _refuse(self, refusal: Refusal) -> web.Response:
        return web.Response(body=self._render_refusal(refusal), headers=_SOAP)

    def _render_refusal(self, refusal: Refusal) -> bytes:
        operations = self._operations
        return render_refusal(refusal, operations.new_transaction_id(), operations.clock.now_ms())

    def _broken(self, call: LoginCall | None, request_id: str) -> web.Response:
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


def _of_another(call: LoginCall) -> Refusal:
    """The return code is our choice; the real systems' is not public."""
    return _refusal_of(call, "FE_PKI_06", "The client certificate belongs to another client")


def _refusal_of(call: LoginCall, code: str, text: str) -> Refusal:
    version = call.endpoint.version
    return Refusal(*report_in(version, code, text), version, call.endpoint, call.frame)


def _unread(error: EmvsError) -> Refusal:
    """A body that was not read names no operation, so a fault is the answer."""
    return Refusal(UNREAD[type(error)], str(error), NEWEST, None, _NOBODY)
