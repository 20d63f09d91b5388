"""An independent SOAP client builds itself from our WSDL and works."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
import zeep

from emvs.states import Operation
from nmvs.soap.catalogue import OPERATIONS, SERVICES, VERSIONS, Shape
from tests.integration.nmvs.soap_account_client import manage
from tests.integration.nmvs.soap_raw_client import Till
from tests.integration.running import RunningSystem

LOGIN = {
    "client_login_id": "DISTRIBUTOR00001",
    "user_id": "USER0001",
    "password": "Demo-Pass-1",
}


@pytest.fixture
async def running(national_system: RunningSystem) -> RunningSystem:
    await national_system.register("pharmacy", 1)
    return national_system


async def client(running: RunningSystem, path: str) -> zeep.Client:
    """Return a client of the service at `path`; it is synchronous, so it works in threads."""
    return await asyncio.to_thread(zeep.Client, f"{running.service}/{path}?wsdl")


def request(running: RunningSystem, serial: str, **more: Any) -> dict[str, Any]:
    return {
        "Header": {
            "Auth": {
                "ClientLoginId": "PHARMACY00001",
                "UserId": "USER0001",
                "Password": "Demo-Pass-1",
            },
            "UserSoftware": {"name": "zeep", "supplier": "s", "version": "4"},
            "Transaction": {"ClientTrxId": "SALE-000001", "Language": "eng"},
        },
        "Body": {
            "Product": {
                "ProductCode": {"_value_1": running.product_code, "scheme": "GTIN"},
                "Batch": {"Id": running.batch_id, "ExpDate": running.expiry},
            },
            "Pack": {"sn": serial},
            **more,
        },
    }


@pytest.mark.parametrize("version", VERSIONS)
async def test_zeep_works_with_our_definitions(running: RunningSystem, version: int) -> None:
    (serial,) = await running.load_packs(1)
    path = f"WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV{version}0"
    service = (await client(running, path)).service

    async def ask(operation: str, **more: Any) -> Any:
        asked = request(running, serial, **more)
        return await asyncio.to_thread(service[operation], **asked)

    verified = await ask("G110Verify")
    assert verified.Body.ReturnCode.code == "NMVS_SUCCESS"
    assert verified.Body.Pack.state == "ACTIVE"
    assert verified.Body.Product.Batch.ExpDateNMVS.isoformat() == "2030-12-31"
    assert verified.Header.Transaction.Timestamp.tzinfo is not None
    supplied = await ask("G120Dispense")
    assert (supplied.Body.Pack.state, supplied.Body.Pack.Reason) == ("INACTIVE", ["SUPPLIED"])
    undone = await ask("G121UndoDispense", RefClientTrxId="SALE-000001")
    assert undone.Body.ReturnCode.code == "NMVS_SUCCESS"
    silent = await ask("G121UndoDispense")
    twin = "NMVS_NC_PCK_29" if version == 5 else "NMVS_NC_PCK_06"
    assert silent.Body.ReturnCode.code == twin
    assert (version > 2) == hasattr(silent.Body.ReturnCode, "alertId")
    assert getattr(silent.Body.ReturnCode, "alertId", None) is None
    assert await asyncio.to_thread(service.PingSinglePack, Input="a & b") == "a & b"


@pytest.mark.parametrize("version", VERSIONS)
async def test_zeep_performs_every_single_pack_operation(
    national_system: RunningSystem, version: int
) -> None:
    running = national_system
    await running.register("parallel_distributor", 1, soap=LOGIN)
    serials = iter(await running.load_packs(20))
    path = f"WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV{version}0"
    service = (await client(running, path)).service
    offered = {
        row.wsdl_name: row
        for row in OPERATIONS
        if row.service is SERVICES["single"] and version in row.version_numbers
    }
    assert set(dir(service)) >= set(offered)
    done = {}
    for wsdl_name, row in offered.items():
        if row.operation is None or row.operation.is_undo:
            continue
        serial = done[row.operation] = next(serials)
        answer = await ask(service, running, wsdl_name, row.shape, serial)
        assert answer.Body.ReturnCode.code == "NMVS_SUCCESS", (wsdl_name, answer)
    for wsdl_name, row in offered.items():
        if row.operation is None or not row.operation.is_undo:
            continue
        serial = done[Operation(row.operation - 10)]
        if row.shape is Shape.UNDO_MANUAL:  # What it undoes was undone before.
            await ask(service, running, "G120Dispense", Shape.PACK, serial)
        answer = await ask(service, running, wsdl_name, row.shape, serial)
        is_possible = row.operation not in (Operation.UNDO_DESTROY, Operation.UNDO_STOLEN)
        code = "NMVS_SUCCESS" if is_possible else "NMVS_NC_PCK_06"
        assert answer.Body.ReturnCode.code == code, (wsdl_name, answer)
        assert answer.Body.Pack.state == ("ACTIVE" if is_possible else "INACTIVE")


async def ask(
    service: Any, running: RunningSystem, wsdl_name: str, shape: Shape, serial: str
) -> Any:
    asked = request(running, serial)
    asked["Header"]["Auth"]["ClientLoginId"] = LOGIN["client_login_id"]
    if shape in (Shape.MANUAL, Shape.UNDO_MANUAL):
        del asked["Body"]["Product"]["Batch"]
    return await asyncio.to_thread(service[wsdl_name], **asked)


@pytest.mark.parametrize("version", VERSIONS)
async def test_zeep_reads_replies_that_hold_a_return_code_alone(
    running: RunningSystem, version: int
) -> None:
    path = f"WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV{version}0"
    service = (await client(running, path)).service
    refused = request(running, "A1")
    refused["Header"]["Auth"]["Password"] = "Wrong-Pass-1"
    answer = await asyncio.to_thread(service.G110Verify, **refused)
    assert answer.Body.ReturnCode.code == "NMVS_FE_AU_01"
    assert answer.Body.Product is None
    malformed = request(running, "A1")
    malformed["Header"]["Transaction"]["ClientTrxId"] = 33 * "c"
    answer = await asyncio.to_thread(service.G110Verify, **malformed)
    assert answer.Body.ReturnCode.code == "NMVS_TE_XM_02"
    assert "ClientTrxId" in answer.Body.ReturnCode.desc


async def test_zeep_pings_support(running: RunningSystem) -> None:
    service = (await client(running, "WS_SUPPORT_V1/SupportServiceV50")).service
    assert await asyncio.to_thread(service.PingSupport, Input="hello") == "hello"


async def test_zeep_raises_the_fault_of_a_message_without_an_operation(
    running: RunningSystem,
) -> None:
    service = (await client(running, "WS_SUPPORT_V1/SupportServiceV50")).service
    with pytest.raises(zeep.exceptions.Fault, match="NMVS_TE_XM_02"):
        await asyncio.to_thread(service.PingSupport, Input=200 * "x")
    assert (await Till(running).ask("G110", "S1")).code == "NC_PC_01"


@pytest.mark.parametrize("version", VERSIONS)
async def test_zeep_changes_password_and_accepts_terms(
    running: RunningSystem, version: int
) -> None:
    service = (await client(running, f"WS_SUPPORT_V1/SupportServiceV{version}0")).service
    header = request(running, "A1")["Header"]

    async def ask(operation: str, **body: Any) -> Any:
        asked = {"Header": header, **({"Body": body} if body else {})}
        return await asyncio.to_thread(service[operation], **asked)

    terms = {"text": "Be kind.", "starts_at": "2020-01-01T00:00:00Z"}
    await manage(running, "PUT", "/terms/7", **terms, accept_by="2020-02-01T00:00:00Z")
    loaded = await ask("G482LoadTermsAndConditions")
    assert loaded.Body.ReturnCode.code == "NMVS_SUCCESS"
    assert (int(loaded.Body.TermsAndConditions.Version), loaded.Body.TermsAndConditions.Text) == (
        7,
        "Be kind.",
    )
    assert loaded.Body.TermsAndConditions.AcceptedByUser is False
    confirmed = await ask("G483ConfirmTermsAndConditions", Version=7)
    assert confirmed.Body.ReturnCode.code == "NMVS_SUCCESS"
    changed = await ask("G445ChangePassword", Password="Demo-Pass-1", NewPassword="Demo-Pass-2")
    assert changed.Body.ReturnCode.code == "NMVS_SUCCESS"
    again = await ask("G482LoadTermsAndConditions")
    (notification,) = again.Header.Notification
    assert notification.notificationCode == "NMVS_NOTIFY_AU_01"
    assert again.Body.TermsAndConditions.AcceptedByUser is True


@pytest.mark.parametrize("version", VERSIONS)
async def test_zeep_fetches_a_certificate(running: RunningSystem, version: int) -> None:
    issued = await manage(
        running, "POST", "/certificates", 201, client_login_id="PHARMACY00001", kind="good"
    )
    service = (await client(running, f"WS_PKI_V1/PkiServiceV{version}0")).service
    header = request(running, "A1")["Header"]
    fetched = await asyncio.to_thread(
        service.G615DownloadCertificate, Header=header, Body={"Tan": issued["tan"]}
    )
    assert fetched.Body.ReturnCode.code == "NMVS_SUCCESS"
    assert fetched.Body.Cert.name == "PHARMACY00001.USER0001.p12"
    assert fetched.Body.Cert.passphrase == issued["passphrase"]
    assert fetched.Body.Cert._value_1 == base64.b64decode(issued["package"])
    refused = await asyncio.to_thread(
        service.G615DownloadCertificate, Header=header, Body={"Tan": ""}
    )
    assert (refused.Body.ReturnCode.code, refused.Body.Cert) == ("NMVS_FE_PKI_06", None)
    assert await asyncio.to_thread(service.PingPki, Input="hello") == "hello"
