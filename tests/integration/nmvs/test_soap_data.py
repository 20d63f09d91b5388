"""Master data and packs for tests over real HTTP: every reply held against our schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
from lxml import etree

from emvs.infra.database import Database
from emvs.infra.embedded_postgres import EmbeddedPostgres
from nmvs.catalogue import Catalogue
from nmvs.master_data import MasterData
from nmvs.soap.interface import Interface, OpenNames
from nmvs.soap.reader import STRANGE_BYTES_MAX
from nmvs.soap.schema import compile_schemas
from tests.integration.conftest import StartSystem, shared_system
from tests.integration.nmvs.soap_account_client import User, manage
from tests.integration.nmvs.soap_raw_client import SOAP, Till
from tests.integration.running import RunningSystem, gtin

MASTER = "/WS_MASTER_DATA_V1/MasterDataServiceV50"
_SCHEMAS = compile_schemas()
_OTHER_NAMES = Interface(OpenNames(master_data="G299", master_data_page="Page"))
CODES = sorted(gtin(number) for number in range(7001, 7006))
WHOLESALERS = [
    {"name": "Big & <Fast>\x01", "id": "W1", "street": "Road 1", "street2": "Yard", "city": "Cork"}
    | {"postCode": "T12", "country": "IE"},
    {"name": "Small"},
]


@dataclass
class Data:
    """What a reply says; it fits the schema."""

    code: str
    described: tuple[str, str]
    pages: tuple[int, int] | None = None
    products: list[dict[str, Any]] = field(default_factory=list)
    serials: list[str] = field(default_factory=list)


def texts(element: Any) -> dict[str, str]:
    return {etree.QName(each).localname: each.text or "" for each in element}


def read(body: bytes, schemas: Mapping[int, etree.XMLSchema] = _SCHEMAS) -> Data:
    (content,) = etree.fromstring(body).find(f"{SOAP}Body")  # type: ignore[union-attr]
    version = int(body[body.index(b"types.nmvs.eu:v") + 15 :][:1])
    assert schemas[version].validate(content), schemas[version].error_log
    types = f"{{urn:types.nmvs.eu:v{version}.0}}"
    code = content.find(f".//{types}ReturnCode")
    data = Data(
        code.get(f"{types}code").removeprefix("NMVS_"),
        (code.get(f"{types}desc", ""), code.get(f"{types}sub_desc", "")),
    )
    pagination = content.find(f".//{types}PaginationData")
    if pagination is not None:
        data.pages = int(pagination[0].text), int(pagination[1].text)
    for product in content.iter(f"{types}Product"):
        data.products.append(
            texts(product) | {"Wholesalers": [texts(each) for each in product[-1]]}
        )
    data.serials = [pack.get(f"{types}sn") for pack in content.iter(f"{types}Pack")]
    return data


async def ask(user: User, name: str, body: str = "", path: str = MASTER) -> Data:
    message, running = user.message(name, body), user.running
    async with running.http.post(f"{running.service}{path}", data=message) as response:
        assert response.status == 200
        return read(await response.read())


async def download(
    user: User, codes: list[str] | tuple[str, ...] = (), page: int | None = None
) -> Data:
    listed = "\n".join(
        f'<t:ProductCode t:scheme="{"GTIN" if len(code) == 14 else "PPN"}">{code}</t:ProductCode>'
        for code in codes
    )
    number = "" if page is None else f"<t:PageNumber>{page}</t:PageNumber>"
    body = f"<t:Body><t:ProductCodeList>{listed}</t:ProductCodeList>{number}</t:Body>"
    return await ask(user, "G201", body)


async def deliver(running: RunningSystem, code: str, **members: Any) -> None:
    await running.deliver(
        "products",
        f"product-{code}",
        scheme="GTIN",
        productCode=code,
        version=1,
        name=f"Examplol {code[-3:]}",
        commonName="examplol",
        **members,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def user(postgres: EmbeddedPostgres) -> AsyncIterator[User]:
    settings = {"master_data_page_products": 2}
    async with shared_system(postgres.dsn("emvs"), "soap_data", "AT", soap=settings) as running:
        await running.register("pharmacy", 1)
        for code in CODES[1:]:
            await deliver(running, code, nationalCode="1234567", holderName="Holder")
        await deliver(
            running, CODES[0], holderId="MAH7", holderName="Säle & Co", wholesalers=WHOLESALERS
        )
        yield User(running)


@pytest.mark.asyncio(loop_scope="module")
async def test_everything_comes_in_pages(user: User) -> None:
    pages = [await download(user, page=number) for number in (1, 2, 3)]
    assert [page.pages for page in pages] == 3 * [(3, 5)]
    assert [each["ProductCode"] for page in pages for each in page.products] == CODES
    first, second = pages[0].products
    assert (first["Name"], first["MahId"], first["MahName"]) == (
        *("Examplol " + CODES[0][-3:], "MAH7"),
        "Säle & Co",
    )
    assert "NHRN" not in first
    assert first["Wholesalers"] == [
        {"ID": "W1", "Name": "Big & <Fast>", "Street": "Road 1", "Street2": "Yard"}
        | {"City": "Cork", "Postcode": "T12", "CountryCode": "IE"},
        {"Name": "Small"},
    ]
    assert (second["NHRN"], second["Wholesalers"]) == ("1234567", [])
    assert await download(user) == pages[0]
    assert await download(User(user.running, version=4)) == pages[0]
    for page in (0, -1, 4, 999_999_999):
        assert (await download(user, page=page)).code == "NC_PC_16"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_list_of_codes_is_answered_with_what_is_known(user: User) -> None:
    found = await download(user, [CODES[4], gtin(1), CODES[0], CODES[4], CODES[2]])
    assert (found.code, found.pages) == ("SUCCESS", (2, 3))
    assert [each["ProductCode"] for each in found.products] == [CODES[0], CODES[2]]
    second = await download(user, [CODES[4], gtin(1), CODES[0], CODES[2]], 2)
    assert [each["ProductCode"] for each in second.products] == [CODES[4]]
    assert (await download(user, CODES, 4)).code == "NC_PC_16"
    assert (await download(user, [gtin(1)])).code == "NC_PC_06"
    assert (await download(user, [CODES[0][:-1] + "x"])).code == "FE_GR_01"
    assert (await download(user, [CODES[0]] * 1_000)).pages == (1, 1)
    assert (await download(user, [CODES[0]] * 1_001)).code == "TE_XM_02"


@pytest.mark.asyncio(loop_scope="module")
async def test_master_data_are_told_to_those_with_a_login(user: User) -> None:
    stranger = User(user.running, password="Wrong-Pass-1")
    assert (await download(stranger)).code == "FE_AU_01"
    assert (await download(stranger, [CODES[0]] * 1_000)).code == "FE_AU_01"
    ping = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        b'<w:MasterDataPingRequest xmlns:w="urn:wsdltypes.nmvs.eu:v5.0"'
        b' xmlns:t="urn:types.nmvs.eu:v5.0"><t:Input>hello</t:Input></w:MasterDataPingRequest>'
        b"</s:Body></s:Envelope>"
    )
    reply = await Till(user.running).send(ping, path=MASTER)
    assert (reply.name, reply.texts["Output"]) == ("MasterDataPingResponse", "hello")


async def test_an_empty_market_has_an_empty_page(start_system: StartSystem) -> None:
    running = await start_system("AT", soap={"master_data": "G299", "master_data_page": "Page"})
    await running.register("pharmacy", 1)
    body = "<t:Body><t:ProductCodeList/><t:Page>1</t:Page></t:Body>"
    message = User(running).message("G299", body)
    async with running.http.post(f"{running.service}{MASTER}", data=message) as response:
        empty = read(await response.read(), compile_schemas(_OTHER_NAMES))
    assert (empty.code, empty.pages, empty.products) == ("SUCCESS", (0, 0), [])


async def test_packs_for_tests_are_active_and_nobody_elses(start_system: StartSystem) -> None:
    running = await start_system("AT", soap={"test_packs_per_day_max": 130})
    for number in (1, 2):
        await running.register("pharmacy", number)
    first = User(running)
    second = User(running, "Demo-Pass-2", "USER0002", "PHARMACY00002")
    handed = await asyncio.gather(
        ask(first, "G901"),
        ask(first, "G901", "<t:Body><t:Count>100</t:Count></t:Body>"),
        ask(second, "G901", "<t:Body/>"),
    )
    serials = [serial for each in handed for serial in each.serials]
    assert [len(each.serials) for each in handed] == [10, 100, 10]
    assert len(set(serials)) == 120
    what = handed[0].described[1]  # "GTIN ..., batch ..., expiry ..."
    code, batch, expiry = [part.split()[1] for part in what.split(", ")]
    for serial in (handed[0].serials[0], handed[2].serials[0]):
        told = {"code": code, "batch": batch, "expiry": expiry}
        supplied = await Till(running).ask("G120", serial, **told)
        assert (supplied.code, supplied.reasons) == ("SUCCESS", ["SUPPLIED"])
    assert len((await ask(first, "G901", "<t:Body><t:Count>20</t:Count></t:Body>")).serials) == 20
    for name in (first, first):
        refused = await ask(name, "G901", "<t:Body><t:Count>1</t:Count></t:Body>")
        assert (refused.code, refused.serials) == ("TE_TX_03", [])
    assert len((await ask(second, "G901")).serials) == 10
    assert (await ask(second, "G901", "<t:Body><t:Count>101</t:Count></t:Body>")).code == "TE_XM_02"
    await running.stop()
    running = await start_system("AT", soap={"test_packs_per_day_max": 130})
    assert (await ask(User(running), "G901")).code == "TE_TX_03"
    await running.advance_clock(86_400)
    assert len((await ask(User(running), "G901")).serials) == 10


async def test_who_asks_for_more_packs_than_a_day_has_may_ask_for_fewer(
    start_system: StartSystem,
) -> None:
    running = await start_system("AT", soap={"test_packs_per_day_max": 5})
    await running.register("pharmacy", 1)
    user = User(running)
    assert (await ask(user, "G901")).code == "TE_TX_03"
    for _ in range(5):
        assert len((await ask(user, "G901", "<t:Body><t:Count>1</t:Count></t:Body>")).serials) == 1
    assert (await ask(user, "G901", "<t:Body><t:Count>1</t:Count></t:Body>")).code == "TE_TX_03"


async def test_what_is_no_sandbox_hands_out_no_packs(start_system: StartSystem) -> None:
    running = await start_system("AT", soap={"sandbox": False})
    await running.register("pharmacy", 1)
    reply = await Till(running).send(User(running).message("G901", ""))
    assert (reply.name, reply.code) == ("Fault", "TE_XM_02")


async def test_who_asks_too_often_is_told_so_and_nobody_else(
    start_system: StartSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"requests_per_s": 0.001, "burst": 3}
    running = await start_system("AT", soap={"rate_plan": plan})
    for number in (1, 2):
        await running.register("pharmacy", number)
    user = User(running)
    assert [await User(running, "Wrong-Pass-1").code() for _ in range(3)] == 3 * ["FE_AU_01"]
    no_right = await Till(running).ask("G140", "S1")  # Pharmacies may not export.
    assert no_right.code == "FE_AU_15"
    codes = [await user.code(), (await user.ask("G482")).code, (await download(user)).code]
    assert codes == ["NC_PC_01", "NC_PMS_24", "SUCCESS"]
    assert (await user.code(), (await user.ask("G482")).code) == 2 * ("FI_SE_CLI_01",)
    assert (await download(user)).code == "FI_SE_CLI_01"
    assert await User(running, version=4).code() == "TE_IF_01"
    assert await User(running, "Demo-Pass-2", "USER0002", "PHARMACY00002").code() == "NC_PC_01"
    await running.advance_clock(1_000)
    assert [await user.code(), await user.code()] == ["NC_PC_01", "FI_SE_CLI_01"]
    assert "nmvs_throttled 5.0" in await metrics(running)
    # Nobody is kept waiting as strangers are, however large what is refused.
    large = f"<t:Body>{' ' * 100_000}<t:ProductCodeList/></t:Body>"
    for _ in range(STRANGE_BYTES_MAX // 100_000 + 1):
        assert (await ask(user, "G201", large)).code == "FI_SE_CLI_01"
    assert "soap_reads_apart" not in capsys.readouterr().out


async def metrics(running: RunningSystem) -> str:
    async with running.http.get(f"{running.management}/metrics") as response:
        return await response.text()


async def test_what_takes_too_long_is_broken_off(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running = await start_system("AT", soap={"answer_s_max": 0.3})
    await running.register("pharmacy", 1)
    user = User(running)
    await manage(
        running,
        "PUT",
        "/terms/1",
        text="Be kind.",
        starts_at="2020-01-01T00:00:00Z",
        accept_by="2100-01-01T00:00:00Z",
    )
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_at"})
    try:
        async with connection.transaction():
            await connection.execute("lock table product")
            assert (await download(user)).code == "TI_TO_01"
            await connection.execute("lock table terms_acceptance, soap_login")
            assert await user.confirm(1) == "TI_TO_01"
    finally:
        await connection.close()
    assert await user.confirm(1) == "SUCCESS"
    assert (await download(user)).code == "SUCCESS"


_MANY_WHOLESALERS = """
insert into product (product_code, scheme, version, name, common_name, wholesalers)
select lpad(n::text, 14, '0'), 'GTIN', 1, 'Examplol', 'examplol', coalesce(
  (select jsonb_agg(jsonb_build_object('name', lpad(w::text, 50, '-')))
   from generate_series(1, 500) w where n % 5 = 0), '[]')
from generate_series(1, 400) n
"""


async def test_products_with_many_wholesalers_are_read_a_few_at_a_time(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    await start_system("AT")
    database = Database(dsn, f"{schema_name}_at")
    await database.open()
    try:
        await database.pool.execute(_MANY_WHOLESALERS)
        master_data = MasterData(database, Catalogue(ZoneInfo("UTC")))
        every = [f"{number:014}" for number in range(1, 401)]
        for expected, slices in (
            (every, master_data.all()),
            (every[37:337], master_data.all(37, 300)),
            (every[::2], master_data.of_codes([*every[::2], gtin(1)])),
            ([], master_data.of_codes([gtin(1)])),
            ([], master_data.all(400, 10)),
        ):
            codes: list[str] = []
            async for products in slices:
                codes += [each.product_code for each in products]
                told = [len(each.wholesalers) for each in products]
                assert max(told) <= 100
                assert sum(told) <= 1_000  # Some 60 bytes each.
            assert codes == expected
    finally:
        await database.close()
