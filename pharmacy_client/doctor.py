"""Examining a till's connection: one check after the other, and what to do about each.

Nothing is changed: addresses are resolved, a connection opened, the login looked at by a request
that needs no right.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from emvs.markets import Dialect
from emvs.scan import GS1_DATA_MATRIX, ScanError, parse_scan
from pharmacy_client.client import PharmacyClient
from pharmacy_client.doctor_checks import Check, Verdict
from pharmacy_client.doctor_clock import Clock, check_clock, deciding_clock, machine_clock
from pharmacy_client.errors import LoginRefusedError, PharmacyClientError
from pharmacy_client.exchange import HttpReply, HttpRequest, Transport
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.profile import Profile
from pharmacy_client.queue_entries import Standing
from pharmacy_client.soap_account import SoapAccount
from pharmacy_client.transport import AiohttpTransport
from pharmacy_client.upkeep import certificate_end

_SOON: Final = timedelta(days=60)


class _Listening:
    """A transport that remembers which clocks the system's replies told."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.machine: Clock | None = None
        self.deciding: Clock | None = None

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send, and look at the clocks."""
        reply = await self._transport.send(request)
        self.machine = machine_clock(reply)
        self.deciding = deciding_clock(reply)
        return reply

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


async def examine(profile: Profile, queue: OfflineQueue | None = None) -> AsyncIterator[Check]:
    """Yield the checks as they are made. One that has failed ends those that build on it."""
    yield Check("profile", Verdict.OK, f"{profile.source}: {profile.dialect}, {profile.url}")
    if profile.certificate is not None:
        yield _check_certificate(profile)
    connection = await _check_connection(profile)
    yield connection
    if connection.verdict is not Verdict.FAILED:
        if urlsplit(profile.url).scheme == "https":
            yield await asyncio.to_thread(_check_tls, profile)
        transport = _Listening(AiohttpTransport(profile))
        try:
            yield await _check_login(profile, transport)
            yield check_clock(transport.machine, transport.deciding, datetime.now(UTC))
        finally:
            await transport.close()
    if profile.next_password is not None:
        yield Check(
            "password",
            Verdict.WARNING,
            "a change of password has not been answered",
            "Run `pharmacy renew`: it finds out which of the two holds.",
        )
    if queue is not None:
        yield _check_queue(queue)


def _check_certificate(profile: Profile) -> Check:
    name = "certificate"
    try:
        ends_at = certificate_end(profile)
    except PharmacyClientError as error:
        return Check(name, Verdict.FAILED, str(error), "Give a PEM file; see the profile's keys.")
    assert ends_at is not None
    left = ends_at - datetime.now(UTC)
    found = f"{profile.certificate}, valid until {ends_at:%Y-%m-%d}"
    if left <= timedelta(0):
        return Check(
            name,
            Verdict.FAILED,
            f"{found}: it has expired",
            "Ask your national organisation for a TAN, and fetch a new one with it.",
        )
    if left < _SOON:
        return Check(name, Verdict.WARNING, found, "Run `pharmacy renew` to fetch its successor.")
    return Check(name, Verdict.OK, found)


async def _check_connection(profile: Profile) -> Check:
    parts = urlsplit(profile.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    place = f"{host}:{port}"
    try:
        async with asyncio.timeout(profile.connect_timeout_s):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except socket.gaierror:
        return Check(
            "connection",
            Verdict.FAILED,
            f"the name {host} is not known",
            "Check the profile's `url`, and whether this computer can look up names.",
        )
    except TimeoutError:
        return Check(
            "connection",
            Verdict.FAILED,
            f"no answer from {place}",
            "A firewall drops it, most likely: ask for this host and port to be opened.",
        )
    except OSError as error:
        return Check(
            "connection",
            Verdict.FAILED,
            f"{place}: {error.strerror or error}",
            "Is the system running? Check host and port, and your firewall.",
        )
    return Check("connection", Verdict.OK, f"{place} takes connections")


def _check_tls(profile: Profile) -> Check:
    parts = urlsplit(profile.url)
    try:
        context = ssl.create_default_context(cafile=profile.ca)
        if profile.certificate is not None:
            context.load_cert_chain(
                Path(profile.certificate), None if profile.key is None else Path(profile.key)
            )
        address = (parts.hostname or "", parts.port or 443)
        with (
            socket.create_connection(address, timeout=profile.connect_timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secured,
        ):
            shown = secured.getpeercert() or {}
            version = secured.version()
    except ssl.SSLCertVerificationError as error:
        return Check(
            "tls",
            Verdict.FAILED,
            f"its certificate is not trusted: {error.verify_message}",
            "Set the profile's `ca` to the roots that your national organisation names.",
        )
    except (ssl.SSLError, OSError) as error:
        return Check(
            "tls",
            Verdict.FAILED,
            f"no secure connection: {error}",
            "If the certificate is yours to show: check `certificate` and `key`.",
        )
    return Check("tls", Verdict.OK, f"{version}, certificate until {shown.get('notAfter', '?')}")


async def _check_login(profile: Profile, transport: Transport) -> Check:
    try:
        if profile.dialect is Dialect.SOAP:
            await SoapAccount(profile, transport).check_login()
        else:
            client = await PharmacyClient(profile, transport=transport).__aenter__()
            await client.ping()
    except LoginRefusedError as error:
        return Check("login", Verdict.FAILED, str(error), _refusal_advice(profile, error))
    except PharmacyClientError as error:
        return Check("login", Verdict.FAILED, str(error), _failure_advice(profile))
    login = profile.client_id or f"{profile.client_login_id}/{profile.user_id}"
    return Check("login", Verdict.OK, f"the system accepts {login}")


def _refusal_advice(profile: Profile, error: LoginRefusedError) -> str:
    if profile.dialect is Dialect.SOAP and error.return_code is None:
        # Refused before the login was looked at.
        if profile.certificate is None:
            return "Set the profile's `certificate` (and `key`): this system wants to see one."
        return (
            "It is the certificate, not the password: if it has ended by the system's clock, ask"
            " your national organisation for a new one; else check `certificate` and `key`."
        )
    return _login_advice(error.return_code or "")


def _failure_advice(profile: Profile) -> str:
    if profile.url.startswith("http://"):
        return "If nothing above failed: does the profile's `url` begin with https, not http?"
    return "See what was found above. If all is well there, check the path of `url`."


def _login_advice(return_code: str) -> str:
    for ending, advice in (
        ("AU_11", "The password has expired or is the first one: run `pharmacy password`."),
        ("AU_02", "The user is locked: wait, or ask your national organisation to unlock it."),
        ("AU_05", "The user is locked: wait, or ask your national organisation to unlock it."),
        ("AU_23", "New terms must be accepted first, in your national organisation's portal."),
        (
            "PKI_06",
            "Check `certificate` and `key`: they are another login's, or not valid.",
        ),
    ):
        if return_code.endswith(ending):
            return advice
    return "Check login and password in the profile. Do not try again and again: it locks the user."


def _check_queue(queue: OfflineQueue) -> Check:
    counts, waiting = queue.counts(), queue.open_count
    stuck = counts[Standing.GIVEN_UP]
    found = f"{waiting} wait, {stuck} given up ({queue.path})"
    if stuck:
        return Check("queue", Verdict.WARNING, found, "Look at them: `pharmacy queue report`.")
    if waiting:
        return Check("queue", Verdict.WARNING, found, "Send them: `pharmacy queue replay`.")
    return Check("queue", Verdict.OK, found)


def examine_scan(text: str) -> Check:
    """Return what a test scan tells about scanner and keyboard. Nothing is sent."""
    name = "scanner"
    try:
        scan = parse_scan(text)
    except ScanError as error:
        return Check(name, Verdict.FAILED, error.problem, error.advice)
    if scan.repairs:
        return Check(name, Verdict.FAILED, " ".join(scan.repairs), "Scan again when that is done.")
    if scan.symbology is None:
        return Check(
            name,
            Verdict.WARNING,
            "the scanner sends no symbology identifier",
            "Switch it on (AIM identifiers, ]d2): it tells other bar codes and keyboards apart.",
        )
    if scan.problems:
        return Check(
            name,
            Verdict.WARNING,
            " ".join(scan.problems),
            "If other packs scan well, it is this pack.",
        )
    kind = "GS1" if scan.symbology == GS1_DATA_MATRIX else "IFA"
    return Check(name, Verdict.OK, f"a whole {kind} code, identifier and separators included")
