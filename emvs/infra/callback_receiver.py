"""A tiny receiver of the hub's callbacks for a developer's desk: checks, prints, answers.

Loopback only. It keeps nothing; a notice that comes again is marked as a repeat for as long as its
id is remembered. It can refuse notices on purpose, to see the hub try again.
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from emvs.callback_messages import NOTICE_TYPES, Notice
from emvs.callback_signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER, is_signed
from emvs.errors import BadRequestError, EmvsError, UnauthorisedError
from emvs.infra.launch.errors import ExitCode
from emvs.infra.web import Site, decode_body, read_body, render_errors, serve_app

_HOST: Final = "127.0.0.1"
_BODY_BYTES_MAX: Final = 4 * 1024 * 1024
_BODY_S_MAX: Final = 10.0
_IDS_REMEMBERED: Final = 10_000
_FAILURE_STATUS: Final = 503

Print = Callable[[str], None]


class _FailingOnPurposeError(EmvsError):
    """The receiver was told to refuse this one."""

    http_status = _FAILURE_STATUS
    title = "Failing on purpose"


class CallbackReceiver:
    """One receiver. `async with` starts and stops it; any path is taken."""

    def __init__(
        self,
        *,
        port: int,
        secret: str | None,
        fail_count: int,
        raw: bool,
        show: Print,
        remark: Print,
    ) -> None:
        self._wanted_port = port
        self._secret = secret
        self._failures_left = fail_count
        self._raw = raw
        self._show = show
        self._remark = remark
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._site: Site | None = None

    async def __aenter__(self) -> CallbackReceiver:
        app = web.Application(middlewares=[render_errors])
        app.router.add_post("/{path:.*}", self._receive)
        self._site = await serve_app(app, _HOST, self._wanted_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._site is not None:
            await self._site.close()

    @property
    def url(self) -> str:
        """What to register with the hub."""
        assert self._site is not None, "the receiver does not listen"
        return f"http://{_HOST}:{self._site.port}/"

    async def _receive(self, request: web.Request) -> web.Response:
        body = await read_body(request, bytes_max=_BODY_BYTES_MAX, timeout_s=_BODY_S_MAX)
        headers = request.headers
        signed = self._secret is None or is_signed(
            self._secret,
            headers.get(TIMESTAMP_HEADER, ""),
            body,
            headers.get(SIGNATURE_HEADER, ""),
        )
        if not signed:
            self._remark("REFUSED (401): the signature is not one of this secret")
            raise UnauthorisedError("the signature is wrong")
        try:
            notice = decode_body(body, Notice)
        except BadRequestError as error:
            self._remark(f"REFUSED (400): {error}")
            raise
        if self._failures_left:
            self._failures_left -= 1
            self._remark(f"refused on purpose ({_FAILURE_STATUS}): {describe(notice)}")
            raise _FailingOnPurposeError(f"told to; {self._failures_left} more")
        self._print(notice, body)
        return web.Response(status=204)

    def _print(self, notice: Notice, body: bytes) -> None:
        repeated = notice.noticeId in self._seen
        self._seen[notice.noticeId] = None
        if len(self._seen) > _IDS_REMEMBERED:
            self._seen.popitem(last=False)
        if self._raw:
            self._show(body.decode().replace("\n", " "))
            return
        mark = " (repeat)" if repeated else ""
        unchecked = " [signature not checked]" if self._secret is None else ""
        self._show(f"{describe(notice)}{mark}{unchecked}")


def describe(notice: Notice) -> str:
    """Return a notice as one line for people."""
    content = notice.content
    kind = NOTICE_TYPES.get(notice.messageType, "unknown notice")
    try:
        told = _DESCRIPTIONS.get(notice.messageType[:2], _describe_other)(content)
    except (AttributeError, KeyError, TypeError):  # Members that the hub does not send so.
        told = _describe_other(content)
    line = f"{notice.createdAt}  {notice.messageType} {kind}: {told}  {notice.noticeId}"
    # What a stranger sends must not steer the terminal.
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in line)


def _describe_event(content: dict[str, Any]) -> str:
    markets = ", ".join(map(str, content.get("markets", [])))
    line = f'{_pack(content)} in {markets}, "{content.get("reason")}"'
    linked = [_pack(batch) for batch in content.get("linkedBatches", [])]
    return f"{line}; your batches: {', '.join(linked) or 'none'}"


def _describe_alert(content: dict[str, Any]) -> str:
    return (
        f"{content.get('alertId')} {content.get('code')} {content.get('state')}"
        f" {_pack(content)} {content.get('serialNumber')} in {content.get('raisingMarket')}:"
        f" {content.get('text')}"
    )


def _describe_status(content: dict[str, Any]) -> str:
    line = f"{content.get('requestType')} {content.get('transactionId')} {_pack(content)}".rstrip()
    if count := content.get("defectCount"):
        rules = [f"{one.get('field')} {one.get('rule')}" for one in content.get("defects", [])[:3]]
        line += f", {count} defects: {'; '.join(rules)}"
    markets = [_describe_market(one) for one in content.get("markets", [])]
    return f"{line}, {', '.join(markets)}" if markets else line


def _describe_market(entry: dict[str, Any]) -> str:
    counts = [f"{count} {outcome}" for outcome, count in entry.get("outcomes", {}).items()]
    if not counts and (refused := entry.get("refusedCount")):
        counts = [f"{entry.get('loadedCount', 0)} packs loaded", f"{refused} refused"]
    line = f"{entry.get('market')} {entry.get('status')}"
    return f"{line} ({', '.join(counts)})" if counts else line


def _describe_other(content: dict[str, Any]) -> str:
    return msgspec.json.encode(content).decode()


def _pack(content: dict[str, Any]) -> str:
    names = (content.get("productCode"), content.get("batchId"))
    return " ".join(str(name) for name in names if name)


_DESCRIPTIONS: Final = {
    "RC": _describe_event,
    "WD": _describe_event,
    "AL": _describe_alert,
    "ST": _describe_status,
}


async def receive(*, port: int, secret: str | None, fail_count: int, raw: bool) -> ExitCode:
    """Receive and print until cancelled: notices to standard output, all else to standard error.

    Raises EmvsError if the port is taken.
    """

    def show(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def remark(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    receiver = CallbackReceiver(
        port=port, secret=secret, fail_count=fail_count, raw=raw, show=show, remark=remark
    )
    async with receiver:
        remark(f"register this with the hub: {receiver.url} (Ctrl-C ends it)")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:  # That is how it ends.
            return ExitCode.OK
    raise AssertionError("nobody sets the event")
