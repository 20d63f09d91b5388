"""Requests of manufacturers and national systems: parse, call, render. No rule stands here."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from emvs.errors import BadRequestError, NotFoundError, TooLargeError, UnauthorisedError
from emvs.infra.body_parts import BodyParts
from emvs.infra.web import bearer_token, decode_body, json_response, read_body
from emvs.interconnect import ChangesMessage, IntermarketRequest
from hub.answers import request_list, request_status
from hub.body_forms import check_form, hinted
from hub.callers import client_of
from hub.config import LimitsConfig
from hub.intermarket import Intermarket
from hub.line_uploads import LINE_TYPES, Note, read_line_upload
from hub.long_answers import defect_page, refused_page
from hub.message_bodies import as_json
from hub.message_list import MESSAGES
from hub.organisations import Organisations
from hub.pack_answers import pack_answers
from hub.progress import ProgressBoard
from hub.reception import Reception
from hub.store.connections import Pool
from hub.synchronisation import Synchronisation
from hub.upload_room import SMALL_BODY_BYTES_MAX, UploadRoom
from hub.uploads import MESSAGE_KINDS, SERIAL_MESSAGES, Upload, read_upload

_INTERMARKET_BODY_BYTES_MAX: Final = 16 * 1024
_INTERMARKET_BODY_S_MAX: Final = 5.0


class ObpHandlers:
    """What a manufacturer can ask."""

    def __init__(
        self,
        *,
        pool: Pool,
        organisations: Organisations,
        reception: Reception,
        limits: LimitsConfig,
        progress: ProgressBoard,
    ) -> None:
        self._pool = pool
        self._organisations = organisations
        self._reception = reception
        self._limits = limits
        self._progress = progress
        self._room = UploadRoom(limits)

    async def upload(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/{message type}`: store a request, answer 202 with its acknowledgement."""
        client = client_of(self._organisations, request)
        message_type = request.match_info["message_type"]
        kind = MESSAGE_KINDS.get(message_type)
        if kind is None:
            known = ", ".join(MESSAGE_KINDS)
            raise NotFoundError(f"no message {message_type!a} is taken here, only {known}")
        check_form(request, takes_lines=message_type in SERIAL_MESSAGES)
        bytes_max = min(self._limits.body_bytes_max, kind.body_bytes_max)
        if (request.content_length or 0) > bytes_max:
            raise TooLargeError(
                f"the body has {request.content_length} bytes, at most {bytes_max} are taken"
            )
        # It is told to be coming until it is stored: in between it would not be known at all.
        with self._progress.receiving(client.organisation_id) as note:
            async with self._room.place(request):
                upload = await self._read(request, message_type, note, bytes_max=bytes_max)
                acknowledgement = await self._reception.accept(upload, client)
        return json_response(acknowledgement, status=202)

    async def _read(
        self, request: web.Request, message_type: str, note: Note, *, bytes_max: int
    ) -> Upload:
        """Return the upload in a body, whatever form it has."""
        wait_s_max = self._limits.body_read_s_max
        serials_max = self._limits.serials_per_message_max
        if request.content_type not in LINE_TYPES:
            body = await read_body(request, bytes_max=bytes_max, timeout_s=wait_s_max)
            body = await as_json(request, body, MESSAGE_KINDS[message_type].message)
            try:
                return read_upload(message_type, body, serials_max=serials_max)
            except BadRequestError as error:
                raise hinted(error, body) from error.__cause__
        return await read_line_upload(
            message_type,
            request.content_type,
            BodyParts(request, bytes_max=bytes_max, wait_s_max=wait_s_max),
            serials_max=serials_max,
            note=note,
            transaction_id=request.query.get("transactionId"),
        )

    async def not_asked(self, request: web.Request) -> web.Response:
        """`GET` of what is no list: 405 of a message type, 404 of all else."""
        word = request.match_info["message_type"]
        if word in MESSAGES:
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        raise NotFoundError(f"there is nothing called {word[:40]!a} here")

    async def quality(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/requests/{transaction id}/quality`: the report on its serial numbers."""
        client = client_of(self._organisations, request)
        status = await request_status(self._pool, request.match_info["transaction_id"], client)
        if status.serialQuality is None:
            raise NotFoundError(
                "there is no report: only valid uploads get one, some seconds after they came"
            )
        refused = {
            entry.system: entry.refusedCount for entry in status.markets if entry.at is not None
        }
        return json_response({"report": status.serialQuality, "refusedAsReused": refused})

    async def status(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/requests/{transaction id}`."""
        client = client_of(self._organisations, request)
        transaction_id = request.match_info["transaction_id"]
        try:
            status = await request_status(self._pool, transaction_id, client)
        except NotFoundError:
            self._progress.refuse_if_coming(transaction_id, client.organisation_id)
            raise
        status.progress = self._progress.of(status)
        return json_response(status)

    async def packs(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/requests/{transaction id}/packs?after=...&limit=...`."""
        client = client_of(self._organisations, request)
        transaction_id = request.match_info["transaction_id"]
        return json_response(await pack_answers(self._pool, transaction_id, client, request.query))

    async def defects(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/requests/{transaction id}/defects?after=...&limit=...`."""
        client = client_of(self._organisations, request)
        transaction_id = request.match_info["transaction_id"]
        return json_response(await defect_page(self._pool, transaction_id, client, request.query))

    async def refused(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/requests/{transaction id}/refused?market=...&after=...&limit=...`."""
        client = client_of(self._organisations, request)
        transaction_id = request.match_info["transaction_id"]
        return json_response(await refused_page(self._pool, transaction_id, client, request.query))

    async def recent(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/requests?after=...&limit=...&order=...`."""
        client = client_of(self._organisations, request)
        return json_response(await request_list(self._pool, client, request.query))


class NationalHandlers:
    """What a national system can ask."""

    def __init__(
        self,
        *,
        intermarket: Intermarket,
        synchronisation: Synchronisation,
        systems_by_token: dict[str, str],
    ) -> None:
        self._intermarket = intermarket
        self._synchronisation = synchronisation
        self._systems_by_token = systems_by_token

    async def intermarket(self, request: web.Request) -> web.Response:
        """`POST /nmvs/v1/intermarket`: have the market that holds a pack act on it."""
        system = self._system(request)
        body = await read_body(
            request, bytes_max=_INTERMARKET_BODY_BYTES_MAX, timeout_s=_INTERMARKET_BODY_S_MAX
        )
        wanted = decode_body(body, IntermarketRequest)
        return json_response(await self._intermarket.answer(wanted, system))

    async def changes(self, request: web.Request) -> web.Response:
        """`POST /nmvs/v1/changes`: store changes of packs for the packs' other markets."""
        system = self._system(request)
        body = await read_body(
            request, bytes_max=SMALL_BODY_BYTES_MAX, timeout_s=_INTERMARKET_BODY_S_MAX
        )
        message = decode_body(body, ChangesMessage)
        return json_response(await self._synchronisation.accept(message, system))

    def _system(self, request: web.Request) -> str:
        token = bearer_token(request)
        system = None if token is None else self._systems_by_token.get(token)
        if system is None:
            raise UnauthorisedError("a national system's bearer token is wanted")
        return system
