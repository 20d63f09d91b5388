"""The command `obp` and its library against real systems, as a manufacturer meets them.

`obp selftest --keep` starts the systems that all tests here share.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from hub.obp import Batch, LoginRefusedError, ObpClient, Profile
from tests.acceptance.conftest import EMVS, Environment, stop, wait_until
from tests.acceptance.fault_proxy import FaultProxy
from tests.acceptance.obp_stand import (
    COMMAND_S_MAX,
    GTIN,
    OBP,
    Stand,
    environment_with,
    run,
    serial_file,
    serial_numbers,
    upload,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    data = tmp_path_factory.mktemp("obp") / "data"
    environment = Environment(data)
    try:
        done = run("selftest", "--serials", "3000", "--keep", str(data), "--json")
        assert done.stdout, done.stderr + environment.logs()
        yield Stand(environment, json.loads(done.stdout))
    finally:
        stop(environment)


@pytest.fixture(scope="module")
def product(stand: Stand) -> str:
    """A product in both markets; its code."""
    code, answer = stand.obp(
        *("product", "--code", GTIN, "--name", "Examplol 10 mg tablets", "--strength", "10 mg"),
        *("--common-name", "examplol", "--form", "tablet", "--pack-type", "blister"),
        *("--pack-size", "30", "--market", "IE", "--market", "AT:1234567"),
    )
    assert code == 0, answer
    return GTIN


def test_the_selftest_passes_and_leaves_the_system_running_if_it_is_kept(stand: Stand) -> None:
    found = stand.selftest
    assert found["ok"], found
    assert found["markets"] == ["AT", "IE"]
    assert found["kept"] == str(stand.environment.data)
    assert len(found["steps"]) == 15
    assert all(step["ok"] for step in found["steps"])


def test_a_selftest_that_finds_something_says_so(stand: Stand, tmp_path: Path) -> None:
    document = stand.environment.endpoints()
    # The count of one market is asked of another one's port: the sums cannot be right.
    document["markets"]["AT"]["management"] = "http://127.0.0.1:9"
    path = tmp_path / "endpoints.json"
    path.write_text(json.dumps(document))
    code, answer = stand.obp("selftest", "--serials", "10", "--from-endpoints", str(path))
    assert (code, answer["ok"]) == (1, False)
    assert "AT does not tell what it holds" in answer["steps"][-1]["detail"]


def test_the_page_works_when_pasted(stand: Stand, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "obp.md").read_text()
    block = "".join(part.split("```", 1)[0] for part in page.split("```bash\n")[1:])
    (tmp_path / ".venv").symlink_to(EMVS.parents[1])
    (tmp_path / ".emvs").symlink_to(stand.environment.data)
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", block],  # noqa: S607 - whichever bash the user has
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
        env=environment_with(),
    )
    assert not done.stderr, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "This was in the journal already; the same transaction ids were kept." in lines
    assert "IE      VERIFIED  Active  997" in lines
    assert "exit code 1: not all are active" in lines
    assert "exit code 3: an alert was raised" in lines
    assert sum(" #A3 " in line for line in lines) == 1
    assert any(line.startswith("RCBR 09520000777746") for line in lines)
    assert "new-pharma/obp.toml is ready: name it with --profile or OBP_PROFILE" in lines
    assert lines[-1] == "none"  # The newcomer has sent nothing yet.


def test_the_library_of_the_page_works(stand: Stand, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "obp.md").read_text()
    program = tmp_path / "upload.py"
    program.write_text(page.split("```python\n")[1].split("```", 1)[0])
    stand.obp(
        *("product", "--code", "09520000777746", "--name", "Novol 5 mg", "--common-name", "novol"),
        *("--form", "tablet", "--strength", "5 mg", "--pack-type", "blister", "--pack-size", "28"),
        *("--market", "IE"),
    )
    done = subprocess.run(  # noqa: S603 - our own page
        [sys.executable, str(program), str(stand.endpoints), "LIB1", "LIB2", "LIB3"],
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    assert done.stdout.startswith("True {'IE': 3}"), done.stdout + done.stderr


def test_a_killed_upload_goes_on_and_nothing_is_uploaded_twice(
    stand: Stand, product: str, tmp_path: Path
) -> None:
    asyncio.run(_kill_and_resume(stand, tmp_path))


async def _kill_and_resume(stand: Stand, folder: Path) -> None:
    path = serial_file(folder, 4_000)
    command = upload(path, "KILLED", "--per-message", "500")
    profile = Profile.from_endpoints(stand.endpoints)
    before = await transaction_ids(profile)
    async with FaultProxy(profile.url) as proxy:
        answered_third = asyncio.Event()

        async def lose_third(request: web.Request, count: int) -> web.Response | None:
            if request.method == "POST" and request.path.endswith("PPDM") and count == 3:
                answered_third.set()  # The hub has it; the client will never know.
                await asyncio.sleep(60)
            return None

        proxy.fault = lose_third
        variables = environment_with(OBP_ENDPOINTS=str(stand.endpoints), OBP_URL=proxy.url)
        process = await asyncio.create_subprocess_exec(
            str(OBP), *command, env=variables, stdout=subprocess.DEVNULL
        )
        async with asyncio.timeout(COMMAND_S_MAX):
            await answered_third.wait()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert len(await transaction_ids(profile) - before) == 4  # PPDC and three PPDM.

        proxy.fault = None
        code, answer = await asyncio.to_thread(stand.obp, *command, OBP_URL=proxy.url)
        assert code == 0, answer
        assert answer["resumed"] is True
        assert answer["loaded"] == {"AT": 4_000, "IE": 4_000}
        posts = [name for name in proxy.seen if name.startswith("POST")]
        assert len(posts) == 9  # Eight messages, one of them twice under the same id.
        sent = {message["transactionId"] for message in answer["messages"]}
        assert await transaction_ids(profile) - before == sent
        assert len(sent) == 8

        posted = len(proxy.seen)
        code, answer = await asyncio.to_thread(stand.obp, *command, OBP_URL=proxy.url)
        assert (code, answer["resumed"]) == (0, True)
        assert not [name for name in proxy.seen[posted:] if name.startswith("POST")]
    # Whatever is left is sent without the file, by `resume`.
    assert not list((stand.environment.data / "obp" / "bodies").iterdir())


def test_an_upload_that_is_killed_while_it_reads_is_not_taken_for_done(
    stand: Stand, product: str, tmp_path: Path
) -> None:
    command = upload(Path("-"), "READING")
    variables = environment_with(OBP_ENDPOINTS=str(stand.endpoints))
    process = subprocess.Popen(  # noqa: S603 - the command under test
        [str(OBP), *command], env=variables, stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b"A1\nA2\n")
    process.stdin.flush()
    wait_until(lambda: stand.obp("status")[1]["cutOff"], "the beginning")
    process.kill()
    process.wait()
    process.stdin.close()
    code, answer = stand.obp("resume")
    assert (code, answer["jobs"]) == (8, [])
    (title,) = answer["cutOff"]
    assert title.endswith("READING")
    path = serial_file(tmp_path, 10)
    assert stand.obp(*upload(path, "READING"))[0] == 0
    assert stand.obp("resume") == (0, {"ok": True, "jobs": [], "cutOff": [], "exitCode": 0})


def test_resume_sends_the_rest_without_the_file(stand: Stand, product: str, tmp_path: Path) -> None:
    asyncio.run(_resume(stand, tmp_path))


async def _resume(stand: Stand, folder: Path) -> None:
    proxy = FaultProxy(Profile.from_endpoints(stand.endpoints).url)
    async with proxy:
        pass  # It has a port now, on which nobody listens.
    away = {"OBP_URL": proxy.url, "OBP_GIVE_UP_S": "0.1"}
    for batch in ("AWAY1", "AWAY2"):
        path = serial_file(folder, 30)
        code, answer = await asyncio.to_thread(stand.obp, *upload(path, batch), **away)
        assert (code, answer["error"]) == (6, "UnreachableError")
        path.unlink()
    # The address is another hub's, for all the journal knows.
    assert (await asyncio.to_thread(stand.obp, "resume"))[1]["jobs"] == []
    assert (await asyncio.to_thread(stand.obp, "resume", **away))[0] == 6
    async with proxy:
        code, answer = await asyncio.to_thread(stand.obp, "resume", OBP_URL=proxy.url)
    assert code == 0, answer
    assert [job["title"][-5:] for job in answer["jobs"]] == ["AWAY1", "AWAY2"]
    assert [job["loaded"] for job in answer["jobs"]] == [{"AT": 30, "IE": 30}] * 2


def test_what_was_not_sent_can_be_forgotten(stand: Stand, product: str, tmp_path: Path) -> None:
    away = {"OBP_URL": "http://127.0.0.1:9", "OBP_GIVE_UP_S": "0.1"}
    code, answer = stand.obp(*upload(serial_file(tmp_path, 3), "FORGOTTEN"), **away)
    assert (code, "`obp resume` goes on" in answer["detail"]) == (6, True)
    body = next((stand.environment.data / "obp" / "bodies").iterdir())
    body.unlink()
    code, answer = stand.obp("resume", **away)
    assert (code, answer["error"]) == (2, "JournalError")
    assert stand.obp("resume", "--drop", **away)[1]["dropped"] == 1
    assert stand.obp("resume", **away) == (0, {"ok": True, "jobs": [], "cutOff": [], "exitCode": 0})


async def transaction_ids(profile: Profile) -> set[str]:
    async with ObpClient(profile) as client:
        return {summary.transactionId async for summary in client.requests()}


def moved(profile: Profile, url: str, journal: Path, **changes: Any) -> Profile:
    values = msgspec.structs.asdict(profile) | {"url": url, "journal": str(journal)} | changes
    return Profile(**values)


def test_a_lost_answer_is_followed_by_the_same_id_and_a_busy_hub_by_patience(
    stand: Stand, product: str, tmp_path: Path
) -> None:
    asyncio.run(_repeat(stand, tmp_path))


async def _repeat(stand: Stand, folder: Path) -> None:
    profile = Profile.from_endpoints(stand.endpoints)
    before = await transaction_ids(profile)
    async with FaultProxy(profile.url) as proxy:

        async def fail(request: web.Request, count: int) -> web.Response | None:
            if request.method != "POST":
                return None
            if count == 1:
                assert request.transport is not None
                request.transport.close()
            if count == 2:
                return web.json_response({"detail": "busy"}, status=503, headers=RETRY)
            return None

        proxy.fault = fail
        async with ObpClient(moved(profile, proxy.url, folder)) as client:
            loop = asyncio.get_running_loop()
            batch = Batch(product_code=GTIN, batch_id="REPEATED", expiry="301231")
            job = await client.prepare_upload(batch, serial_numbers(10))
            began = loop.time()
            assert await client.send(job) is None
            assert loop.time() - began >= 1.0  # What Retry-After asked for.
            assert client.repeat_count == 2
            end = await client.wait(job, timeout_s=30)
            assert end.is_done
            assert end.loaded == {"AT": 10, "IE": 10}
    assert proxy.seen.count("POST /obp/v1/PPDC") == 3
    assert len(await transaction_ids(profile) - before) == 1


RETRY = {"Retry-After": "1"}


def test_what_the_hub_finds_wrong_can_be_mended_and_sent_again(
    stand: Stand, product: str, tmp_path: Path
) -> None:
    unknown = "09520000777722"
    path = serial_file(tmp_path, 40)
    command = upload(path, "MENDED", "--per-message", "10")
    command[command.index(GTIN)] = unknown
    code, answer = stand.obp(*command)
    assert (code, answer["messageCount"], len(answer["messages"])) == (1, 4, 1)
    assert answer["messages"][0]["defects"][0]["rule"] == "unknown_product"
    document = tmp_path / "product.json"
    company = {
        "name": "A",
        "street": "S",
        "street2": "",
        "city": "C",
        "postCode": "1",
        "country": "IE",
    }
    members = {
        "productCode": unknown,
        "name": "N 5 mg",
        "commonName": "n",
        "strength": "5 mg",
        "pharmaceuticalForm": "tablet",
        "packType": "box",
        "packSize": 1,
        "markets": [{"market": "IE", "marketingAuthorisationHolder": company}],
    }
    document.write_text(json.dumps(members))
    assert stand.obp("product", str(document))[0] == 0
    code, answer = stand.obp(*command)
    assert (code, answer["loaded"]) == (0, {"IE": 40})


def test_refused_packs_are_told_one_by_one(stand: Stand, product: str, tmp_path: Path) -> None:
    path = serial_file(tmp_path, 3)
    assert stand.obp(*upload(path, "TWICE"))[0] == 0
    more = tmp_path / "more.csv"
    more.write_text("serialNumber\n" + path.read_text() + "\nNEWONE1")
    code, answer = stand.obp(*upload(more, "TWICE", "--add"))
    assert code == 1
    assert answer["loaded"] == {"AT": 1, "IE": 1}
    refused = answer["messages"][0]["markets"][0]["refusedSerials"]
    assert {one["code"] for one in refused} == {"NMVS_FE_SN_02"}
    done = stand.said(*upload(more, "TWICE", "--add"))
    assert "3 refused" in done.stdout


def test_status_as_json_lists_all_that_is_wrong(stand: Stand, product: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("".join(f"bad number {count}\n" for count in range(1_200)))
    code, answer = stand.obp(*upload(path, "BAD"), "--unchecked")
    (message,) = answer["messages"]
    assert (code, len(message["defects"]), message["defectsTruncated"]) == (1, 1_000, True)
    answer = stand.obp("status", message["transactionId"])[1]
    assert (len(answer["defects"]), answer["defectsTruncated"]) == (1_200, False)


def test_changes_verifications_and_alerts(stand: Stand, product: str, tmp_path: Path) -> None:
    path = serial_file(tmp_path, 5)
    first, *_ = path.read_text().splitlines()
    assert stand.obp(*upload(path, "CHANGED"))[0] == 0
    about = ("--product", GTIN, "--batch", "CHANGED")
    change = ("change", "decommission", *about, "--state", "Stolen", "--serials", str(path))
    assert stand.obp(*change, "--market", "IE")[0] == 0
    code, answer = stand.obp("verify", *about, first)
    assert code in {0, 1}  # One market is asked, and only one was told.
    code, answer = stand.obp("verify", *about, "NEVERSENT")
    assert code == 3
    alert_id = next(one["alertId"] for one in answer["packs"][0]["markets"] if one["alertId"])
    code, answer = stand.obp("packs", answer["messages"][0]["transactionId"])
    assert answer["packs"][0]["serialNumber"] == "NEVERSENT"
    assert stand.obp("alerts", alert_id)[1]["state"] == "Active"
    assert "[]" not in stand.said("alerts", alert_id).stdout
    decide = ("alerts", alert_id, "--set", "Under investigation", "--text", "looked at")
    assert stand.obp(*decide)[1]["state"] == "Under investigation"
    _, listed = stand.obp("alerts", "--state", "Under investigation", "--product", GTIN)
    assert [one["alert_id" if "alert_id" in one else "alertId"] for one in listed["alerts"]] == [
        alert_id
    ]
    assert stand.obp("status", "--count", "1")[0] == 0


def test_endpoints_and_notices(stand: Stand) -> None:
    def subscriptions(*arguments: str) -> dict[str, Any]:
        done = stand.said("subscriptions", *arguments, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    first = subscriptions("add", "http://127.0.0.1:9/one")["subscriptions"][0]
    assert first["isPrimary"]
    assert len(first["secret"]) >= 16
    second = subscriptions("add", "http://127.0.0.1:9/two")["subscriptions"][0]
    rolled = subscriptions("roll", second["subscriptionId"])["subscriptions"]
    assert [one["url"][-3:] for one in rolled] == ["two", "one"]
    left = subscriptions("remove", first["subscriptionId"])["subscriptions"]
    assert [one["url"][-3:] for one in left] == ["two"]
    subscriptions("remove", second["subscriptionId"])
    _, told = stand.obp("callbacks", "--type", "STDS")
    assert {
        one["message_type" if "message_type" in one else "messageType"] for one in told["notices"]
    } == {"STDS"}


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "told"),
    [
        (["status", "nonsense"], {}, 4, "no request"),
        (["status"], {"OBP_TOKEN": "wrong-token"}, 5, "token"),
        (["status"], {"OBP_URL": "http://127.0.0.1:9", "OBP_GIVE_UP_S": "0.1"}, 6, "running"),
        (
            ["upload", "--product", GTIN, "--batch", "B", "--expiry", "301231", "--serials", "no"],
            {},
            4,
            "No such",
        ),
        (["status"], {"OBP_JOURNAL": "/dev/null/x"}, 2, "OBP_JOURNAL"),
        (["status"], {"OBP_ENDPOINTS": "/nowhere"}, 2, "cannot be read"),
        (
            ["recall", "--product", GTIN, "--batch", "B", "--reason", "r", "--market", "IE"],
            {},
            2,
            "--yes",
        ),
        (["serials", "generate", "100", "--length", "2"], {}, 2, "take 5 characters"),
        (["alerts", "XX"], {}, 4, "alert"),
        (
            ["enrol", "--organisation", "1", "--client", "1", "--directory", "x"],
            {},
            2,
            "OBP_INITIAL_TOKEN",
        ),
        (["callbacks", "--redeliver", "XX"], {}, 4, "notice"),
    ],
)
def test_trouble_has_a_sentence_and_an_exit_code(
    stand: Stand, arguments: list[str], variables: dict[str, str], code: int, told: str
) -> None:
    done = stand.said(*arguments, **variables)
    assert done.exit_code == code, done.output
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_every_command_has_a_version() -> None:
    for name in ("emvs", "obp", "pharmacy"):
        done = subprocess.run(  # noqa: S603 - the command under test
            [str(OBP.with_name(name)), "--version"],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=True,
        )
        assert done.stdout.strip() == version("emvs")


def test_a_process_in_trouble_prints_a_sentence_and_no_traceback(stand: Stand) -> None:
    done = run("status", OBP_ENDPOINTS=str(stand.endpoints), OBP_TOKEN="wrong-token")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("obp: Login refused: HTTP 401")
    assert done.stderr.count("\n") == 1


def test_reports(stand: Stand, product: str, tmp_path: Path) -> None:
    path = serial_file(tmp_path, 7)
    assert stand.obp(*upload(path, "REPORTED"))[0] == 0
    about = ("--product", GTIN, "--batch", "REPORTED")
    code, answer = stand.obp("report", "reconciliation", *about)
    assert code == 0
    assert {row["market"]: (row["result"], row["held"]) for row in answer["rows"]} == {
        "AT": ("Agrees", 7),
        "IE": ("Agrees", 7),
    }
    file = tmp_path / "status.csv"
    code, answer = stand.obp("report", "batch-status", *about, "--market", "IE", "-o", str(file))
    assert code == 0
    assert (
        file.read_text().splitlines()[0].startswith("productCode") or "batchId" in file.read_text()
    )
    assert len(answer["rows"]) == 1
    _, kept = stand.obp("report")
    assert {one["reportType"] for one in kept["reports"]} >= {"RECONCILIATION", "BATCH_STATUS"}
    again = kept["reports"][-2]["reportId"]
    assert stand.obp("report", "--id", again)[1]["reportId"] == again
    assert "Agrees" in stand.said("report", "reconciliation", *about).stdout


def test_epcis_events_become_packs(stand: Stand, product: str, tmp_path: Path) -> None:
    event = {
        "type": "ObjectEvent",
        "eventTime": "2026-11-30T10:00:00Z",
        "eventTimeZoneOffset": "+01:00",
        "epcList": [
            "urn:epc:id:sgtin:9520000.077773.EPC1",
            f"https://id.gs1.org/01/{GTIN}/21/EPC2",
        ],
        "action": "ADD",
        "bizStep": "commissioning",
        "ilmd": {"cbvmda:lotNumber": "EPCIS1", "cbvmda:itemExpirationDate": "2030-12-31"},
    }
    document = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-30T10:00:00Z",
        "epcisBody": {"eventList": [event]},
    }
    path = tmp_path / "events.json"
    path.write_text(json.dumps(document))
    code, answer = stand.obp("capture", str(path))
    assert code == 0, answer
    [request] = answer["emvs:requests"]
    assert (request["messageType"], request["serialCount"]) == ("PPDC", 2)
    event["eventTimeZoneOffset"] = "1"
    path.write_text(json.dumps(document))
    code, answer = stand.obp("capture", str(path))
    assert (code, answer["success"]) == (1, False)
    assert "eventTimeZoneOffset" in str(answer["errors"])
    path.write_text("nonsense")
    assert stand.obp("capture", str(path))[0] == 4


def test_a_newcomer_enrols_resets_its_token_and_uploads(stand: Stand, tmp_path: Path) -> None:
    endpoints = stand.environment.endpoints()
    management = endpoints["hub"]["management"]
    fields = {
        "organisationId": "20002",
        "name": "New Pharma",
        "kind": "obp",
        "clientId": "001",
        "credentials": "session",
    }

    def initial_token() -> str:
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{management}/organisations", json.dumps(fields).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return str(json.load(response)["initialToken"])

    initial = initial_token()
    folder = tmp_path / "newcomer"
    enrol = [
        *(
            "enrol",
            "--url",
            endpoints["hub"]["secure"],
            "--organisation",
            "20002",
            "--client",
            "001",
        ),
        *("--directory", str(folder), "--initial-token", initial),
    ]
    done = stand.said(*enrol)
    assert done.exit_code == 2  # Nobody said that the hub's root is trusted.
    assert "--root-sha256" in done.stderr
    fingerprint = done.stderr.partition("SHA-256 ")[2].partition(";")[0]
    assert stand.said(*enrol, "--root-sha256", "00" * 32).exit_code == 2
    code, answer = stand.obp(*enrol, "--root-sha256", fingerprint)
    assert code == 0, answer
    profile = folder / "obp.toml"
    assert profile.stat().st_mode & 0o077 == 0
    assert (folder / "obp.key").stat().st_mode & 0o077 == 0
    own = {"OBP_ENDPOINTS": "", "OBP_PROFILE": str(profile)}
    before = Profile.from_file(profile, home=tmp_path).token
    assert before not in {initial, ""}
    assert stand.said(*enrol, "--root-sha256", fingerprint).exit_code == 2  # There already.
    assert stand.obp("status", **own)[1]["requests"] == []
    assert stand.obp("token", **own)[0] == 0
    after = Profile.from_file(profile, home=tmp_path)
    assert after.token != before
    assert after.token_ends_at is not None
    assert stand.obp("status", **own)[0] == 0
    code, answer = stand.obp("status", **own, OBP_TOKEN=before)
    assert (code, answer["error"]) == (5, "LoginRefusedError")
    # Another initial token ends all others: nothing but a new registration helps.
    enrol[-1] = initial_token()
    assert stand.obp("token", **own)[0] == 5
    code, answer = stand.obp(*enrol)
    assert (code, answer["profile"]) == (0, str(profile))
    assert stand.obp("status", **own)[0] == 0


def test_a_wrong_login_is_an_error_of_its_own(stand: Stand, tmp_path: Path) -> None:
    profile = Profile.from_endpoints(stand.endpoints)

    async def ask() -> None:
        other = moved(profile, profile.url, tmp_path, token="wrong-token-of-somebody")
        async with ObpClient(other) as client:
            await client.status("X" * 34)

    with pytest.raises(LoginRefusedError):
        asyncio.run(ask())
