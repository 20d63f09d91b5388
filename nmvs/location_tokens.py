"""What stands for a location outside its national system: in alerts and in audit trails alike.

Delegated Regulation (EU) 2016/161, Art. 38: a manufacturer does not learn which end user did what
to its packs. It may learn that two things were done at one place, so a location has one token
wherever it is shown: the tokens of an alert and of the audit trail can be held against each other.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

SECRET_SETTING: Final = "location_token_secret"  # noqa: S105 - the setting's name.
_TOKEN_BYTES: Final = 16


class LocationTokens:
    """Keyed hashes. Who does not have `secret` cannot tell a location by trying all of them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of_location(self, market: str | None, location: str | None) -> str:
        """Return what stands for a location."""
        return self.of("location", market or "", location or "")

    def of(self, *parts: str) -> str:
        """Return what stands for these parts, the first of which says what they are."""
        digest = blake2b(key=self._secret, digest_size=_TOKEN_BYTES)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return digest.hexdigest()
