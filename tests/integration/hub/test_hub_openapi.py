"""The OpenAPI document of the hub: complete, sound, and what real answers look like."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import schemathesis

from hub.openapi import CALLS, openapi_document
from hub.uploads import MESSAGE_KINDS
from tests.integration.hub.stand import StartStand, packs, product


def schema(document: dict[str, Any], method: str, path: str, status: str) -> dict[str, Any]:
    """Return the JSON schema of an answer, able to resolve what it refers to."""
    content = document["paths"][path][method]["responses"][status]["content"]
    found = content.get("application/json", content.get("application/problem+json"))["schema"]
    return {**found, "components": document["components"]}


async def test_every_path_that_is_served_is_described(start_stand: StartStand) -> None:
    stand = await start_stand()
    app = stand.hub._sites["public"]._runner.app  # type: ignore[attr-defined]
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource.canonical.startswith("/obp/")
    }
    served -= {("POST", "/obp/v1/{message_type}"), ("GET", "/obp/v1/{message_type}")}
    served |= {("POST", f"/obp/v1/{message_type}") for message_type in MESSAGE_KINDS}
    assert {(call.method, call.path) for call in CALLS} == served
    async with stand.http.get(f"{stand.hub.url}/openapi.json") as response:
        assert await response.json() == openapi_document()


def test_the_document_is_sound() -> None:
    document = openapi_document()
    loaded = schemathesis.openapi.from_dict(document)
    operations = list(loaded.get_all_operations())
    assert len(operations) == len(CALLS)
    assert {operation.ok().path for operation in operations} == set(document["paths"])


async def test_real_answers_are_as_described(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, document = stand.obp, openapi_document()

    def check(method: str, path: str, status: int, answer: Any) -> None:
        jsonschema_rs.validate(schema(document, method, path, str(status)), answer)

    for message_type, message in (("PMDR", product("IE")), ("PPDC", packs(["S1", "S1", "?"]))):
        sent = {"transactionId": obp.transaction_id(message_type), **message}
        jsonschema_rs.validate(
            {
                **document["paths"][f"/obp/v1/{message_type}"]["post"]["requestBody"]["content"][
                    "application/json"
                ]["schema"],
                "components": document["components"],
            },
            sent,
        )
        status, answer, _ = await obp.post(message_type, sent)
        check("post", f"/obp/v1/{message_type}", status, answer)
        ended = await obp.ended(sent["transactionId"])
        check("get", "/obp/v1/requests/{transaction_id}", 200, ended)
    status, answer = await obp.get("requests")
    check("get", "/obp/v1/requests", status, answer)
    status, answer, _ = await obp.post("PPDC", b"{}")
    check("post", "/obp/v1/PPDC", status, answer)
    asked = {"transactionId": obp.transaction_id("RPRQ"), "reportType": "PRODUCT_STATUS"}
    status, report, _ = await obp.post("RPRQ", asked)
    check("post", "/obp/v1/RPRQ", status, report)
    status, answer = await obp.get(f"reports/{report['reportId']}")
    check("get", "/obp/v1/reports/{report_id}", status, answer)
    account = {"transactionId": obp.transaction_id("ORGR"), "name": "Example"}
    status, answer, _ = await obp.post("ORGR", account)
    check("post", "/obp/v1/ORGR", status, answer)
