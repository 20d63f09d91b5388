"""The interface described by itself, and an independent client made from the description."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nmvs.rest.messages import PackAnswer
from nmvs.rest.openapi import PREFIXES
from tests.integration.clients import RestTill
from tests.integration.nmvs.report_client import ReportClient
from tests.integration.nmvs.rest_raw_client import RawConnection
from tests.integration.running import RunningSystem

EXCLUDED_CHECKS = (
    # What no schema can say (a check digit, a time of at most 31 days) is refused with 422.
    "positive_data_acceptance",
    # Clients in use take themselves offline on 405: another method is no such call, 404.
    "unsupported_method",
    "allow_header_conformance",
)
SUITE_S = 5
BENCH_S = 120


def references(node: Any) -> set[str]:
    """Return all references in a document."""
    if isinstance(node, dict):
        found = {node["$ref"]} if "$ref" in node else set()
        return found.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


async def test_the_interface_is_described_under_every_prefix_without_a_token(
    national_system: RunningSystem,
) -> None:
    async with RawConnection(national_system.ports["service"]) as connection:
        for prefix in PREFIXES:
            answer = await connection.ask("GET", f"{prefix}/openapi.json")
            assert answer.status == 200
            document = answer.members
            assert document["openapi"] == "3.1.0"
            assert document["servers"][0]["url"] == (prefix or "/")
            for reference in references(document):
                assert reference.rpartition("/")[2] in document["components"]["schemas"]
            operations = {
                operation["operationId"]
                for methods in document["paths"].values()
                for operation in methods.values()
            }
            assert {"verifyPack", "changePack", "getToken", "getReport", "getAlerts"} <= operations
            page = await connection.ask("GET", f"{prefix}/Docs/")
            assert page.status == 200
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            text = page.body.decode()
            for operation_id in operations:
                assert f'id="{operation_id}"' in text
            assert "src=" not in text
            assert "http:" not in text
            assert "https:" not in text
        assert (await connection.ask("POST", "/docs")).status == 404


async def test_programs_that_make_clients_can_tell_all_names_apart(
    national_system: RunningSystem,
) -> None:
    """They make a class of each schema and a member of each property, without signs and blanks."""
    async with RawConnection(national_system.ports["service"]) as connection:
        document = (await connection.ask("GET", "/openapi.json")).members
        schemas = document["components"]["schemas"]
        for names in (schemas, *(schema.get("properties", {}) for schema in schemas.values())):
            plain = [re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower()) for name in names]
            assert len(set(plain)) == len(plain), sorted(names)
        assert "report Type Id" in schemas["ReportRequest"]["properties"]
        for template, methods in document["paths"].items():
            for operation in methods.values():
                if "security" not in operation:
                    assert {"401", "403"} <= set(operation["responses"]), template
                    sent = {parameter["name"] for parameter in operation["parameters"]}
                    assert {"Accept-Language", "connector-location-id"} <= sent, template
                elif "get" in methods:
                    answer = await connection.ask("GET", template)
                    name = operation["responses"]["200"]["content"]["application/json"]["schema"]
                    described = schemas[name["$ref"].rpartition("/")[2]]["properties"]
                    assert set(answer.members) == set(described), template


async def test_what_is_answered_about_packs_is_what_is_described(
    national_system: RunningSystem,
) -> None:
    running = national_system
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    path = f"/verification/product/gs1/{running.product_code}/pack"
    query = f"?batch=LOT1&expiry={running.expiry}"
    headers = (f"Authorization: Bearer {till._token}", "emvs-data-entry-mode: non-manual")
    statuses = []
    async with RawConnection(running.ports["service"]) as connection:
        for method, name, body in (
            ("GET", serial, None),
            ("PATCH", serial, b'{"state":"Supplied"}'),
            ("PATCH", serial, b'{"state":"Destroyed"}'),
            ("GET", "Unknown1", None),
            ("PATCH", serial, b"{}"),
        ):
            answer = await connection.ask(method, f"{path}/{name}{query}", *headers, body=body)
            # The type forbids members that it does not name.
            assert msgspec.json.decode(answer.body, type=PackAnswer).operation_code == answer.code
            statuses.append(answer.status)
    assert statuses == [200, 200, 409, 404, 422]


async def run_schemathesis(
    running: RunningSystem, client: ReportClient, folder: Path, *options: str, config: str = ""
) -> None:
    """Run the program against a system; fail with what it says if it is not content."""
    beside = Path(sys.executable).parent
    program = shutil.which("schemathesis", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("schemathesis is not installed: it is in the dependency group dev")
    settings = folder / "schemathesis.toml"
    settings.write_text(config)
    process = await asyncio.create_subprocess_exec(
        program,
        *("--config-file", str(settings)),
        *("run", f"{running.service}/verification/openapi.json"),
        *("--header", f"Authorization: {client.headers['Authorization']}"),
        *("--exclude-checks", ",".join(EXCLUDED_CHECKS)),
        *("--generation-database", "none", "--no-color", "--request-timeout", "10"),
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()


async def prepared(running: RunningSystem) -> tuple[ReportClient, str]:
    """Return a client that may do everything, and the settings that name a pack there is."""
    (serial,) = await running.load_packs(1)
    nmvo = await ReportClient.of(running, "nmvo", 9)
    url = f"{running.management}/product-data-rights/Nmvo%209"
    async with running.http.put(url, json={"granted": True}) as response:
        assert response.status == 200
    pack = {
        "path.scheme": "gs1",
        "path.productCode": running.product_code,
        "path.serialNumber": serial,
        "query.batch": running.batch_id,
        "query.expiry": running.expiry,
    }
    lines = [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in pack.items()]
    return nmvo, "\n".join(["[parameters]", *lines])


async def test_an_independent_client_finds_the_description_true(
    national_system: RunningSystem, tmp_path: Path
) -> None:
    client, a_pack = await prepared(national_system)
    real_pack = ("--include-tag", "Single packs", "--phases", "fuzzing", "--max-examples", "8")
    await run_schemathesis(national_system, client, tmp_path, *real_pack, config=a_pack)
    limits = ("--max-time", str(SUITE_S), "--phases", "coverage,fuzzing,stateful")
    await run_schemathesis(national_system, client, tmp_path, *limits)


@pytest.mark.bench
@pytest.mark.timeout(BENCH_S + 300)
async def test_an_independent_client_finds_it_true_for_long(
    national_system: RunningSystem, tmp_path: Path
) -> None:
    client, a_pack = await prepared(national_system)
    limits = ("--max-time", str(BENCH_S // 2), "--continue-on-failure")
    await run_schemathesis(national_system, client, tmp_path, *limits, config=a_pack)
    await run_schemathesis(national_system, client, tmp_path, *limits)
