"""How a callback shows that it comes from the hub: HMAC-SHA-256 over time and body.

Names of the headers and the form of the signature are ours; the real hub signs SOAP messages.

    EMVS-Notice-Id: the notice's id, as in the body
    EMVS-Timestamp: seconds since 1970 by the hub's clock
    EMVS-Signature: v1=<hexadecimal HMAC-SHA-256 of "<timestamp>.<body>" with the secret>
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

NOTICE_ID_HEADER: Final = "EMVS-Notice-Id"
TIMESTAMP_HEADER: Final = "EMVS-Timestamp"
SIGNATURE_HEADER: Final = "EMVS-Signature"
_VERSION: Final = "v1="


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of `EMVS-Signature`. The secret is used as its UTF-8 bytes."""
    signed = timestamp.encode() + b"." + body
    return _VERSION + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def is_signed(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """Tell whether a signature was made with this secret, in the same time for every wrong one."""
    return hmac.compare_digest(
        sign(secret, timestamp, body).encode(), signature.encode(errors="surrogateescape")
    )
