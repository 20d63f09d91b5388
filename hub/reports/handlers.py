"""Requests about reports: parse, call, render."""

from __future__ import annotations

from typing import Final

import msgspec
import orjson
from aiohttp import web

from emvs.errors import BadRequestError
from emvs.infra.web import json_response
from emvs.report_messages import Report, ReportFormat, ReportRequest, ReportRetrieval, ReportStatus
from hub.callers import client_of
from hub.hub_ids import request_number
from hub.message_bodies import read_message
from hub.organisations import Organisations
from hub.paging import Page, read_limit, read_order
from hub.reports.requests import RETRIEVE, Reports
from hub.reports.store import MESSAGE_TYPE

_BODY_BYTES_MAX: Final = 64 * 1024


class ReportHandlers:
    """What a client can ask about reports."""

    def __init__(self, reports: Reports, organisations: Organisations) -> None:
        self._reports = reports
        self._organisations = organisations

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths of manufacturers."""
        router.add_post(f"/obp/v1/{MESSAGE_TYPE}", self.request)
        router.add_post(f"/obp/v1/{RETRIEVE}", self.retrieve)
        router.add_get("/obp/v1/reports", self.recent)
        router.add_get("/obp/v1/reports/{report_id}", self.report)

    async def request(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/RPRQ`."""
        client = client_of(self._organisations, request)
        wanted = await read_message(request, ReportRequest, bytes_max=_BODY_BYTES_MAX)
        return json_response(await self._reports.request(client, wanted), status=202)

    async def retrieve(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/RRRQ`."""
        client = client_of(self._organisations, request)
        message = await read_message(request, ReportRetrieval, bytes_max=_BODY_BYTES_MAX)
        return _told(*await self._reports.retrieve(client, message))

    async def recent(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/reports?after=...&limit=...&order=...`."""
        client = client_of(self._organisations, request)
        after = request.query.get("after", "")
        number = request_number(after) if after else 0
        if number is None:
            raise BadRequestError("after is a reportId, as `next` gives it")
        page = Page(number, read_limit(request.query), read_order(request.query))
        found = await self._reports.recent(client, page)
        last = found[-1].reportId if len(found) == page.limit else None
        return json_response({"reports": found, "next": last})

    async def report(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/reports/{report id}`."""
        client = client_of(self._organisations, request)
        return _told(*await self._reports.find(client, request.match_info["report_id"]))


def _told(report: Report, content: bytes) -> web.Response:
    if report.status is ReportStatus.DONE and report.format is ReportFormat.CSV:
        headers = {"Report-Id": report.reportId, "Report-Truncated": str(report.truncated).lower()}
        return web.Response(body=content, content_type="text/csv", charset="utf-8", headers=headers)
    members = msgspec.to_builtins(report)
    if report.status is ReportStatus.DONE:
        members["rows"] = orjson.Fragment(content)
    return json_response(members)
