"""Client certificates on a real national system: real handshakes, real refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emvs.errors import ConfigurationError
from nmvs.config import TlsConfig
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.certificate_desk import CLIENT, Desk
from tests.integration.nmvs.soap_raw_client import PATH, Till

DAY_S = 86_400


@pytest.fixture
async def desk(start_system: StartSystem, tmp_path: Path) -> Desk:
    system = await start_system("AT", tls=TlsConfig())
    await system.register("pharmacy", 1)
    await system.register("pharmacy", 2)
    return Desk(system, tmp_path)


@pytest.fixture
async def serials(desk: Desk) -> list[str]:
    return await desk.system.load_packs(3)


async def test_who_passes_the_door(desk: Desk, serials: list[str]) -> None:
    good = await desk.issue()
    assert await desk.verify(good, serials[0]) == (200, "SUCCESS")
    assert await desk.verify(await desk.issue("near-expiry"), serials[0]) == (200, "SUCCESS")
    assert await desk.verify(None, serials[0]) == (
        403,
        "Forbidden: no client certificate was shown",
    )
    assert await desk.verify(await desk.issue("expired"), serials[0]) == (
        403,
        "Forbidden: the certificate has expired",
    )
    assert await desk.verify(await desk.issue("not-yet-valid"), serials[0]) == (
        403,
        "Forbidden: the certificate is not valid yet",
    )
    anothers = await desk.issue(client="PHARMACY00002")
    assert await desk.verify(anothers, serials[0]) == (200, "FE_PKI_06")
    with pytest.raises(aiohttp.ClientError):  # The handshake fails.
        await desk.verify(await desk.issue("foreign"), serials[0])


async def test_without_tls_nobody_asks_for_a_certificate(desk: Desk, serials: list[str]) -> None:
    assert (await Till(desk.system).ask("G110", serials[0])).code == "SUCCESS"


async def test_the_port_without_tls_can_be_closed(start_system: StartSystem) -> None:
    system = await start_system("AT", tls=TlsConfig(), plain=False)
    assert set(system.ports) == {"management", "interconnect", "secure"}
    with pytest.raises(ConfigurationError, match="only public port"):
        await start_system("PL", plain=False)


async def test_a_revoked_certificate_is_out_at_once_on_an_open_connection(
    desk: Desk, serials: list[str]
) -> None:
    handed_out = await desk.issue()
    async with await desk.session(handed_out) as http:
        assert await desk.verify_over(http, serials[0]) == (200, "SUCCESS")
        await desk.ask("DELETE", f"/{handed_out['serial_number']}")
        assert await desk.verify_over(http, serials[0]) == (
            403,
            "Forbidden: the certificate has been revoked",
        )
    (row,) = (await desk.ask("GET", f"?client_login_id={CLIENT}"))["certificates"]
    assert (row["counts"], row["can_be_fetched"]) == (False, False)


async def test_certificates_age_by_the_systems_clock_and_have_successors(
    desk: Desk, serials: list[str]
) -> None:
    old = await desk.issue()
    login = {"client_login_id": CLIENT, "user_id": "USER0001", "password": "Demo-Pass-1"}
    await desk.system.register("pharmacy", 1, soap={**login, "expires": False})
    await desk.system.advance_clock(671 * DAY_S)
    rows: list[dict[str, Any]] = []
    for _ in range(200):  # The successor is made in the background.
        rows = (await desk.ask("GET", ""))["certificates"]
        if len(rows) == 2:
            break
    assert [row["counts"] for row in rows] == [True, True]
    assert await desk.verify(old, serials[0]) == (200, "SUCCESS")
    renewed = await desk.ask("POST", f"/{old['serial_number']}/renew", 201)
    await desk.system.advance_clock(60 * DAY_S)
    assert (await desk.verify(old, serials[0]))[0] == 403
    assert await desk.verify(renewed, serials[0]) == (200, "SUCCESS")


async def test_a_restart_keeps_authority_certificates_and_revocations(
    start_system: StartSystem, tmp_path: Path
) -> None:
    system = await start_system("AT", tls=TlsConfig())
    await system.register("pharmacy", 1)
    (serial,) = await system.load_packs(1)
    desk = Desk(system, tmp_path)
    good, revoked = await desk.issue(), await desk.issue()
    await desk.ask("DELETE", f"/{revoked['serial_number']}")
    await system.stop()
    again = Desk(await start_system("AT", tls=TlsConfig()), tmp_path)
    assert await again.verify(good, serial) == (200, "SUCCESS")
    assert (await again.verify(revoked, serial))[0] == 403


async def test_definitions_and_the_other_dialect_need_no_certificate(desk: Desk) -> None:
    base = f"https://localhost:{desk.system.ports['secure']}"
    async with await desk.session(None) as http:
        async with http.get(f"{base}{PATH}?wsdl") as response:
            assert response.status == 200
        form = {
            "grant_type": "client_credentials",
            "client_id": "pharmacy1",
            "client_secret": "secret-pharmacy-1",
        }
        async with http.post(f"{base}/connect/token", data=form) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"client_login_id": ""}, 400),
        ({"client_login_id": "x" * 33}, 400),
        ({"client_login_id": "x", "kind": "odd"}, 400),
        ({"client_login_id": "", "kind": "foreign"}, 400),
        ({}, 400),
    ],
)
async def test_a_wrong_order_is_refused(desk: Desk, body: dict[str, Any], status: int) -> None:
    answer = await desk.ask("POST", "", status, **body) if body else {"detail": "-"}
    assert answer["detail"]


async def test_an_unknown_certificate_cannot_be_revoked(desk: Desk) -> None:
    assert "no certificate" in (await desk.ask("DELETE", "/12ab", 404))["detail"]
