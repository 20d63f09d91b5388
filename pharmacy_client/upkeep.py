"""Keeping a login alive: the password changed and the certificate renewed before they end.

A new password is in the profile file before it is asked for, beside the old one, and takes its
place after the answer: whichever of the two holds, it is on disk. Figures: passwords are reminded
of 10 days before their end, certificates have successors 60 days before.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from emvs.markets import Dialect
from pharmacy_client.errors import AccountRefusedError, LoginRefusedError, ProfileError
from pharmacy_client.exchange import Transport
from pharmacy_client.profile import Profile
from pharmacy_client.profile_file import changing, write_keys, write_new_file
from pharmacy_client.soap_account import SoapAccount
from pharmacy_client.soap_codes import bare_code

MUST_CHANGE: Final = "FE_AU_11"
_EXPIRES: Final = "NOTIFY_AU_02"
_WRONG_LOGIN: Final = "FE_AU_01"
_RENEWED: Final = ("password", "next_password", "certificate", "key")
_PASSWORD_LENGTH: Final = 20
_SPECIAL: Final = "!%*+-./:=?_"
_RENEW_BEFORE: Final = timedelta(days=60)

Connect = Callable[[Profile], Transport]


def new_password() -> str:
    """Return a password that every published policy takes: each kind of character, 20 of them."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _SPECIAL)
    letters = [secrets.choice(kind) for kind in kinds]
    letters += [secrets.choice("".join(kinds)) for _ in range(_PASSWORD_LENGTH - len(letters))]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)


def is_password_reminder(notification: str) -> bool:
    """Tell whether a note beside an answer says that the password is about to expire."""
    return bare_code(notification.partition(" ")[0]) == _EXPIRES


class Upkeep:
    """Renews what a profile file holds, and writes it back there."""

    def __init__(self, profile: Profile, connect: Connect) -> None:
        self.profile = profile
        self._connect = connect

    @property
    def is_possible(self) -> bool:
        """Whether there is a file to write to, and a dialect that knows these requests."""
        profile = self.profile
        return profile.dialect is Dialect.SOAP and profile.file is not None and profile.renew

    async def settle_pending(self) -> Profile:
        """Find out which of two passwords holds, after a change whose answer was lost.

        Raises the client's errors; the file keeps both until one is known to hold.
        """
        pending = self.profile.next_password
        if pending is None:
            return self.profile
        try:
            await self._check(self._with(password=pending, next_password=None))
        except LoginRefusedError as error:
            code = bare_code(error.return_code or "")
            if code != _WRONG_LOGIN:
                raise
            await self._check(self._with(next_password=None), or_must_change=True)
            return self._write(next_password=None)
        return self._write(password=pending, next_password=None)

    async def change_password(self, new: str | None = None) -> Profile:
        """Change the password, and return the profile with the new one; a made-up one if None.

        Raises ProfileError before anything is sent if it could not be kept.
        """
        if self.profile.file is None:
            raise ProfileError(
                "The new password could not be kept: the profile is not from a file of its own."
            )
        with changing(Path(self.profile.file)):
            if self.reload() and self.profile.next_password is None and new is None:
                return self.profile  # Another program has just done it.
            return await self._change_password(new)

    async def _change_password(self, new: str | None) -> Profile:
        if self.profile.next_password is not None:
            await self.settle_pending()
        chosen = new or new_password()
        self._write(next_password=chosen)
        transport = self._connect(self.profile)
        try:
            await SoapAccount(self.profile, transport).change_password(chosen)
        except (AccountRefusedError, LoginRefusedError):
            self._write(next_password=None)
            raise
        finally:
            await transport.close()
        return self._write(password=chosen, next_password=None)

    def reload(self) -> bool:
        """Take over a login that another program has written to the file; False if it has not."""
        if self.profile.file is None:
            return False
        try:
            found = Profile.from_file(Path(self.profile.file), dialect=self.profile.dialect)
        except ProfileError:
            return False
        renewed = {name: getattr(found, name) for name in _RENEWED}
        before, self.profile = self.profile, self._with(**renewed)
        return self.profile != before

    async def renew_certificate(self, now: datetime) -> Profile | None:
        """Fetch the successor if the certificate ends within 60 days; None if there is none yet.

        Both are valid for a while. The old files are left where they are.
        """
        ends_at = certificate_end(self.profile)
        if ends_at is None or ends_at - now > _RENEW_BEFORE or self.profile.file is None:
            return None
        transport = self._connect(self.profile)
        try:
            found = await SoapAccount(self.profile, transport).fetch_certificate()
        finally:
            await transport.close()
        if found is None:
            return None
        certificate, key, name = _unpack(found.pkcs12, found.passphrase)
        folder = Path(self.profile.certificate or self.profile.file).parent
        stem = folder / f"{self.profile.client_login_id}-{name}"
        paths = (stem.with_suffix(".pem"), stem.with_suffix(".key"))
        if str(paths[0]) == self.profile.certificate:
            return None  # Handed out as often as asked for: we have it.
        write_new_file(paths[1], key)
        write_new_file(paths[0], certificate)
        return self._write(certificate=str(paths[0]), key=str(paths[1]))

    async def _check(self, profile: Profile, *, or_must_change: bool = False) -> None:
        transport = self._connect(profile)
        try:
            await SoapAccount(profile, transport).check_login()
        except LoginRefusedError as error:
            if not or_must_change or bare_code(error.return_code or "") != MUST_CHANGE:
                raise
        finally:
            await transport.close()

    def _with(self, **values: str | None) -> Profile:
        return msgspec.structs.replace(self.profile, **values)

    def _write(self, **values: str | None) -> Profile:
        """Write to the file first, then go on with it. Raises ProfileError."""
        assert self.profile.file is not None
        changed = self._with(**values)
        write_keys(Path(self.profile.file), values)
        self.profile = changed
        return changed


def certificate_end(profile: Profile) -> datetime | None:
    """Return when the profile's client certificate ends; None without one. ProfileError."""
    if profile.certificate is None:
        return None
    from cryptography import x509  # noqa: PLC0415 - loads slowly.

    try:
        certificate = x509.load_pem_x509_certificate(Path(profile.certificate).read_bytes())
    except (OSError, ValueError) as error:
        raise ProfileError(f"{profile.certificate} cannot be read: {error}") from error
    return certificate.not_valid_after_utc.astimezone(UTC)


def _unpack(pkcs12: bytes, passphrase: str) -> tuple[bytes, bytes, str]:
    """Return certificate and key as PEM, and a name for their files. Raises ProfileError."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.hazmat.primitives.serialization.pkcs12 import (  # noqa: PLC0415
        load_key_and_certificates,
    )

    try:
        key, certificate, _ = load_key_and_certificates(pkcs12, passphrase.encode())
    except ValueError as error:
        raise ProfileError(f"The new certificate cannot be unpacked: {error}") from error
    if key is None or certificate is None or key.public_key() != certificate.public_key():
        raise ProfileError("The new certificate came without its key.")
    return (
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        f"{certificate.serial_number:x}"[:16],
    )
