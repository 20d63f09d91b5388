"""The SOAP dialect's requests about the login itself: password, terms, certificate.

One request each, nothing is written anywhere. Whoever changes a password keeps it first.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

from pharmacy_client import soap_codes
from pharmacy_client.errors import AccountRefusedError
from pharmacy_client.exchange import Transport
from pharmacy_client.profile import Profile
from pharmacy_client.soap_call import SoapAnswer, SoapCaller
from pharmacy_client.soap_envelope import text

_SUCCESS: Final = "SUCCESS"
_NO_SUCCESSOR: Final = "FE_PKI_07"
_BASE64_BYTES_MAX: Final = 256 * 1024


class NewCertificate(NamedTuple):
    """A certificate as it is handed out: PKCS#12 and what it is locked with."""

    pkcs12: bytes
    passphrase: str


class Terms(NamedTuple):
    """Terms and conditions of the national organisation."""

    version: int
    text: str
    starts_at: str
    """As the system tells it, ISO 8601."""
    is_accepted: bool


class SoapAccount:
    """Speaks to the support and PKI services as one login."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._caller = SoapCaller(profile, transport)

    async def change_password(self, new: str) -> None:
        """Change the password (G445).

        Raises AccountRefusedError, and the client's errors: after one that `may_have_acted`, try
        both passwords.
        """
        old = self._profile.password or ""
        passwords = (
            f"<t:Body><t:Password>{text(old)}</t:Password>"
            f"<t:NewPassword>{text(new)}</t:NewPassword></t:Body>"
        )
        await self._ask("G445ChangePassword", passwords, changes=True, secrets=(new,))

    async def check_login(self) -> None:
        """Have the login looked at, by a request that needs no right: terms and conditions (G482).

        Raises LoginRefusedError and the client's other errors.
        """
        try:
            await self._ask("G482LoadTermsAndConditions", "")
        except AccountRefusedError:
            return  # No terms on file: that was told to somebody who is logged in.

    async def terms(self) -> Terms:
        """Load the newest terms and conditions (G482).

        Raises AccountRefusedError if there are none on file, and the client's errors.
        """
        answer = await self._ask("G482LoadTermsAndConditions", "")
        reader, body = answer.reader, answer.body
        types = reader.types
        found = body.find(f".//{types}TermsAndConditions")
        version = "" if found is None else (found.findtext(f"{types}Version") or "").strip()
        if found is None or not (version.isascii() and version.isdigit() and len(version) < 10):
            raise reader.error("there are no TermsAndConditions with a Version")
        return Terms(
            version=int(version),
            text=found.findtext(f"{types}Text") or "",
            starts_at=(found.findtext(f"{types}StartDate") or "").strip(),
            is_accepted=found.findtext(f"{types}AcceptedByUser") in ("true", "1"),
        )

    async def accept_terms(self, version: int) -> None:
        """Confirm terms and conditions of this version (G483). To repeat it changes nothing.

        Raises AccountRefusedError, for a version that is not on file too, and the client's errors.
        """
        content = f"<t:Body><t:Version>{version}</t:Version></t:Body>"
        await self._ask("G483ConfirmTermsAndConditions", content, changes=True)

    async def fetch_certificate(self, tan: str = "") -> NewCertificate | None:
        """Fetch the certificate that waits (G615); None if none does.

        Under the present certificate no TAN is needed. Raises AccountRefusedError and others.
        """
        try:
            answer = await self._ask(
                "G615DownloadCertificate",
                f"<t:Body><t:Tan>{text(tan)}</t:Tan></t:Body>",
                service="pki",
                secrets=(tan,) if tan else (),
            )
        except AccountRefusedError as error:
            if soap_codes.bare_code(error.return_code) == _NO_SUCCESSOR:
                return None
            raise
        reader = answer.reader
        element = answer.body.find(f"{reader.types}Cert")
        passphrase = None if element is None else reader.attribute(element, "passphrase")
        if element is None or passphrase is None or not element.text:
            raise reader.error("there is no Cert")
        try:
            data = base64.b64decode(
                "".join(element.text[:_BASE64_BYTES_MAX].split()), validate=True
            )
        except binascii.Error as error:
            raise reader.error("Cert is not base64") from error
        return NewCertificate(data, passphrase)

    async def _ask(
        self,
        action: str,
        body: str,
        *,
        service: str = "support",
        changes: bool = False,
        secrets: tuple[str, ...] = (),
    ) -> SoapAnswer:
        answer = await self._caller.ask(
            action,
            body,
            service=service,
            changes=changes,
            secrets=secrets,
            # What the PKI service hands out is left out of the record.
            hides_reply=service == "pki",
        )
        if answer.bare_code != _SUCCESS:
            raise answer.refusal(AccountRefusedError)
        return answer
