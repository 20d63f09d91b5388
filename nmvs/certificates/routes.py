"""The management port's routes for certificates: issue, list, renew, revoke. Parse, call, render.

For the person at the stand, so a new certificate comes with its key; a client of the market gets
its own by the PKI service.
"""

from __future__ import annotations

import base64
from collections import deque
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
from aiohttp import web

from emvs.infra.certificate_authority import CertificateAuthority
from emvs.infra.clock import Clock
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from nmvs.certificates.registry import Certificates, Problem, check_client_login_id
from nmvs.certificates.store import Package, StoredCertificate

_DAY_S: Final = 86_400
_LISTED_MAX: Final = 1_000
"""The newest ones: what was issued a moment ago can always be seen (our choice)."""


class Kind(StrEnum):
    """What a certificate is good for."""

    GOOD = "good"
    NEAR_EXPIRY = "near-expiry"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    FOREIGN = "foreign"
    """Signed by an authority that nobody trusts; not kept."""


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /certificates`."""

    client_login_id: str
    kind: Kind = Kind.GOOD


_SPANS: Final[dict[Kind, tuple[int, int | None]]] = {
    Kind.GOOD: (0, None),
    Kind.NEAR_EXPIRY: (-700 * _DAY_S, 701 * _DAY_S),
    Kind.EXPIRED: (-731 * _DAY_S, 730 * _DAY_S),
    Kind.NOT_YET_VALID: (30 * _DAY_S, None),
}
"""Start from now and life in seconds; None: the market's."""


def add_routes(app: web.Application, certificates: Certificates, clock: Clock) -> None:
    """Add `GET` and `POST /certificates`, `POST /certificates/{serial}/renew`,
    `DELETE /certificates/{serial}`, and the root: `GET /certificates/root` as a member of JSON,
    `GET /certificates/root.pem` by itself."""

    async def get_all(request: web.Request) -> web.Response:
        client = request.query.get("client_login_id")
        wanted = (
            known
            for known in certificates.all()
            if client is None or known.client_login_id == client
        )
        newest = deque(wanted, maxlen=_LISTED_MAX + 1)
        truncated = len(newest) > _LISTED_MAX
        if truncated:
            newest.popleft()
        rows = [_row(known, certificates) for known in newest]
        return json_response({"certificates": rows, "truncated": truncated})

    async def post(request: web.Request) -> web.Response:
        order: Order = await read_message(request, Order)
        if order.kind is Kind.FOREIGN:
            return json_response(_foreign(order.client_login_id, clock), status=201)
        starts_in_s, life_s = _SPANS[order.kind]
        known, tan = await certificates.issue(
            order.client_login_id, starts_in_s=starts_in_s, life_s=life_s
        )
        return json_response(await _handed_out(known, tan, certificates), status=201)

    async def renew(request: web.Request) -> web.Response:
        known, tan = await certificates.renew(request.match_info["serial"])
        return json_response(await _handed_out(known, tan, certificates), status=201)

    async def revoke(request: web.Request) -> web.Response:
        known = await certificates.revoke(request.match_info["serial"])
        return json_response(_row(known, certificates))

    async def root(_: web.Request) -> web.Response:
        return web.Response(
            text=certificates.authority.root_pem, content_type="application/x-pem-file"
        )

    async def root_member(_: web.Request) -> web.Response:
        return json_response({"root_pem": certificates.authority.root_pem})

    app.router.add_get("/certificates", get_all)
    app.router.add_post("/certificates", post)
    app.router.add_get("/certificates/root", root_member)
    app.router.add_get("/certificates/root.pem", root)
    app.router.add_post("/certificates/{serial}/renew", renew)
    app.router.add_delete("/certificates/{serial}", revoke)


async def _handed_out(
    known: StoredCertificate, tan: str, certificates: Certificates
) -> dict[str, Any]:
    package = await certificates.waiting_package(known.fingerprint)
    assert not isinstance(package, Problem), "it was issued a moment ago"
    return {
        **_row(known, certificates),
        "tan": tan,
        **_package_members(package, certificates.authority),
    }


def _foreign(client_login_id: str, clock: Clock) -> dict[str, Any]:
    check_client_login_id(client_login_id)
    now = clock.now()
    stranger = CertificateAuthority.create("An authority that nobody trusts", now)
    issued = stranger.issue_client(client_login_id, "Nobody", now, now + timedelta(days=730))
    package = Package(
        f"{client_login_id}.p12", stranger.pack(issued, client_login_id, "foreign"), "foreign"
    )
    return {"client_login_id": client_login_id, **_package_members(package, stranger)}


def _package_members(package: Package, authority: CertificateAuthority) -> dict[str, Any]:
    return {
        "package": base64.b64encode(package.content).decode(),
        "passphrase": package.passphrase,
        "root_pem": authority.root_pem,
    }


def _row(known: StoredCertificate, certificates: Certificates) -> dict[str, Any]:
    problem = certificates.problem(known.fingerprint)
    return {
        "serial_number": known.serial_number,
        "client_login_id": known.client_login_id,
        "starts_at": known.starts_at.isoformat(),
        "ends_at": known.ends_at.isoformat(),
        "counts": problem is None,
        "problem": problem.value if problem else None,
        "can_be_fetched": known.waits,
    }
