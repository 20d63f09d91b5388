"""PHP's SoapClient, which shares no code with ours or zeep's, builds itself from our WSDL and
works: over TLS, with a client certificate, on the ports of the real systems.

It needs Debian's php-cli and php-soap; without them it is skipped, and says so.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.launch.client_certificates import open_package
from nmvs.config import TlsConfig
from nmvs.soap.catalogue import OPERATIONS, SERVICES, VERSIONS, Shape
from nmvs.soap.ports import SERVICE_PORTS
from tests.integration.conftest import shared_system
from tests.integration.nmvs.certificate_desk import Desk
from tests.integration.nmvs.soap_account_client import manage
from tests.integration.running import RunningSystem, gtin

_PHP: Final = shutil.which("php")
_SCRIPT: Final = Path(__file__).with_name("soap_client.php")
_ANSWER_S_MAX: Final = 60
_LINE_BYTES_MAX: Final = 16 * 1024 * 1024


def _missing() -> str | None:
    if _PHP is None:
        return "php"
    modules = subprocess.run(  # noqa: S603 - our own words.
        [_PHP, "-m"], capture_output=True, text=True, timeout=30, check=False
    )
    return None if "soap" in modules.stdout.split() else "php's soap extension"


_IS_MISSING: Final = _missing()
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        _IS_MISSING is not None,
        reason=f"NO SECOND SOAP STACK WAS TRIED: {_IS_MISSING} is missing"
        " (Debian: apt-get install php-cli php-soap)",
    ),
]
_numbers: Final = itertools.count(1)
"""Of wholesalers and their products."""


@dataclass
class PhpTill:
    """A program in PHP with one login, and what it asks."""

    process: asyncio.subprocess.Process
    running: RunningSystem
    certificate: str
    authority: str
    client: str
    user: str
    password: str
    version: int = 5

    def wsdl(self, name: str) -> str:
        """Return the address of a service's definitions at its own port."""
        service = next(port.service for port in SERVICE_PORTS if port.name == name)
        base = f"https://localhost:{self.running.ports[f'soap_{name}']}"
        return f"{base}{service.path(VERSIONS[self.version])}?wsdl"

    async def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Have an operation called; return what PHP makes of it."""
        asked = {
            "wsdl": self.wsdl(service),
            "certificate": "" if service == "pki" else self.certificate,
            "authority": self.authority,
            "operation": operation,
            "arguments": arguments,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(_ANSWER_S_MAX):
            line = await self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, service: str, operation: str, **body: Any) -> dict[str, Any]:
        """Ask with a login; return the reply."""
        answer = await self.call(
            service, operation, Header=self.header(), **({"Body": body} if body else {})
        )
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def header(self) -> dict[str, Any]:
        return {
            "Auth": {
                "ClientLoginId": self.client,
                "UserId": self.user,
                "Password": self.password,
            },
            "UserSoftware": {"name": "PHP", "supplier": "P & H", "version": "8"},
            "Transaction": {"ClientTrxId": "SALE-000001", "Language": "eng"},
        }

    def product(self, *, batch: bool = True) -> dict[str, Any]:
        code = {"ProductCode": {"_": self.running.product_code, "scheme": "GTIN"}}
        if not batch:
            return code
        return code | {"Batch": {"Id": self.running.batch_id, "ExpDate": self.running.expiry}}

    async def one(
        self, operation: str, serial: str, *, batch: bool = True, **more: Any
    ) -> dict[str, Any]:
        """Ask about one pack; return the body of the reply."""
        asked = {"Product": self.product(batch=batch), "Pack": {"sn": serial}, **more}
        body: dict[str, Any] = (await self.ask("single", operation, **asked))["Body"]
        return body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(postgres: EmbeddedPostgres) -> AsyncIterator[RunningSystem]:
    tls, rules = TlsConfig(soap_ports=0), {"pharmacy_may_export": True}
    async with shared_system(
        postgres.dsn("emvs"), "soap_php", "AT", tls=tls, rules=rules
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def php() -> AsyncIterator[asyncio.subprocess.Process]:
    assert _PHP is not None
    process = await asyncio.create_subprocess_exec(
        _PHP,
        str(_SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES_MAX,
    )
    yield process
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0


@pytest_asyncio.fixture(loop_scope="module")
async def till(system: RunningSystem, php: asyncio.subprocess.Process, tmp_path: Path) -> PhpTill:
    """Of a wholesaler of the test's own, with a product that no other test meets."""
    number = next(_numbers)
    running = replace(system, product_code=gtin(number))
    login: dict[str, str] = (await running.register("wholesaler", number))["soap"]
    issued = await Desk(running, tmp_path).issue(client=login["client_login_id"])
    certificate, authority = tmp_path / "client.pem", tmp_path / "root.pem"
    certificate.write_bytes(open_package(issued))
    authority.write_text(issued["root_pem"])
    return PhpTill(
        php,
        running,
        str(certificate),
        str(authority),
        client=login["client_login_id"],
        user=login["user_id"],
        password=login["password"],
    )


def code_of(body: dict[str, Any]) -> str:
    code: str = body["ReturnCode"]["code"].removeprefix("NMVS_")
    return code


@pytest.mark.parametrize("version", VERSIONS)
async def test_php_finds_every_operation_in_our_definitions(till: PhpTill, version: int) -> None:
    till.version = version
    for name, service in SERVICES.items():
        found = (await till.call(name, ""))["result"]
        assert {line.split("(")[0].split()[-1] for line in found} == {
            row.wsdl_name
            for row in OPERATIONS
            if row.service is service and version in row.version_numbers
        }


EXPECTED = {
    "VERIFY": "ACTIVE",
    "SUPPLY": "SUPPLIED",
    "DESTROY": "DESTROYED",
    "EXPORT": "EXPORTED",
    "SAMPLE": "SAMPLE",
    "FREE_SAMPLE": "FREESAMPLE",
    "LOCK": "LOCKED",
    "STOLEN": "STOLEN",
}


@pytest.mark.parametrize("version", VERSIONS)
async def test_php_works_with_every_operation_on_one_pack(till: PhpTill, version: int) -> None:
    till.version = version
    rows = [
        row
        for row in OPERATIONS
        if row.service is SERVICES["single"] and version in row.version_numbers
    ]
    serials = iter(await till.running.load_packs(len(rows)))
    for row in rows:
        if row.shape is Shape.PING:
            answer = await till.call("single", row.wsdl_name, Input="a & ü")
            assert answer["result"] == {"Output": "a & ü"}
            continue
        serial, batch = next(serials), row.shape in (Shape.PACK, Shape.UNDO)
        assert row.operation is not None
        done = row.operation.name
        if done.startswith("UNDO_"):
            first = next(
                each
                for each in rows
                if each.operation is not None
                and each.operation.name == done.removeprefix("UNDO_")
                and each.shape is Shape.PACK
            )
            assert code_of(await till.one(first.wsdl_name, serial)) == "SUCCESS"
            body = await till.one(row.wsdl_name, serial, batch=batch, RefClientTrxId="SALE-000001")
            # Version 2 can ask for these two; no pack may come back from there.
            is_possible = done not in ("UNDO_DESTROY", "UNDO_STOLEN")
            expected = ("SUCCESS", "ACTIVE") if is_possible else ("NC_PCK_06", "INACTIVE")
            assert (code_of(body), body["Pack"]["state"]) == expected, row.name
            continue
        body = await till.one(row.wsdl_name, serial, batch=batch)
        if code_of(body) == "FE_AU_15":
            assert done == "SAMPLE", "an authority's"
            continue
        assert code_of(body) == "SUCCESS", row.name
        state = body["Pack"].get("Reason", [body["Pack"]["state"]])
        assert (body["Pack"]["sn"], state) == (serial, [EXPECTED[done]])
        assert body["Product"]["Batch"]["ExpDateNMVS"] == "2030-12-31"


@pytest.mark.parametrize("version", VERSIONS)
async def test_php_reads_refusals_and_faults(till: PhpTill, version: int) -> None:
    till.version = version
    (serial,) = await till.running.load_packs(1)
    body = await till.one("G110Verify", "NOSUCHPACK1")
    assert code_of(body) == "NC_PC_02"
    assert ("alertId" in body["ReturnCode"]) is VERSIONS[version].has_alert_ids
    good, till.password = till.password, "Wrong-Pass-1"
    assert code_of(await till.one("G110Verify", serial)) == "FE_AU_01"
    till.password = good
    till.client = "PHARMACY00001"
    assert code_of(await till.one("G110Verify", serial)) == "FE_PKI_06"
    till.certificate = ""
    refused = await till.call("single", "PingSinglePack", Input="x")
    assert "Forbidden" in refused["fault"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_php_sends_bulks_and_reads_their_results(till: PhpTill, version: int) -> None:
    till.version = version
    serials = await till.running.load_packs(600)
    packs = {"Pack": [{"sn": serial} for serial in serials]}

    async def result(service: str, operation: str, ticket: str) -> dict[str, Any]:
        async with asyncio.timeout(_ANSWER_S_MAX):
            while True:
                reply = await till.ask(service, operation, RefNMVSTrxId=ticket)
                if code_of(reply["Body"]) != "FE_TX_02":
                    return reply
                await asyncio.sleep(0.05)

    async def submit(service: str, operation: str, **body: Any) -> str:
        reply = await till.ask(service, operation, **body)
        assert code_of(reply["Body"]) == "SUCCESS"
        ticket: str = reply["Header"]["Transaction"]["NMVSTrxId"]
        return ticket

    assert (await till.call("bulk", "PingBulk", Input="x"))["result"] == {"Output": "x"}
    assert (await till.call("mixed", "PingMixedBulk", Input="x"))["result"] == {"Output": "x"}
    exported = await submit("bulk", "G145BulkExport", Product=till.product(), Packs=packs)
    listed = (await till.ask("bulk", "G101RequestBulkIds"))["Body"]
    assert [each["NMVSTrxId"] for each in listed["BulkTransactionList"]["Transaction"]] == [
        exported
    ]
    reply = await result("bulk", "G188RequestBulkPackResult", exported)
    assert reply["Header"]["Transaction"]["ReqType"] == "G145"
    assert [pack["sn"] for pack in reply["Body"]["Packs"]["Pack"]] == serials
    assert {(pack["state"], *pack["Reason"]) for pack in reply["Body"]["Packs"]["Pack"]} == {
        ("INACTIVE", "EXPORTED")
    }
    undone = await submit(
        "bulk",
        "G147BulkUndoExport",
        Product=till.product(),
        Packs=packs,
        RefClientTrxId="SALE-000001",
    )
    packs_after = (await result("bulk", "G188RequestBulkPackResult", undone))["Body"]["Packs"]
    assert {code_of(pack) for pack in packs_after["Pack"]} == {"SUCCESS"}
    transaction = {"ClientTrxId": "ITEM-000001", "Language": "deu"}
    item = {"Product": till.product(), "Transaction": transaction}
    items = [
        {"Item": {**item, "Pack": {"sn": serials[0]}, "reqType": "G110"}},
        {"Item": {**item, "Pack": {"sn": serials[0]}, "reqType": "G130"}},
        {"ItemMan": {**item, "Product": till.product(batch=False), "Pack": {"sn": serials[1]}}},
    ]
    items[2]["ItemMan"]["reqType"] = "G182"
    mixed = await submit("mixed", "G195SubmitBulkTransaction", TrxList={"TrxItem": items})
    reply = await result("mixed", "G196RequestBulkTransactionResult", mixed)
    worked = reply["Body"]["TrxList"]["TrxItem"]
    assert [(each["reqType"], code_of(each["Pack"])) for each in worked] == [
        ("G110", "SUCCESS"),
        ("G130", "SUCCESS"),
        ("G182", "SUCCESS"),
    ]
    assert worked[0]["Transaction"]["Language"] == "deu"


@pytest.mark.parametrize("version", VERSIONS)
async def test_php_uses_support_pki_and_master_data(till: PhpTill, version: int) -> None:
    till.version = version
    running = till.running
    terms = {"text": "Be kind.", "starts_at": "2020-01-01T00:00:00Z"}
    await manage(running, "PUT", "/terms/7", **terms, accept_by="2100-01-01T00:00:00Z")
    loaded = (await till.ask("support", "G482LoadTermsAndConditions"))["Body"]
    assert loaded["TermsAndConditions"]["Text"] == "Be kind."
    assert loaded["TermsAndConditions"]["AcceptedByUser"] is False
    confirmed = await till.ask("support", "G483ConfirmTermsAndConditions", Version=7)
    assert code_of(confirmed["Body"]) == "SUCCESS"
    changed = await till.ask(
        "support", "G445ChangePassword", Password=till.password, NewPassword="New-Pass-12"
    )
    assert code_of(changed["Body"]) == "SUCCESS"
    again = await till.ask("support", "G482LoadTermsAndConditions")
    (notification,) = again["Header"]["Notification"]
    assert notification["notificationCode"] == "NMVS_NOTIFY_AU_01"
    till.password = "New-Pass-12"
    issued = await manage(
        running, "POST", "/certificates", 201, client_login_id=till.client, kind="good"
    )
    fetched = (await till.ask("pki", "G615DownloadCertificate", Tan=issued["tan"]))["Body"]
    assert fetched["Cert"]["passphrase"] == issued["passphrase"]
    assert fetched["Cert"]["_"] == f"base64:{issued['package']}"
    none_waits = (await till.ask("pki_with_certificate", "G615DownloadCertificate"))["Body"]
    assert code_of(none_waits) == "FE_PKI_07"
    await running.deliver(
        "products",
        "p1",
        scheme="GTIN",
        productCode=gtin(7001),
        version=1,
        name="Säle",
        commonName="x",
        holderName="Holder",
        wholesalers=[{"name": "Big", "city": "Cork"}],
    )
    asked = {"ProductCode": [{"_": gtin(7001), "scheme": "GTIN"}]}
    body = (await till.ask("master", "G201DownloadMasterData", ProductCodeList=asked))["Body"]
    (product,) = body["ProductList"]["Product"]
    assert (product["ProductCode"]["_"], product["Name"], product["MahName"]) == (
        gtin(7001),
        "Säle",
        "Holder",
    )
    everything = await till.ask("master", "G201DownloadMasterData", ProductCodeList={})
    assert gtin(7001) in {
        each["ProductCode"]["_"] for each in everything["Body"]["ProductList"]["Product"]
    }
    handed = await till.ask("support", "G901RequestTestData")
    assert len(handed["TransactionData"]["Packs"]["Pack"]) == 10
