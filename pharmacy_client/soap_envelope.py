"""Requests of the SOAP dialect put together: envelope, header, product; and where they are sent.

Versions 4 and 5 differ in their namespaces only. What a message asks is its caller's.
"""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from emvs.scan import Scan
from pharmacy_client.errors import ScanRefusedError
from pharmacy_client.exchange import REPLY_BYTES_MAX, HttpRequest
from pharmacy_client.profile import Profile

# Service: context of the path, service of the path, host and port of the real layout (inferred
# from public configurations; the host of a service begins with it).
_SERVICES: Final = {
    "single": ("SINGLE_TRANSACTIONS", "SinglePackService", "ws-single-transactions", 8443),
    "bulk": ("BULK_TRANSACTIONS", "BulkService", "ws-bulk-transactions", 8445),
    "mixed": ("MIXED_BULK_TRANSACTIONS", "MixedBulkService", "ws-mixed-bulk-transactions", 8446),
    "support": ("SUPPORT", "SupportService", "ws-support", 8448),
    "pki": ("PKI", "PkiService", "ws-pki-with-cert", 8458),
}
_SINGLE_HOST: Final = "ws-single-transactions"
_ENVELOPE: Final = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:w="urn:wsdltypes.nmvs.eu:v{version}" xmlns:t="urn:types.nmvs.eu:v{version}">'
    "<s:Header/><s:Body><w:{message}Request>{content}</w:{message}Request></s:Body></s:Envelope>"
)
_HEADER: Final = (
    "<t:Header><t:Auth><t:ClientLoginId>{client_login_id}</t:ClientLoginId>"
    "<t:UserId>{user_id}</t:UserId><t:Password>{password}</t:Password>{sub_user}</t:Auth>"
    '<t:UserSoftware t:name="{name}" t:supplier="{supplier}" t:version="{software_version}"/>'
    "<t:Transaction><t:ClientTrxId>{transaction_id}</t:ClientTrxId>"
    "<t:Language>{language}</t:Language></t:Transaction></t:Header>"
)


def new_transaction_id() -> str:
    """Return an id that nobody has used: 32 characters, the most that the interface takes."""
    return uuid4().hex


def soap_request(
    profile: Profile,
    *,
    service: str,
    message: str,
    action: str,
    content: str,
    changes_state: bool = False,
    secrets: tuple[str, ...] = (),
    reply_bytes_max: int = REPLY_BYTES_MAX,
    timeout_s: float | None = None,
) -> HttpRequest:
    """Return the request for a message. `secrets` are starred out besides the password."""
    body = _ENVELOPE.format(version=profile.soap_version, message=message, content=content)
    return HttpRequest(
        method="POST",
        url=service_url(profile, service),
        headers={
            "Content-Type": f'application/soap+xml; charset=utf-8; action="urn:{action}"',
            "Accept": "application/soap+xml, text/xml",
            "User-Agent": profile.user_agent,
        },
        body=body.encode(),
        changes_state=changes_state,
        secrets=tuple(text(secret).encode() for secret in (profile.password or "", *secrets)),
        reply_bytes_max=reply_bytes_max,
        timeout_s=timeout_s,
    )


def header(profile: Profile, transaction_id: str) -> str:
    """Return the header of a message: who asks, with what software."""
    sub_user = profile.sub_user_id
    return _HEADER.format(
        client_login_id=text(profile.client_login_id or ""),
        user_id=text(profile.user_id or ""),
        password=text(profile.password or ""),
        sub_user=f"<t:SubUserId>{text(sub_user)}</t:SubUserId>" if sub_user else "",
        name=text(profile.software_name),
        supplier=text(profile.software_supplier),
        software_version=text(profile.software_version),
        transaction_id=transaction_id,
        language=text(profile.language),
    )


def product_and_pack(scan: Scan, *, with_batch: bool) -> str:
    """Return the elements that say which pack is meant."""
    return f'{product(scan, with_batch=with_batch)}<t:Pack t:sn="{text(scan.serial_number)}"/>'


def product(scan: Scan, *, with_batch: bool) -> str:
    """Return the element that says which product, and which batch of it."""
    batch = ""
    if with_batch and (scan.batch_id or scan.expiry):
        # A part that the pack lacks is left out: the system has to say what is wrong with it.
        batch_id = f"<t:Id>{text(scan.batch_id)}</t:Id>" if scan.batch_id else ""
        expiry = f"<t:ExpDate>{text(scan.expiry)}</t:ExpDate>" if scan.expiry else ""
        batch = f"<t:Batch>{batch_id}{expiry}</t:Batch>"
    return (
        f'<t:Product><t:ProductCode t:scheme="{scan.scheme.value}">{text(scan.product_code)}'
        f"</t:ProductCode>{batch}</t:Product>"
    )


def service_url(profile: Profile, service: str) -> str:
    """Return the address of a service.

    A profile gives the whole address of the single-pack service, or scheme, host and port, which
    are then those of all services, unless the host is named as in the real systems: there each
    service has a host and a port of its own. Keys such as `mixed_url` name others.
    """
    own = getattr(profile, f"{service}_url", None)
    parts = urlsplit(own or profile.url)
    if parts.path.strip("/") and (own or service == "single"):
        return own or profile.url
    context, name, host, port = _SERVICES[service]
    version = profile.soap_version.replace(".", "")
    place = parts.netloc
    if own is None and (parts.hostname or "").startswith(_SINGLE_HOST):
        place = f"{host}{(parts.hostname or '').removeprefix(_SINGLE_HOST)}:{port}"
    return urlunsplit((parts.scheme, place, f"/WS_{context}_V1/{name}V{version}", "", ""))


def text(value: str) -> str:
    """Return text for an element or a double-quoted attribute.

    XML cannot hold control characters at all, not even escaped (XML 1.0, section 2.2).
    """
    if not all(character >= " " and character not in "\ufffe\uffff" for character in value):
        raise ScanRefusedError(
            f"{value!r} holds a character that this interface cannot transport.",
            "Scan the pack again.",
        )
    return escape(value)
