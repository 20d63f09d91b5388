"""Client certificates of the demo's participants, as files beside endpoints.json.

`certificates/ca.pem` holds the roots of all markets and of the hub,
`certificates/{market}/{client}.pem` a certificate with its key. What counts still is kept from
start to start.
"""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from emvs.infra.launch.errors import LaunchError
from emvs.infra.launch.http_calls import HttpCalls
from emvs.infra.launch.papers import (
    CA_FILE,
    certificate_file,
    hub_management_url,
    management_url,
)
from emvs.infra.launch.participants import participants_of
from emvs.infra.launch.settings import MarketSettings, Settings


async def provide_certificates(settings: Settings, calls: HttpCalls, folder: Path) -> None:
    """See that each SOAP participant has a certificate that counts. Raises LaunchError."""
    roots = await asyncio.gather(
        *(_provide(market, calls, folder) for market in settings.running_markets)
    )
    authority = await calls.get(f"{hub_management_url(settings)}/certificate-authority")
    write_private(folder / CA_FILE, "".join([*roots, authority["rootPem"]]).encode())


async def _provide(market: MarketSettings, calls: HttpCalls, folder: Path) -> str:
    """Return the root of a market after seeing to its participants."""
    url = f"{management_url(market)}/certificates"
    for registration in participants_of(market):
        if registration["soap"] is None:
            continue
        client = registration["soap"]["client_login_id"]
        path = folder / certificate_file(market.code, client)
        known = (await calls.get(f"{url}?client_login_id={client}"))["certificates"]
        counting = {row["serial_number"] for row in known if row["counts"]}
        if _serial_number(path) in counting:
            continue
        answer = await calls.post(url, {"client_login_id": client})
        write_private(path, open_package(answer))
    root: str = (await calls.get(f"{url}/root"))["root_pem"]
    return root


def open_package(answer: dict[str, Any]) -> bytes:
    """Return certificate and key as PEM from an answer that holds a package."""
    key, certificate, _ = pkcs12.load_key_and_certificates(
        base64.b64decode(answer["package"]), answer["passphrase"].encode()
    )
    assert key is not None, "a package holds a key"
    assert certificate is not None, "and its certificate"
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all. Raises LaunchError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file of its own: one that somebody put there before may be read by them.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError as error:
        raise LaunchError(f"{path}: {error.strerror}") from error


def _serial_number(path: Path) -> str | None:
    try:
        return f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}"
    except (OSError, ValueError):  # None yet, or not what was written.
        return None
