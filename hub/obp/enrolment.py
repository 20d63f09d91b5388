"""Becoming a client of the hub: key, certificate by signing request, session token, profile.

Each piece is on disk before the next is asked for, so that the same call again goes on: the same
signing request gets the same certificate, the same transaction id the same token.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emvs.account_messages import SessionToken
from emvs.errors import UsageError
from hub.obp.client import ObpClient
from hub.obp.errors import LoginRefusedError, ProfileError, UnreachableError
from hub.obp.profile import Profile

REGISTER: Final = "RGST"
RESET: Final = "RSST"
PROFILE_FILE: Final = "obp.toml"
_KEY_FILE: Final = "obp.key"
_REQUEST_FILE: Final = "obp.csr"
_CERTIFICATE_FILE: Final = "obp.pem"
_ROOT_FILE: Final = "hub-ca.pem"
_TOKEN_LINE: Final = re.compile(r'^token\s*=\s*"[^"]*".*$', re.MULTILINE)
_ENDS_LINE: Final = re.compile(r"^token_ends_at\s*=.*\n?", re.MULTILINE)

Trust = Callable[[str], bool]
"""Asked whether the root with this fingerprint (SHA-256, hexadecimal) is trusted."""


async def enrol(
    folder: Path,
    *,
    url: str,
    organisation_id: str,
    client_id: str,
    kind: str,
    initial_token: str,
    ca: Path | None,
    trust: Trust,
) -> Path:
    """Return the profile in `folder`, with all that it names, once the hub takes it.

    One that is there already keeps key and certificate, and gets a session token in place of one
    that holds no longer. Raises ObpClientError, or UsageError if its token holds or the root is not
    trusted.
    """
    profile_file = folder / PROFILE_FILE
    if profile_file.exists():
        await _register_again(profile_file, initial_token)
        return profile_file
    _make_folder(folder)
    values: dict[str, Any] = {
        "url": url,
        "organisation_id": organisation_id,
        "client_id": client_id,
        "kind": kind,
        "token": initial_token,
        "journal": "journal",
    }
    if url.startswith("https:"):
        values["ca"] = _root(folder, url, ca, trust)
    async with ObpClient(_profile(values, folder)) as client:
        issued = await client.request_certificate(_signing_request(folder))
    _write_secret(folder / _CERTIFICATE_FILE, issued.certificate + _read(folder / _KEY_FILE))
    values["certificate"] = _CERTIFICATE_FILE
    async with ObpClient(_profile(values, folder)) as client:
        session = await client.exchange_token(REGISTER)
        values |= {"token": session.sessionToken, "token_ends_at": session.endsAt}
        _write_secret(profile_file, _toml(values))
        client.keep_token(REGISTER)
    return profile_file


async def reset_token(profile: Profile) -> SessionToken:
    """Return the session token that takes the place of the profile's, and write it there if the
    profile is a TOML file. Raises ObpClientError."""
    async with ObpClient(profile) as client:
        session = await client.exchange_token(RESET)
        if is_kept_in_file(profile):
            _keep_token(Path(profile.source), session)
        client.keep_token(RESET)
    return session


def is_kept_in_file(profile: Profile) -> bool:
    """Tell whether the profile's token stands in a file of the user's own."""
    path = Path(profile.source)
    return path.suffix == ".toml" and path.is_file()


def _keep_token(path: Path, session: SessionToken) -> None:
    text = _ENDS_LINE.sub("", _read(path))
    if not _TOKEN_LINE.search(text):
        raise ProfileError(
            f"{path} has no line with the token; put this one there: {session.sessionToken}"
        )
    line = f'token = "{session.sessionToken}"\ntoken_ends_at = "{session.endsAt}"'
    _write_secret(path, _TOKEN_LINE.sub(line, text, count=1))


async def _register_again(file: Path, initial_token: str) -> None:
    """Give a profile a session token for an initial one, which the hub's desk has given out in
    place of all former tokens. Raises UsageError if the profile's own token holds."""
    profile = Profile.from_file(file, home=Path.home())
    try:
        async with ObpClient(profile) as client:
            async for _ in client.requests():
                break
    except LoginRefusedError:
        pass
    else:
        raise UsageError(
            f"{file} is there already, and its token holds: `obp token --profile {file}` resets it"
        )
    async with ObpClient(msgspec.structs.replace(profile, token=initial_token)) as client:
        session = await client.exchange_token(REGISTER)
        _keep_token(file, session)
        client.keep_token(REGISTER)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder} cannot be used: {error.strerror}") from error


def _root(folder: Path, url: str, ca: Path | None, trust: Trust) -> str:
    """Return the name of the file with the root, once it is there and trusted."""
    file = folder / _ROOT_FILE
    if ca is not None:
        file.write_text(_read(ca))
    if not file.exists():
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 443)
        root = _shown_root(address)
        fingerprint = hashlib.sha256(root).hexdigest()
        if not trust(fingerprint):
            raise UsageError(
                f"the hub's root certificate is not trusted: SHA-256 {fingerprint}; name its file"
                " with --ca or, once it was compared, the fingerprint with --root-sha256"
            )
        file.write_text(ssl.DER_cert_to_PEM_cert(root))
    return _ROOT_FILE


def _shown_root(address: tuple[str, int]) -> bytes:
    """Return the last certificate of the chain that the hub shows, or what it gives out as its
    root, DER. Nobody has vouched for it yet."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(*address, timeout=10, context=context)
    try:
        connection.request("GET", "/obp/v1/certificate-authority")
        body = connection.getresponse().read(64 * 1024)
        return ssl.PEM_cert_to_DER_cert(body.decode("ascii").strip())
    except (OSError, ValueError, http.client.HTTPException) as error:
        text = f"{address[0]}:{address[1]} does not tell its root certificate: {error}"
        raise UnreachableError(text) from error
    finally:
        connection.close()


def _signing_request(folder: Path) -> str:
    """Return the request for the folder's key; both are made once."""
    key_file, request_file = folder / _KEY_FILE, folder / _REQUEST_FILE
    if not (key_file.exists() and request_file.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        # The hub names the client by itself.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "obp")])
        request = (
            x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write_secret(key_file, pem.decode())
        request_file.write_text(request.public_bytes(serialization.Encoding.PEM).decode())
    return _read(request_file)


def _profile(values: dict[str, Any], folder: Path) -> Profile:
    return Profile.from_values(values, source="the command line", directory=folder)


def _toml(values: dict[str, Any]) -> str:
    # Every value is a text without quotes or control characters: the profile has checked them.
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
