"""Passwords and certificates renewed against a real system, with answers lost on the way."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from emvs.scan import Scan
from emvs.scheme import Scheme
from nmvs.config import TlsConfig
from pharmacy_client import (
    Category,
    LoginRefusedError,
    PharmacyClient,
    Profile,
    ProfileError,
    SystemUnreachableError,
)
from pharmacy_client.profile_file import changing
from pharmacy_client.till import Till, TillPlan
from pharmacy_client.transport import AiohttpTransport
from pharmacy_client.upkeep import Upkeep, certificate_end
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.certificate_desk import Desk
from tests.integration.nmvs.soap_account_client import manage
from tests.integration.pharmacy_client.fault_proxy import Fault, fault_proxy
from tests.integration.pharmacy_client.test_cli import run
from tests.integration.running import RunningSystem

DAY_S = 86_400
PLAN = TillPlan(retry_pause_s=0.01, same_verify_s=0.0)
PROFILE = """\
# The till in the front room.
dialect = "soap"
url = "{url}"
client_login_id = "PHARMACY00001"
user_id = "USER0001"
password = "Demo-Pass-1"   # handed out in March
software_name = "TillDemo"
"""


def write_profile(folder: Path, url: str, more: str = "") -> Path:
    path = folder / "pharmacy.toml"
    path.write_text(PROFILE.format(url=url) + more)
    return path


def pack(system: RunningSystem, serial: str) -> Scan:
    return Scan(
        scheme=Scheme.GTIN,
        product_code=system.product_code,
        serial_number=serial,
        batch_id=system.batch_id,
        expiry=system.expiry,
    )


@pytest.fixture
async def system(start_system: StartSystem) -> RunningSystem:
    running: RunningSystem = await start_system("AT")
    await running.register("pharmacy", 1)
    return running


async def accepts(profile: Profile, scan: Scan) -> bool:
    async with PharmacyClient(profile) as client:
        return (await client.verify(scan)).ok


async def test_a_password_is_changed_before_it_expires_and_after(
    system: RunningSystem, tmp_path: Path
) -> None:
    (serial,) = await system.load_packs(1)
    path = write_profile(tmp_path, system.service)
    notices: list[str] = []
    profile = Profile.from_file(path)
    async with Till(profile, plan=PLAN, on_notice=notices.append) as till:
        assert (await till.verify(pack(system, serial))).ok
        assert Profile.from_file(path).password == "Demo-Pass-1"
        await system.advance_clock(81 * DAY_S)
        assert (await till.verify(pack(system, serial))).ok
        assert notices == ["The password was changed and written to the profile."]
        first = Profile.from_file(path)
        assert first.password == till.profile.password != "Demo-Pass-1"
        # A till that was off for a year finds it expired.
        await system.advance_clock(365 * DAY_S)
        assert (await till.supply(pack(system, serial))).category is Category.DONE
    last = Profile.from_file(path)
    assert (last.password, last.next_password) == (till.profile.password, None)
    assert last.password != first.password
    assert await accepts(last, pack(system, serial)) is False  # It was supplied; the login is good.
    assert path.read_text().startswith("# The till in the front room.\n")


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.REQUEST_LOST])
async def test_a_lost_answer_loses_no_password(
    system: RunningSystem, tmp_path: Path, fault: Fault
) -> None:
    (serial,) = await system.load_packs(1)
    async with fault_proxy(system.ports["service"]) as proxy:
        path = write_profile(tmp_path, proxy.url)
        proxy.fail(fault, rb"G445Request")
        upkeep = Upkeep(Profile.from_file(path), AiohttpTransport)
        with pytest.raises(SystemUnreachableError) as caught:
            await upkeep.change_password()
        assert "Demo-Pass-1" not in str(caught.value.exchange)
        kept = Profile.from_file(path)
        assert kept.password == "Demo-Pass-1"
        assert kept.next_password
        # The program starts anew.
        async with Till(kept, plan=PLAN) as till:
            await till.upkeep()
            assert (await till.verify(pack(system, serial))).ok
        settled = Profile.from_file(path)
        assert settled.next_password is None
        arrived = fault is Fault.ANSWER_LOST
        assert settled.password == (kept.next_password if arrived else "Demo-Pass-1")


async def test_a_password_changed_by_another_program_is_taken_over(
    system: RunningSystem, tmp_path: Path
) -> None:
    (serial,) = await system.load_packs(1)
    path = write_profile(tmp_path, system.service)
    async with Till(Profile.from_file(path), plan=PLAN) as till:
        assert (await till.verify(pack(system, serial))).ok
        other = Upkeep(Profile.from_file(path), AiohttpTransport)
        with changing(path), pytest.raises(ProfileError, match="Another program"):
            await other.change_password()
        # Twice: the password of before the last one is certainly not accepted any more.
        await other.change_password()
        await other.change_password()
        await system.advance_clock(60 * DAY_S)
        assert (await till.verify(pack(system, serial))).ok
        assert till.profile.password == other.profile.password


async def test_a_login_that_terms_have_blocked_is_let_in_again(
    system: RunningSystem, tmp_path: Path
) -> None:
    (serial,) = await system.load_packs(1)
    path = write_profile(tmp_path, system.service)
    profile = Profile.from_file(path)
    dates: dict[str, Any] = {
        "starts_at": "2020-01-01T00:00:00Z",
        "accept_by": "2020-02-01T00:00:00Z",
    }
    none = await run("terms", "--profile", str(path), cwd=tmp_path)
    assert (none.code, "nothing to accept" in none.out) == (0, True), none
    await manage(system, "PUT", "/terms/3", text="Be kind.\nAlways.", **dates)
    with pytest.raises(LoginRefusedError, match="AU_23"):
        await accepts(profile, pack(system, serial))
    shown = await run("terms", "--profile", str(path), cwd=tmp_path)
    assert (shown.code, shown.out.splitlines()[1:]) == (0, ["Be kind.", "Always."]), shown
    assert "not accepted. Accept them: `pharmacy terms --accept 3`" in shown.out
    wrong = await run("terms", "--accept", "4", "--profile", str(path), cwd=tmp_path)
    assert wrong.code != 0
    assert "refused" in wrong.err
    done = await run("terms", "--accept", "3", "--profile", str(path), "--json", cwd=tmp_path)
    assert (done.code, done.answer["is_accepted"]) == (0, True), done
    assert await accepts(profile, pack(system, serial))


async def test_a_certificate_is_renewed_under_the_old_one(
    start_system: StartSystem, tmp_path: Path
) -> None:
    system = await start_system("AT", tls=TlsConfig(), logins={"password_life_s": 0})
    await system.register("pharmacy", 1)
    (serial,) = await system.load_packs(1)
    desk = Desk(system, tmp_path)
    old = await desk.issue("near-expiry")
    await desk.ask("POST", f"/{old['serial_number']}/renew", 201)
    async with system.http.get(f"{system.management}/certificates/root.pem") as response:
        (tmp_path / "root.pem").write_text(await response.text())
    unpack(old, tmp_path / "till.pem")
    files = 'ca = "root.pem"\ncertificate = "till.pem"\n'
    path = write_profile(tmp_path, f"https://localhost:{system.ports['secure']}", files)
    before = Profile.from_file(path)
    async with Till(before, plan=PLAN) as till:
        await till.upkeep()
        assert (await till.verify(pack(system, serial))).ok
    after = Profile.from_file(path)
    assert after.certificate != before.certificate
    ends = certificate_end(before), certificate_end(after)
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[1] > ends[0]
    assert is_private(after.key)
    await desk.ask("DELETE", f"/{old['serial_number']}")
    assert await accepts(after, pack(system, serial))


def is_private(path: str | None) -> bool:
    return Path(path or "").stat().st_mode & 0o077 == 0


def unpack(handed_out: dict[str, Any], path: Path) -> None:
    key, certificate, _ = load_key_and_certificates(
        base64.b64decode(handed_out["package"]), handed_out["passphrase"].encode()
    )
    assert key is not None
    assert certificate is not None
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
