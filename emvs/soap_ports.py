"""The ports of the SOAP-built systems, one for each service.

Source: addresses in public clients. PKI stands there twice: a first certificate is fetched by its
TAN without a client certificate, its successor under the one it replaces.
"""

from __future__ import annotations

from typing import Final

SOAP_PORTS: Final = {
    "single": 8443,
    "pki": 8444,
    "bulk": 8445,
    "mixed": 8446,
    "master": 8447,
    "support": 8448,
    "pki_with_certificate": 8458,
}
FIRST: Final = 8443
SPAN: Final = 20
"""From the first port of one market to that of the next, where several run (our choice)."""


def placed(first: int) -> dict[str, int]:
    """Return the ports by service, laid out as in the real systems from `first` on."""
    return {name: first + number - FIRST for name, number in SOAP_PORTS.items()}
