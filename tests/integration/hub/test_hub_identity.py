"""On-boarding at the hub: tokens by the clock, certificates by signing request, accounts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hub.app import Hub
from hub.config import HubConfig
from hub.identity.settings import IdentityConfig
from tests.integration.hub.stand import (
    CODE,
    Obp,
    Stand,
    StartStand,
    hub_settings,
    product,
    register,
)

DAY_S = 86_400


def signing_request(key: Any) -> str:
    """Return a signing request made as a manufacturer makes one; its subject means nothing."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whoever asks")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def client_context(root_pem: str, folder: Any, certificate: str | None, key: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=root_pem)
    if certificate is not None:
        file = folder / "client.pem"
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_text(certificate + pem.decode())
        context.load_cert_chain(file)
    return context


async def newcomer(stand: Stand, **changes: str) -> tuple[Obp, dict[str, Any]]:
    """Register an organisation with an initial token; return its client and the answer."""
    registration = {
        "organisationId": "20002",
        "name": "New Pharma",
        "kind": "obp",
        "clientId": "001",
        "credentials": "session",
    } | changes
    status, answer = await stand.manage("POST", "/organisations", **registration)
    assert status == 200, answer
    obp = Obp(
        stand.hub.url,
        stand.http,
        registration["organisationId"],
        registration["clientId"],
        answer["initialToken"],
        "M" if registration["kind"] == "obp" else "D",
    )
    return obp, answer


async def say(obp: Obp, message_type: str, **members: Any) -> tuple[int, dict[str, Any]]:
    message = {"transactionId": obp.transaction_id(message_type)} | members
    status, answer, _ = await obp.post(message_type, message)
    return status, answer


async def test_an_initial_token_registers_and_nothing_else(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, answer = await newcomer(stand)
    assert set(answer) >= {"initialToken", "endsAt"}
    assert "token" not in answer
    status, refused = await obp.get("requests")
    assert (status, refused["detail"]) == (
        403,
        "this is an initial token: register it first, with RGST",
    )
    message = {"transactionId": obp.transaction_id("RGST")}
    status, first, _ = await obp.post("RGST", message)
    assert status == 200, first
    # The answer was lost: the same request, with the token that is used up, is answered the same.
    assert (await obp.post("RGST", message))[:2] == (200, first)
    status, other = await say(obp, "RGST")
    assert (status, other["detail"]) == (401, "the token was replaced by another one")
    obp.token = first["sessionToken"]
    assert (await obp.product("IE", code="09520000777777"))["status"] == "STDS"


async def test_tokens_end_after_a_day(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    late, _ = await newcomer(stand)
    obp, _ = await newcomer(stand, organisationId="30003")
    _, session = await say(obp, "RGST")
    obp.token = session["sessionToken"]
    await stand.manage("POST", "/clock", advance_s=DAY_S - 60)
    assert (await obp.get("requests"))[0] == 200
    message = {"transactionId": obp.transaction_id("RSST")}
    status, reset, _ = await obp.post("RSST", message)
    assert status == 200, reset
    assert (await obp.post("RSST", message))[1] == reset
    assert (await obp.get("requests"))[0] == 401
    obp.token = reset["sessionToken"]
    await stand.manage("POST", "/clock", advance_s=120)
    assert (await obp.get("requests"))[0] == 200
    status, refused = await say(late, "RGST")
    assert status == 401
    assert "ask for a new one" in refused["detail"]
    status, fresh = await stand.manage("POST", "/organisations/20002/clients/001/initial-token")
    assert status == 200
    late.token = fresh["initialToken"]
    assert (await say(late, "RGST"))[0] == 200
    await stand.manage("POST", "/clock", advance_s=DAY_S)
    status, refused = await say(obp, "RSST")
    assert status == 401
    assert "TLS" in refused["detail"]


async def test_sessions_and_their_authority_survive_a_restart(
    dsn: str, schema_name: str, http: aiohttp.ClientSession
) -> None:
    config = HubConfig(**hub_settings(dsn, schema_name, {}))
    async with Hub(config) as hub:
        await register(http, hub.management)
        obp, _ = await newcomer(Stand(hub, {}, Obp(hub.url, http), http))
        _, session = await say(obp, "RGST")
        root = hub.identity.certificates.authority.root_pem
    async with Hub(config) as hub:
        obp.url, obp.token = hub.url, session["sessionToken"]
        assert (await obp.get("requests"))[0] == 200
        assert hub.identity.certificates.authority.root_pem == root


@pytest.fixture
async def tls(start_stand: StartStand, tmp_path: Any) -> AsyncIterator[tuple[Stand, Any]]:
    """A stand, and what opens a manufacturer's client at its TLS port."""
    stand = await start_stand("IE")
    async with AsyncExitStack() as exits:

        async def connect(obp: Obp, certificate: str | None, key: Any) -> Obp:
            async with stand.http.get(f"{stand.hub.url}/obp/v1/certificate-authority") as response:
                root = await response.text()
            context = client_context(root, tmp_path, certificate, key)
            session = await exits.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
            )
            assert stand.hub.tls_url is not None
            return Obp(
                stand.hub.tls_url,
                session,
                obp.organisation_id,
                obp.client_id,
                obp.token,
                numbers=obp.numbers,
            )

        yield stand, connect


async def test_a_certificate_comes_by_signing_request(tls: tuple[Stand, Any]) -> None:
    stand, connect = tls
    obp, _ = await newcomer(stand)
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = {"certificateRequest": signing_request(key)}
    status, issued, _ = await obp.post("certificates", wanted)
    assert status == 201, issued
    assert (await obp.post("certificates", wanted))[1] == issued
    secure = await connect(obp, issued["certificate"], key)
    status, session = await say(secure, "RGST")
    assert status == 200, session
    secure.token = session["sessionToken"]
    assert (await secure.product("IE", code="09520000777777"))["status"] == "STDS"
    # Two days later the token has ended, the certificate has not: it may reset.
    await stand.manage("POST", "/clock", advance_s=2 * DAY_S)
    assert (await secure.get("requests"))[0] == 401
    status, session = await say(secure, "RSST")
    assert status == 200, session
    secure.token = session["sessionToken"]
    assert (await secure.get("requests"))[0] == 200
    # Another client's token does not go with this certificate.
    secure.token = stand.obp.token
    status, refused = await secure.get("requests")
    assert (status, refused["detail"]) == (
        403,
        "the client certificate is another client's than the token",
    )
    secure.token = session["sessionToken"]
    path = f"/organisations/20002/clients/001/certificates/{issued['fingerprint']}"
    status, revoked = await stand.manage("DELETE", path)
    assert (status, revoked["status"]) == (200, "Revoked")
    status, refused = await secure.get("requests")
    assert status == 403
    assert "revoked" in refused["detail"]


async def test_without_a_certificate_only_the_first_one_can_be_fetched(
    tls: tuple[Stand, Any],
) -> None:
    stand, connect = tls
    obp, _ = await newcomer(stand)
    bare = await connect(obp, None, None)
    status, refused = await bare.get("requests")
    assert (status, refused["detail"]) == (403, "a client certificate is wanted")
    key = rsa.generate_private_key(65537, 2048)
    status, issued, _ = await bare.post(
        "certificates", {"certificateRequest": signing_request(key)}
    )
    assert status == 201, issued
    ends = x509.load_pem_x509_certificate(issued["certificate"].encode())
    assert ends.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "20002001"
    await stand.manage("POST", "/clock", advance_s=731 * DAY_S)
    secure = await connect(obp, issued["certificate"], key)
    status, refused = await secure.get("requests")
    assert status == 403
    assert "ended" in refused["detail"]


async def test_a_foreign_certificate_fails_in_the_handshake(tls: tuple[Stand, Any]) -> None:
    stand, connect = tls
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "10001001")])
    now = stand.hub.clock.real_now()
    foreign = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=now.year + 1, day=1))
        .sign(key, hashes.SHA256())
    )
    pem = foreign.public_bytes(serialization.Encoding.PEM).decode()
    secure = await connect(stand.obp, pem, key)
    with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
        await secure.get("requests")


async def test_signing_requests_that_are_none(start_stand: StartStand) -> None:
    stand = await start_stand()
    begin, end = (f"-----{word} CERTIFICATE REQUEST-----" for word in ("BEGIN", "END"))
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point.
    for text, told in (
        ("", "PKCS#10"),
        (f"{begin}\nAAAA\n{end}", "PKCS#10"),
        (signing_request(weak), "2048"),
        (signing_request(ec.generate_private_key(ec.SECP256K1())), "P-256"),
    ):
        status, answer, _ = await stand.obp.post("certificates", {"certificateRequest": text})
        assert status == 400
        assert told in answer["detail"]


async def test_an_organisation_keeps_its_clients_itself(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    message = {
        "transactionId": obp.transaction_id("CLIR"),
        "clientId": "002",
        "action": "create",
        "name": "Plant in Cork",
    }
    status, made, _ = await obp.post("CLIR", message)
    assert status == 200, made
    assert (await obp.post("CLIR", message))[1] == made
    assert (await obp.post("CLIR", message | {"clientId": "003"}))[0] == 409
    second = Obp(obp.url, obp.http, client_id="002", token=made["initialToken"])
    _, session = await say(second, "RGST")
    second.token = session["sessionToken"]
    assert (await second.product("IE"))["status"] == "STDS"
    status, answer = await say(obp, "CLIR", clientId="002", action="suspend")
    assert (status, answer["status"]) == (200, "Suspended")
    status, refused = await second.get("requests")
    assert (status, refused["detail"]) == (403, "client 10001/002 is suspended")
    assert (await say(second, "RSST"))[0] == 403
    assert (await say(obp, "CLIR", clientId="002", action="resume"))[0] == 200
    assert (await second.get("requests"))[0] == 200
    assert (await say(second, "CLIR", clientId="002", action="suspend"))[0] == 409
    assert (await say(obp, "CLIR", clientId="004", action="suspend"))[0] == 404
    assert (await say(obp, "CLIR", clientId="x", action="create"))[0] == 400
    status, listed = await stand.manage("GET", "/organisations")
    assert [(one["clientId"], one["status"]) for one in listed["clients"]] == [
        ("001", "Active"),
        ("002", "Active"),
    ]


async def test_an_account_names_the_holders_it_uploads_for(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    status, account = await say(
        obp,
        "ORGR",
        name="Example Pharma Group",
        contactEmail="fmd@example.com",
        marketingAuthorisationHolders=["Other Holder Ltd"],
    )
    assert (status, account["marketingAuthorisationHolders"]) == (200, ["Other Holder Ltd"])
    assert (await obp.get("organisation"))[1] == account
    ended = await obp.product("IE")
    assert [(one["rule"], one["field"]) for one in ended["defects"]] == [
        ("other_holder", "markets[0].marketingAuthorisationHolder.name")
    ]
    message = product("IE")
    message["markets"][0]["marketingAuthorisationHolder"] = {
        **message["markets"][0]["marketingAuthorisationHolder"],
        "name": "OTHER HOLDER Ltd",
    }
    assert (await obp.ended(await obp.send("PMDR", **message)))["status"] == "STDS"
    assert message["productCode"] == CODE
    assert (await say(obp, "ORGR", name="", contactEmail="x"))[0] == 400


async def test_tokens_without_end_and_plain_http_can_be_closed(
    dsn: str, schema_name: str, http: aiohttp.ClientSession
) -> None:
    settings = hub_settings(dsn, schema_name, {})
    async with Hub(HubConfig(**settings)) as hub:
        await register(http, hub.management)
    strict = IdentityConfig(tokens_without_end=False, certificate_required=True)
    exempt = msgspec.structs.replace(strict, exempt_client="10001/001")
    async with Hub(HubConfig(**settings, identity=exempt)) as hub:
        await register(http, hub.management)
        assert (await Obp(hub.url, http).get("requests"))[0] == 200
    async with Hub(HubConfig(**settings, identity=strict)) as hub:
        obp = Obp(hub.url, http)
        stand = Stand(hub, {}, obp, http)
        status, refused = await obp.get("requests")
        assert status == 403
        assert "TLS" in refused["detail"]
        key = ec.generate_private_key(ec.SECP256R1())
        wanted = {"certificateRequest": signing_request(key)}
        assert (await obp.post("certificates", wanted))[0] == 401
        beginner, _ = await newcomer(stand)
        assert (await beginner.post("certificates", wanted))[0] == 201


async def test_a_request_for_a_token_that_comes_twice_at_once_is_answered_with_one(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    obp, _ = await newcomer(stand)
    message = {"transactionId": obp.transaction_id("RGST")}
    answers = await asyncio.gather(*(obp.post("RGST", message) for _ in range(8)))
    assert [answer[:2] for answer in answers] == [answers[0][:2]] * 8
    obp.token = answers[0][1]["sessionToken"]
    assert (await obp.get("requests"))[0] == 200

    # Eight different requests with one token: one of them gets a session, and keeps it.
    resets = await asyncio.gather(*(say(obp, "RSST") for _ in range(8)))
    assert sorted(status for status, _ in resets) == [200] + [401] * 7
    obp.token = next(answer["sessionToken"] for status, answer in resets if status == 200)
    assert (await obp.get("requests"))[0] == 200


async def test_tokens_of_a_client_that_resets_in_a_loop_are_bounded(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    obp, _ = await newcomer(stand)
    _, session = await say(obp, "RGST")
    for _ in range(60):
        obp.token = session["sessionToken"]
        _, session = await say(obp, "RSST")
    count = await stand.hub.database.pool.fetchval("select count(*) from session_token")
    assert count <= 51
    obp.token = session["sessionToken"]
    assert (await obp.get("requests"))[0] == 200


async def test_a_token_alone_makes_no_second_certificate_where_one_is_required(
    dsn: str, schema_name: str, http: aiohttp.ClientSession
) -> None:
    settings = hub_settings(dsn, schema_name, {})
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    wanted = [{"certificateRequest": signing_request(key)} for key in keys]
    async with Hub(HubConfig(**settings)) as hub:
        obp, _ = await newcomer(Stand(hub, {}, Obp(hub.url, http), http))
        # A request that comes twice at once gets one certificate.
        issued = await asyncio.gather(*(obp.post("certificates", wanted[0]) for _ in range(4)))
        assert len({answer["fingerprint"] for _, answer, _ in issued}) == 1
        _, session = await say(obp, "RGST")
    strict = IdentityConfig(certificate_required=True)
    async with Hub(HubConfig(**settings, identity=strict)) as hub:
        obp.url, obp.token = hub.url, session["sessionToken"]
        status, refused, _ = await obp.post("certificates", wanted[1])
        assert (status, "initial token" in refused["detail"]) == (403, True)
        url = f"{hub.management}/organisations/20002/clients/001/initial-token"
        async with http.post(url) as response:
            obp.token = (await response.json())["initialToken"]
        assert (await obp.post("certificates", wanted[2]))[0] == 201
