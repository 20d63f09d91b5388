"""Product data in bulk: our own call, for organisations that have the right to it."""

from __future__ import annotations

import msgspec

from nmvs.rest.product_data_calls import ProductData
from tests.integration.nmvs.report_client import ReportClient
from tests.integration.running import RunningSystem, gtin


async def grant(running: RunningSystem, organisation: str, *, granted: bool = True) -> None:
    """Give an organisation the right, or take it."""
    url = f"{running.management}/product-data-rights/{organisation}"
    async with running.http.put(url, json={"granted": granted}) as response:
        assert response.status == 200, await response.text()


async def test_product_data_are_asked_for_and_fetched(national_system: RunningSystem) -> None:
    codes = sorted(gtin(number) for number in (7001, 7002, 7003))
    for code in codes:
        await national_system.load_packs(1, product_code=code)
    pharmacy = await ReportClient.of(national_system, "pharmacy", 1)
    refused = await pharmacy.ask("POST", "/product/data", {})
    assert (refused.status, refused.members["operationCode"]) == (403, "30020000")
    await grant(national_system, "Pharmacy 1")
    url = f"{national_system.management}/product-data-rights/Pharmcy%201"
    async with national_system.http.put(url, json={"granted": True}) as misspelt:
        assert misspelt.status == 404

    async def fetched(body: object) -> ProductData:
        accepted = await pharmacy.ask("POST", "/product/data", body)
        assert (accepted.status, accepted.members["operationCode"]) == (200, "14000000"), accepted
        response = await pharmacy.until_ready(accepted.headers["Location"])
        assert response.status == 200
        return msgspec.json.decode(await response.read(), type=ProductData)

    everything = await fetched({})
    assert everything.operation_code == "14100000"
    assert [product.product_code for product in everything.products] == codes
    assert everything.products[0].nhrn == "280012345678"
    one = await fetched({"productCodes": codes[1:2]})
    assert [product.product_code for product in one.products] == codes[1:2]
    unknown = await pharmacy.ask("POST", "/product/data", {"productCodes": [gtin(1)]})
    assert (unknown.status, unknown.members["operationCode"]) == (404, "44020001")
    assert unknown.members["productCodes"] == [gtin(1)]
    await grant(national_system, "Pharmacy 1", granted=False)
    assert (await pharmacy.ask("POST", "/product/data", {})).status == 403
