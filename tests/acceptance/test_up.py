"""`emvs up`, `status`, `check`, `clock` and `down` as a newcomer meets them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.launch.data_directory import LOG_BYTES_MAX
from emvs.scan import parse_scan
from pharmacy_client.client import PharmacyClient
from pharmacy_client.errors import PharmacyClientError
from pharmacy_client.profile import Profile
from tests.acceptance.conftest import EMVS, Environment, is_alive, wait_until

PACK_MEMBERS = {"market", "scheme", "product_code", "serial", "batch", "expiry", "scan"}


def get_json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own address
        document: dict[str, Any] = json.load(response)
        return document


def post(url: str, body: str) -> dict[str, Any]:
    request = urllib.request.Request(url, body.encode())  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        document: dict[str, Any] = json.load(response)
        return document


def patch(url: str, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    request = urllib.request.Request(url, body, method="PATCH")  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def clock_of(management: str) -> datetime:
    return datetime.fromisoformat(get_json(f"{management}/clock")["now"])


def state_of(environment: Environment, market: str, scan: str) -> str | None:
    """Return the state of a pack as a pharmacy of the market is told."""

    async def ask() -> str | None:
        profile = Profile.from_endpoints(environment.data / "endpoints.json", market)
        async with PharmacyClient(profile) as client:
            state = (await client.verify(scan)).state
            return None if state is None else state.name

    return asyncio.run(ask())


def is_active(environment: Environment, pack: dict[str, Any]) -> bool:
    return state_of(environment, pack["market"], pack["scan"]) == "ACTIVE"


def printed_line(environment: Environment, start: str) -> str:
    """Return the line of the welcome that begins so."""
    lines = (environment.data / "welcome.txt").read_text().splitlines()
    return next(line.strip() for line in lines if line.strip().split(" ")[0].endswith(start))


def run_pasted(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S602 - what a user pastes goes through a shell
        line, shell=True, capture_output=True, text=True, timeout=30, check=False
    )


def test_endpoints_keep_the_public_contract(running: Environment) -> None:
    endpoints = running.endpoints()
    assert set(endpoints) == {"ca", "hub", "markets", "participants", "packs"}
    assert (running.data / endpoints["ca"]).read_text().count("BEGIN CERTIFICATE") == 4
    assert set(endpoints["hub"]) == {"url", "secure", "management"}
    offered = {
        code: (bool(market["soap"]), bool(market["rest"]), bool(market["token"]))
        for code, market in endpoints["markets"].items()
    }
    assert offered == {
        "AT": (True, False, False),
        "IE": (False, True, True),
        "FI": (True, True, True),
    }
    for code in offered:
        members = {"soap", "rest", "token", "management", "plain", "secure", "soap_ports"}
        assert set(endpoints["markets"][code]) == members
        assert endpoints["markets"][code]["soap_ports"] is None  # They were not asked for.
        kinds = [who["kind"] for who in endpoints["participants"] if who["market"] == code]
        assert kinds.count("pharmacy") >= 2
        assert kinds.count("wholesaler") >= 1
        packs = [pack for pack in endpoints["packs"] if pack["market"] == code]
        assert len({pack["serial"] for pack in packs}) == 200
    for who in endpoints["participants"]:
        expected = {"market", "kind", "name", "location", "rest", "soap"}
        assert set(who) == expected | ({"hub"} if who["kind"] == "obp" else set())
    for pack in endpoints["packs"]:
        assert set(pack) == PACK_MEMBERS
        assert parse_scan(pack["scan"]).serial_number == pack["serial"]


@pytest.mark.parametrize("market", ["AT", "IE", "FI"])
def test_a_pack_of_the_contract_is_active(running: Environment, market: str) -> None:
    pack = next(pack for pack in running.endpoints()["packs"] if pack["market"] == market)
    assert state_of(running, market, pack["scan"]) == "ACTIVE"


def test_a_soap_market_wants_a_certificate_and_says_what_is_wrong_with_one(
    running: Environment, tmp_path: Path
) -> None:
    endpoints = running.endpoints()
    profile = Profile.from_endpoints(running.data / "endpoints.json", "AT")
    assert profile.url.startswith("https:")
    scan = next(pack["scan"] for pack in endpoints["packs"] if pack["market"] == "AT")

    def tell(certificate: Path | None) -> str:
        """Return what a till with another certificate is told."""
        values = msgspec.structs.asdict(profile) | {"certificate": certificate and str(certificate)}

        async def ask() -> str:
            try:
                async with PharmacyClient(Profile(**values)) as client:
                    state = (await client.verify(scan)).state
                    return "" if state is None else state.name
            finally:
                await asyncio.sleep(0.3)  # A broken handshake's socket closes a little later.

        try:
            return asyncio.run(ask())
        except PharmacyClientError as error:
            return str(error)

    client = profile.client_login_id or ""
    for kind in ("good", "expired", "foreign"):
        done = running.emvs("cert", "issue", client, "--kind", kind, "--out", str(tmp_path / kind))
        assert done.returncode == 0, done.stderr
    assert tell(tmp_path / "good" / f"{client}.pem") == "ACTIVE"
    assert "has expired" in tell(tmp_path / "expired" / f"{client}.pem")
    assert "no client certificate was shown" in tell(None)
    assert "127.0.0.1" in tell(tmp_path / "foreign" / f"{client}.pem")
    rows = running.emvs("cert", "list").stdout
    serial_number = next(
        line.split()[1] for line in reversed(rows.splitlines()) if client in line and " yes" in line
    )
    assert running.emvs("cert", "revoke", serial_number).returncode == 0
    assert "has been revoked" in tell(tmp_path / "good" / f"{client}.pem")
    assert running.emvs("cert", "revoke", "12").returncode == 1


def test_a_foreign_certificate_names_the_root_of_the_market(
    running: Environment, tmp_path: Path
) -> None:
    done = running.emvs("cert", "issue", "ATPHAR1", "--kind", "foreign", "--out", str(tmp_path))
    (line,) = (line for line in done.stdout.splitlines() if "--cacert" in line)
    assert line.split()[0] == str(running.data / "certificates" / "ca.pem")
    assert "nobody trusts" in next(line for line in done.stdout.splitlines() if "root.pem" in line)
    done = running.emvs("cert", "issue", "ATPHAR1", "--out", str(tmp_path))
    (line,) = (line for line in done.stdout.splitlines() if "--cacert" in line)
    assert line.split()[0] == str(tmp_path / "root.pem")


@pytest.mark.parametrize(
    ("client", "market", "is_known"),
    [("ATPHAR1", "AT", True), ("NOBODY", "AT", False), ("ATPHAR1", "FI", False)],
)
def test_a_certificate_for_nobody_comes_with_a_warning(
    running: Environment, tmp_path: Path, client: str, market: str, is_known: bool
) -> None:
    done = running.emvs("cert", "issue", client, "--market", market, "--out", str(tmp_path))
    assert done.returncode == 0, done
    warnings = [line for line in done.stderr.splitlines() if f"no login of {client}" in line]
    assert len(warnings) == (0 if is_known else 1), done


def test_a_full_log_is_set_aside_while_its_system_runs(running: Environment) -> None:
    log = running.data / "logs" / "nmvs-at.log"
    with log.open("ab") as file:
        file.truncate(LOG_BYTES_MAX + 1)
    wait_until(lambda: log.stat().st_size < LOG_BYTES_MAX, "setting aside the log", timeout_s=60)
    assert log.with_name(f"{log.name}.1").stat().st_size > LOG_BYTES_MAX


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_printed_curl_line_works_when_pasted(running: Environment) -> None:
    done = run_pasted(printed_line(running, "curl"))
    assert json.loads(done.stdout)["state"] == "Active", done


def test_the_printed_pharmacy_line_works_when_pasted(running: Environment) -> None:
    done = run_pasted(printed_line(running, "pharmacy"))
    assert done.returncode == 0, done
    assert "ACTIVE" in done.stdout


def test_status_shows_every_system_and_that_all_is_well(running: Environment) -> None:
    done = running.emvs("status")
    assert done.returncode == 0, done
    for name in ("postgres", "hub", "nmvs-at", "nmvs-ie", "nmvs-fi"):
        assert name in done.stdout


def test_memory_and_database_are_compared_on_demand(running: Environment) -> None:
    done = running.emvs("check")
    assert done.returncode == 0, done
    for name in ("nmvs-at", "nmvs-ie", "nmvs-fi"):
        line = next(line for line in done.stdout.splitlines() if name in line)
        assert "equal" in line


def test_a_second_up_on_the_same_directory_is_refused(running: Environment) -> None:
    for arguments in (("up",), ("up", "--detach")):
        done = running.emvs(*arguments)
        assert done.returncode == 1
        assert "emvs down" in done.stderr
        assert done.stderr.count("\n") == 1
    assert running.emvs("status").returncode == 0


def test_the_clock_of_every_system_is_moved(running: Environment) -> None:
    endpoints = running.endpoints()
    addresses = [endpoints["hub"]["management"]]
    addresses += [market["management"] for market in endpoints["markets"].values()]
    before = [clock_of(address) for address in addresses]
    done = running.emvs("clock", "advance", "241h")
    assert done.returncode == 0, done.stderr
    for address, then in zip(addresses, before, strict=True):
        moved = clock_of(address) - then
        assert timedelta(hours=241) <= moved < timedelta(hours=241, minutes=5)
    assert running.emvs("clock").stdout.count("10 d 01:00:00") == len(addresses)


@pytest.mark.parametrize("duration", ["tomorrow", "0s", "-5h"])
def test_a_wrong_duration_is_wrong_usage(running: Environment, duration: str) -> None:
    done = running.emvs("clock", "advance", "--", duration)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_killed_system_comes_back_on_its_port_with_its_packs(running: Environment) -> None:
    before = running.system("nmvs-ie")
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(
        lambda: (
            running.system("nmvs-ie")["pid"] not in (None, before["pid"])
            and running.emvs("status").returncode == 0
        ),
        "the restart",
    )
    after = running.system("nmvs-ie")
    assert (after["address"], after["restarts"]) == (before["address"], before["restarts"] + 1)
    pack = next(pack for pack in running.endpoints()["packs"] if pack["market"] == "IE")
    assert state_of(running, "IE", pack["scan"]) == "ACTIVE"
    assert "nmvs-ie ended (signal SIGKILL)" in running.supervisor_log()


def test_a_killed_postgres_comes_back_on_its_port(running: Environment) -> None:
    before = running.system("postgres")
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: running.system("postgres")["restarts"] == 1, "the restart")
    assert running.system("postgres")["address"] == before["address"]
    wait_until(lambda: running.emvs("status").returncode == 0, "the recovery of all systems")
    pack = next(pack for pack in running.endpoints()["packs"] if pack["market"] == "AT")
    # Whoever writes first finds the old connection broken, and is told so.
    wait_until(lambda: state_of(running, "AT", pack["scan"]) == "ACTIVE", "an answer")


def test_a_killed_supervisor_leaves_no_process_and_the_next_up_finds_the_data(
    environment: Environment,
) -> None:
    environment.up("--markets", "AT,IE", "--packs", "0")
    pids = environment.pids()
    first = environment.endpoints()
    management = {code: market["management"] for code, market in first["markets"].items()}
    changed = {"client_id": "ie-hospital-1", "client_secret": "changed-secret"}
    hospital = {"kind": "hospital", "name": "Renamed", "location": "IE-hospital-1", "rest": changed}
    post(f"{management['IE']}/participants", json.dumps(hospital))
    post(f"{management['AT']}/soap-logins/ATHOSP1/USER0001/lock", "")
    distribution = f"{first['hub']['management']}/distribution"
    patch(f"{distribution}/AT", {"paused": True})
    os.kill(environment.state()["pid"], signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), "the end of every process")
    assert environment.emvs("status").returncode == 3
    assert environment.emvs("clock").returncode == 3

    strict = environment.data / "strict.json"
    identity = {"certificate_required": True, "tokens_without_end": False}
    strict.write_text(json.dumps({"hub": {"identity": identity}}))
    environment.up("--packs", "0", "--settings", str(strict))  # The markets are remembered.
    assert "the hub holds back what is for AT" in environment.supervisor_log()
    patch(f"{distribution}/AT", {"paused": False})
    second = environment.endpoints()
    assert second["markets"] == first["markets"], "the ports are kept"
    assert not {p["serial"] for p in first["packs"]} & {p["serial"] for p in second["packs"]}
    for pack in (first["packs"][0], second["packs"][0]):
        wait_until(partial(is_active, environment, pack), "the packs that were held back")
    assert get_json(f"{management['IE']}/locations/IE-hospital-1")["name"] == "Renamed"
    (login,) = get_json(f"{management['AT']}/soap-logins?client_login_id=ATHOSP1")["logins"]
    assert login["locked"] is True
    form = urlencode({"grant_type": "client_credentials", **changed})
    assert post(second["markets"]["IE"]["token"], form)["access_token"]

    def kill_again() -> bool:
        try:
            pid = environment.system("nmvs-ie")["pid"]
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return not (environment.data / "supervisor.json").exists()
        return False

    pids = environment.pids()
    wait_until(kill_again, "giving up")
    wait_until(lambda: not any(map(is_alive, pids)), "the end of every process")
    log = environment.supervisor_log()
    assert "ended too often" in log
    assert "nmvs-ie.log" in log
    assert "Traceback" not in log
    assert environment.emvs("down").returncode == 0, "that nothing runs is fine"


def test_in_the_foreground_it_stays_until_ctrl_c_on_a_database_of_the_users(
    environment: Environment, tmp_path: Path
) -> None:
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        arguments = ["--markets", "AT", "--port-base", "0", "--packs", "0"]
        command = [str(EMVS), "up", "--data", str(environment.data), *arguments]
        with (tmp_path / "printed").open("w+") as printed:
            process = subprocess.Popen(  # noqa: S603 - the command under test
                [*command, "--dsn", postgres.dsn()], stdout=printed, stderr=printed
            )
            try:
                wait_until((environment.data / "endpoints.json").exists, "the start", timeout_s=60)
                pids = environment.pids()
                assert {system["name"] for system in environment.state()["systems"]} == {
                    "hub",
                    "nmvs-at",
                }
                assert process.poll() is None
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 0
            finally:
                process.kill()
                process.wait()
            printed.seek(0)
            assert "Traceback" not in printed.read()
        assert not any(map(is_alive, pids))
        assert not (environment.data / "endpoints.json").exists()
        assert postgres.is_running()


def test_a_taken_port_is_named_with_the_way_out(environment: Environment) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = environment.emvs("up", "--port-base", str(port), "--markets", "IE")
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "--port-base" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_detached_start_that_fails_says_why_and_where_to_read_more(
    environment: Environment,
) -> None:
    dsn = "postgresql://nobody:topsecret@127.0.0.1:1/none"
    done = environment.emvs("up", "--detach", "--port-base", "0", "--dsn", dsn)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "supervisor.log" in done.stderr
    assert "topsecret" not in done.stdout + done.stderr + environment.supervisor_log()
    assert environment.emvs("status").returncode == 3


def test_a_file_in_place_of_the_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Environment(tmp_path / "file").emvs("up")
    assert done.returncode == 1
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_plays_its_story_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - the command under test
        [str(EMVS), "demo", "--packs", "200"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("SUCCESS", "ALERT", "distributed"):
        assert text in done.stdout
    assert not list(tmp_path.iterdir())


def test_help_tells_the_exit_codes() -> None:
    command = [str(EMVS), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    assert "Exit codes" in done.stdout


def pasted(running: Environment, folder: Path, name: str, count: int = 1) -> list[str]:
    """Run the first blocks of a page of the docs; return the lines that they print."""
    page = (Path(__file__).parents[2] / "docs" / name).read_text()
    blocks = [part.split("```", 1)[0] for part in page.split("```bash\n")[1 : count + 1]]
    (folder / ".venv").symlink_to(EMVS.parents[1])
    (folder / ".emvs").symlink_to(running.data)
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", "\n".join(blocks)],  # noqa: S607 - whichever bash the user has
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_first_upload_of_the_hubs_page_works_when_pasted(
    running: Environment, tmp_path: Path
) -> None:
    last = json.loads(pasted(running, tmp_path, "hub.md")[-1])
    assert last["status"] == "STDS", last
    assert last["markets"][0]["loadedCount"] == 3


def test_the_wire_examples_of_the_pharmacys_page_work_when_pasted(
    running: Environment, tmp_path: Path
) -> None:
    *by_rest, by_soap = pasted(running, tmp_path, "pharmacy.md")
    told = [json.loads(line)["operationCode"] for line in by_rest]
    assert told == ["11110100", "11210200", "11410100"]
    assert "NMVS_SUCCESS" in by_soap
    assert ':state="ACTIVE"' in by_soap


def test_the_callbacks_page_works_when_pasted(running: Environment, tmp_path: Path) -> None:
    printed = pasted(running, tmp_path, "callbacks.md")
    lines = [line for line in printed if "RSHEUHUB" in line]
    told = sorted(line.split()[1] for line in lines)
    assert told == ["RCBR", *sorted(["STVA", "STLD", "STDS"] * 3)], printed
    (recall,) = (line for line in lines if " RCBR " in line)
    assert "your batches: 09520000777753 NEW" in recall


def test_packs_are_changed_and_verified_as_the_hubs_page_tells(
    running: Environment, tmp_path: Path
) -> None:
    *_, changed, _, report = pasted(running, tmp_path, "hub.md", 3)
    last = json.loads(changed)
    told = [(one["outcome"], one["state"]) for pack in last["packs"] for one in pack["markets"]]
    assert told == [
        ("VERIFIED", "Locked"),
        ("VERIFIED", "Active"),
        ("VERIFIED", "Active"),
        ("SERIAL_UNKNOWN", None),
    ]
    row = json.loads(report)["rows"][-1]
    assert (row["result"], row["sent"], row["held"], row["LOCKED"]) == ("Agrees", 3, 3, 1)


def test_the_onboarding_page_works_when_pasted(running: Environment, tmp_path: Path) -> None:
    account, client, again = map(json.loads, pasted(running, tmp_path, "onboarding.md"))
    assert account == again
    assert account["marketingAuthorisationHolders"] == ["New Pharma Ltd"]
    assert client["initialToken"]
