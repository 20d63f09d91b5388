"""The SOAP dialect over HTTP on a real national system: the codes that pharmacies see."""

from __future__ import annotations

import pytest

from emvs.alerts import ALERT_ID
from nmvs.soap.catalogue import SERVICES, VERSIONS
from tests.integration.nmvs.soap_raw_client import Till
from tests.integration.running import RunningSystem, gtin

HOURS_S = 3600


@pytest.fixture
async def till(national_system: RunningSystem) -> Till:
    await national_system.register("pharmacy", 1)
    await national_system.register("pharmacy", 2)
    return Till(national_system)


@pytest.fixture
async def serials(national_system: RunningSystem) -> list[str]:
    return await national_system.load_packs(20)


async def test_a_pack_is_verified_supplied_and_undone(till: Till, serials: list[str]) -> None:
    verified = await till.ask("G110", serials[0])
    assert (verified.code, verified.state, verified.reasons) == ("SUCCESS", "ACTIVE", [])
    assert verified.texts["ExpDateNMVS"] == "2030-12-31"
    assert verified.texts["NHRN"] == "280012345678"
    assert verified.texts["IntermarketFlag"] == "false"
    assert len(verified.texts["NMVSTrxId"]) == 32
    supplied = await till.ask("G120", serials[0])
    assert (supplied.code, supplied.state) == ("SUCCESS", "INACTIVE")
    assert supplied.reasons == ["SUPPLIED"]
    verified = await till.ask("G110", serials[0])
    assert (verified.code, verified.state, verified.reasons) == (
        "SUCCESS",
        "INACTIVE",
        ["SUPPLIED"],
    )
    undone = await till.ask("G121", serials[0])
    assert (undone.code, undone.state, undone.reasons) == ("SUCCESS", "ACTIVE", [])


async def test_the_fourth_scan_at_one_pharmacy_alerts(till: Till, serials: list[str]) -> None:
    replies = [await till.ask("G120", serials[0]) for _ in range(4)]
    assert [reply.code for reply in replies] == ["SUCCESS", "NC_PCK_23", "NC_PCK_23", "NC_PCK_22"]
    assert [reply.alert_id is not None for reply in replies] == [False, False, False, True]
    assert ALERT_ID.fullmatch(replies[-1].alert_id or "")


@pytest.mark.parametrize("version", [4, 5])
async def test_another_pharmacy_alerts_at_once(
    till: Till, serials: list[str], version: int
) -> None:
    await till.ask("G120", serials[0])
    reply = await till.at(number=2, version=version).ask("G120", serials[0])
    assert reply.code == "NC_PCK_22"
    assert reply.alert_id is not None
    refused = await till.at(number=2, version=version).ask("G121", serials[0])
    assert (refused.code, refused.alert_id) == ("NC_PCK_21", None)


async def test_an_undo_of_an_active_pack_is_silent(till: Till, serials: list[str]) -> None:
    new = await till.ask("G121", serials[0])
    old = await till.at(version=4).ask("G121", serials[0])
    assert (new.code, new.alert_id, new.state) == ("NC_PCK_29", None, "ACTIVE")
    assert (old.code, old.alert_id, old.state) == ("NC_PCK_06", None, "ACTIVE")


async def test_the_undo_of_another_operation_alerts(till: Till, serials: list[str]) -> None:
    await till.ask("G120", serials[0])
    reply = await till.ask("G151", serials[0])
    assert (reply.code, reply.reasons) == ("NC_PCK_06", ["SUPPLIED"])
    assert reply.alert_id is not None


async def test_an_undo_after_ten_days_is_refused(till: Till, serials: list[str]) -> None:
    await till.ask("G120", serials[0])
    await till.running.advance_clock(241 * HOURS_S)
    reply = await till.ask("G121", serials[0])
    assert (reply.code, reply.alert_id, reply.reasons) == ("NC_PCK_20", None, ["SUPPLIED"])


async def test_the_reference_of_an_undo_must_fit(till: Till, serials: list[str]) -> None:
    await till.ask("G120", serials[0], transaction="SALE-000042")
    wrong = await till.ask("G121", serials[0], reference="SALE-000043")
    assert wrong.code == "FE_TX_05"
    right = await till.ask("G121", serials[0], reference="SALE-000042")
    assert right.code == "SUCCESS"


# What is wrong, and the code.
MISMATCHES = [
    ({"batch": "LOT2"}, "FE_LOT_13"),
    ({"expiry": "301230"}, "FE_LOT_12"),
    ({"serial": "NOBODY"}, "NC_PC_02"),
    ({"serial": "NOBODY", "batch": "LOT2"}, "FE_LOT_03"),
]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(("members", "code"), MISMATCHES)
async def test_identifiers_that_do_not_match_alert(
    till: Till, serials: list[str], members: dict[str, str], code: str, version: int
) -> None:
    asked = {"serial": serials[0], **members}
    reply = await till.at(version=version).ask("G110", **asked)
    assert (reply.code, reply.state, reply.reasons) == (code, "UNKNOWN", [])
    assert reply.alert_id is not None
    assert reply.texts["Id"] == asked.get("batch", "LOT1")
    assert "ExpDateNMVS" not in reply.texts


async def test_an_unknown_product_is_no_alert(till: Till, serials: list[str]) -> None:
    reply = await till.ask("G110", serials[0], code=gtin(4711))
    assert (reply.code, reply.alert_id, reply.state) == ("NC_PC_01", None, "UNKNOWN")


async def test_a_recalled_batch(till: Till, serials: list[str]) -> None:
    running = till.running
    await till.ask("G120", serials[1])
    await running.deliver(
        "recalls", "recall-1", productCode=running.product_code, batchId="LOT1", reason="test"
    )
    verified = await till.ask("G110", serials[0])
    assert (verified.code, verified.state, verified.reasons) == (
        "SUCCESS",
        "INACTIVE",
        ["RECALLED"],
    )
    assert (await till.ask("G110", serials[1])).reasons == ["SUPPLIED", "RECALLED"]
    refused = await till.ask("G120", serials[0])
    assert (refused.code, refused.alert_id, refused.reasons) == ("NC_PCK_30", None, ["RECALLED"])
    refused = await till.at(version=4).ask("G120", serials[0])
    assert (refused.code, refused.alert_id) == ("NC_PCK_22", None)
    refused = await till.ask("G121", serials[1])
    assert (refused.code, refused.alert_id) == ("NC_PCK_29", None)


@pytest.mark.parametrize(
    ("asked", "undo", "reason"),
    [
        ("G120", "G121", "SUPPLIED"),
        ("G150", "G151", "SAMPLE"),
        ("G160", "G161", "FREESAMPLE"),
        ("G170", "G171", "LOCKED"),
        ("G122", "G123", "SUPPLIED"),
    ],
)
async def test_what_is_decommissioned_can_be_undone(
    till: Till, serials: list[str], asked: str, undo: str, reason: str
) -> None:
    done = await till.ask(asked, serials[0])
    assert (done.code, done.reasons) == ("SUCCESS", [reason])
    undone = await till.ask(undo, serials[0])
    assert (undone.code, undone.state) == ("SUCCESS", "ACTIVE")


@pytest.mark.parametrize(
    ("asked", "reason"), [("G130", "DESTROYED"), ("G180", "STOLEN"), ("G182", "STOLEN")]
)
async def test_what_is_final(till: Till, serials: list[str], asked: str, reason: str) -> None:
    done = await till.ask(asked, serials[0])
    assert (done.code, done.reasons) == ("SUCCESS", [reason])
    undo = await till.ask("G121", serials[0])
    assert (undo.code, undo.alert_id) == ("NC_PCK_29", None)


async def test_a_manual_entry_compares_no_batch(till: Till, serials: list[str]) -> None:
    reply = await till.ask("G112", serials[0])
    assert (reply.code, reply.state) == ("SUCCESS", "ACTIVE")
    assert reply.texts["Id"] == "LOT1"


async def test_a_pharmacy_may_not_export_and_a_wholesaler_may(
    till: Till, serials: list[str]
) -> None:
    refused = await till.ask("G140", serials[0])
    assert (refused.code, refused.state) == ("FE_AU_15", "UNKNOWN")
    await till.running.register("wholesaler", 7)
    exported = await till.at(number=7, kind="wholesaler").ask("G140", serials[0])
    assert (exported.code, exported.reasons) == ("SUCCESS", ["EXPORTED"])


@pytest.mark.parametrize("members", [{"password": "Demo-Pass-2"}, {"number": 99}])
async def test_a_wrong_login_is_refused_before_anything_else(
    till: Till, members: dict[str, object]
) -> None:
    for _ in range(2):
        reply = await till.at(**members).ask("G110", "S1", code="123")
        assert (reply.code, reply.state) == ("FE_AU_01", None)
    assert (await till.ask("G110", "S1", code="123")).code == "FE_GR_01"


async def test_each_defect_is_reported_before_the_next(till: Till) -> None:
    """Each row mends one fault of the row above it."""
    asked = {"serial": "S 1", "code": "123", "expiry": "310230"}
    stranger = till.at(number=99)
    assert (await stranger.ask("G140", **asked)).code == "TE_XM_02"
    asked["serial"] = "S1"
    assert (await stranger.ask("G140", **asked)).code == "FE_AU_01"
    assert (await till.ask("G140", **asked)).code == "FE_AU_15"
    assert (await till.ask("G110", **asked)).code == "FE_GR_01"
    asked["code"] = till.running.product_code
    refused = await till.ask("G110", **asked)
    assert (refused.code, refused.state) == ("FE_LOT_07", "UNKNOWN")
    asked["expiry"] = "310228"
    assert (await till.ask("G110", **asked)).code == "NC_PC_01"


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("text/xml; charset=utf-8", {}),
        ("text/xml", {"SOAPAction": '"urn:G120Dispense"'}),
        ('application/soap+xml; charset=utf-8; action="urn:G120Dispense"', {}),
        ("application/octet-stream", {}),
        ("nonsense", {}),
    ],
)
@pytest.mark.parametrize(
    "path", ["/WS_SUPPORT_V1/SupportServiceV10", "/ws_single_transactions_v1/x?y=z", "/WS_"]
)
async def test_path_action_and_content_type_do_not_matter(
    till: Till, serials: list[str], path: str, content_type: str, headers: dict[str, str]
) -> None:
    message = till.message("G110", serials[0])
    reply = await till.send(message, path=path, content_type=content_type, **headers)
    assert (reply.name, reply.code) == ("G110Response", "SUCCESS")


@pytest.mark.parametrize("name", ["SinglePackPing", "BulkPing", "SupportPing"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_pings_need_no_login(till: Till, name: str, version: int) -> None:
    message = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        f'<{name}Request xmlns="urn:wsdltypes.nmvs.eu:v{version}.0">'
        f'<Input xmlns="urn:types.nmvs.eu:v{version}.0">&lt;hello&gt;</Input></{name}Request>'
        "</s:Body></s:Envelope>"
    )
    reply = await till.send(message.encode())
    assert (reply.name, reply.texts) == (f"{name}Response", {"Output": "<hello>"})


async def test_definitions_name_the_address_that_was_used(till: Till) -> None:
    running = till.running
    for service in SERVICES.values():
        path = f"/{service.context}/{service.path_stem}V50"
        async with running.http.get(f"{running.service}{path}?wsdl") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
            assert f'location="{running.service}{path}"' in await response.text()
    url = f"{running.service}/WS_SUPPORT_V1/SupportServiceV50?wsdl"
    async with running.http.get(url, headers={"Host": "nmvs.example:1234"}) as response:
        assert 'location="http://nmvs.example:1234/WS_SUPPORT' in await response.text()


async def test_other_requests_are_told_where_the_definitions_are(till: Till) -> None:
    running = till.running
    async with running.http.get(f"{running.service}/WS_SUPPORT_V1/x?wsdl") as response:
        assert response.status == 404
        assert "SinglePackServiceV50?wsdl" in await response.text()
    async with running.http.put(f"{running.service}/WS_SUPPORT_V1/x") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD, POST"
