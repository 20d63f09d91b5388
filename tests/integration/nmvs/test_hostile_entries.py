"""Whatever a message holds, its entry cannot spoil the group of others in the ledger."""

from __future__ import annotations

from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

REQUEST_IDS = ("\0", "a\0b", "x" * 100_000, "", '"),(', "a b", "\\", "{}", "\U0001f48a", "a\n")


async def test_another_markets_request_is_named_by_what_can_be_recorded(
    national_system: RunningSystem,
) -> None:
    (serial,) = await national_system.load_packs(1)
    message = {
        "market": "AT",
        "operation": "VERIFY",
        "scheme": "GTIN",
        "productCode": national_system.product_code,
        "serialNumber": serial,
        "batchId": national_system.batch_id,
        "expiry": national_system.expiry,
        "manual": False,
        "location": 3,
        "role": "pharmacy",
    }
    url = f"http://127.0.0.1:{national_system.ports['interconnect']}/hub/v1/intermarket"
    headers = {"Authorization": f"Bearer {INTERCONNECT_TOKEN}"}
    for request_id, status in (*((wrong, 400) for wrong in REQUEST_IDS), ("0a-Z", 200)):
        body = message | {"requestId": request_id}
        async with national_system.http.post(url, json=body, headers=headers) as response:
            assert response.status == status, request_id
    async with national_system.http.get(f"{national_system.management}/metrics") as response:
        assert "nmvs_ledger_failures 0.0" in (await response.text())
