"""Packs as EPCIS events name them: SGTIN URNs and GS1 Digital Links. Pure.

Sources: GS1 EPC Tag Data Standard (SGTIN: company prefix and item reference have 13 digits
together, the check digit is left out, the serial number is percent-encoded); GS1 Digital Link
standard, URI syntax (application identifiers 01, 10, 21 in the path, others in the query).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from emvs.check_digits import gtin_check_digit, is_valid_gtin

_SGTIN: Final = re.compile(r"urn:epc:id:sgtin:(\d{6,12})\.(\d{1,7})\.([^.\s/?#]+)")
_LINK: Final = re.compile(
    r"https?://[^/?#\s]+(?:/[^?#\s]*?)??/(?:01|gtin)/(\d{8}|\d{12,14})"
    r"(?:/(?:10|lot)/([^/?#\s]+))?(?:/(?:21|ser)/([^/?#\s]+))?/?(?:\?([^#\s]*))?(?:#\S*)?"
)
_GTIN_LENGTH: Final = 14
_LENGTH_MAX: Final = 500
_LOT_AND_EXPIRY: Final = ("10", "17")


class PackEpc(NamedTuple):
    """One pack; batch and expiry date if the identifier tells them."""

    product_code: str
    serial_number: str
    batch_id: str | None = None
    expiry: str | None = None
    """YYMMDD."""


def parse_epc(text: str) -> PackEpc:
    """Return the pack that an identifier names. Raises ValueError with a sentence."""
    if len(text) > _LENGTH_MAX:
        raise ValueError(f"an identifier has at most {_LENGTH_MAX} characters")
    if match := _SGTIN.fullmatch(text):
        prefix, item, serial = match.groups()
        if len(prefix) + len(item) != _GTIN_LENGTH - 1:
            raise ValueError(
                "company prefix and item reference of an SGTIN have 13 digits together"
            )
        first_13 = item[0] + prefix + item[1:]
        return PackEpc(first_13 + str(gtin_check_digit(first_13)), unquote(serial))
    if match := _LINK.fullmatch(text):
        gtin, lot, serial, query = match.groups()
        gtin = gtin.rjust(_GTIN_LENGTH, "0")
        if not is_valid_gtin(gtin):
            raise ValueError(f"the check digit of GTIN {gtin} is wrong")
        if not serial:
            raise ValueError("the GS1 Digital Link names no single pack: /21/ is missing")
        more = dict(part.partition("=")[::2] for part in (query or "").split("&"))
        in_query, expiry = (more.get(name) for name in _LOT_AND_EXPIRY)
        batch_id = lot or in_query
        return PackEpc(gtin, unquote(serial), batch_id and unquote(batch_id), expiry or None)
    raise ValueError(
        "neither an SGTIN (urn:epc:id:sgtin:...) nor a GS1 Digital Link (https://.../01/.../21/...)"
    )
