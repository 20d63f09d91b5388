"""The keys that access tokens are signed with: which one signs now, which still prove a token.

A key signs for a while; then a younger one does, and the older is published and proves tokens until
the last one that it signed has ended. Time comes in as an argument; nothing is stored here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from emvs.errors import ConfigurationError

ALGORITHM: Final = "ES256"


class StoredKey(NamedTuple):
    """A private key on curve P-256 as PEM, with its id and the second it was made."""

    key_id: str
    pem: str
    made_at_s: int


def make_key(now_s: int) -> StoredKey:
    """Return a fresh key. Its id is its thumbprint (RFC 7638)."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return StoredKey(ECKey.import_key(pem).thumbprint(), pem, now_s)


class KeyRing:
    """Signing keys in order of age, the youngest last."""

    def __init__(self, keys: Iterable[StoredKey], *, life_s: int, overlap_s: int) -> None:
        """A key signs for `life_s` seconds and is kept for `overlap_s` after the next one came."""
        self._life_s = life_s
        self._overlap_s = overlap_s
        self._keys: list[tuple[StoredKey, ECKey]] = []
        self._by_id: dict[str, ECKey] = {}
        for key in sorted(keys, key=lambda key: key.made_at_s):
            self.add(key)

    def add(self, key: StoredKey) -> None:
        """Take in a key, which signs from now on."""
        imported = _import(key.pem)
        self._keys.append((key, imported))
        self._by_id[key.key_id] = imported

    @property
    def newest(self) -> tuple[str, ECKey]:
        """Id of the key that signs, and the key."""
        stored, key = self._keys[-1]
        return stored.key_id, key

    def is_due(self, now_s: int) -> bool:
        """Tell whether it is time for another key."""
        return not self._keys or now_s >= self._keys[-1][0].made_at_s + self._life_s

    def get(self, key_id: object) -> ECKey | None:
        """Return the key with an id, None if there is none or no longer one."""
        return self._by_id.get(key_id) if isinstance(key_id, str) else None

    def forget_retired(self, now_s: int) -> list[str]:
        """Forget the keys whose last token has ended; return their ids."""
        retired = []
        while len(self._keys) > 1 and now_s >= self._keys[1][0].made_at_s + self._overlap_s:
            key_id = self._keys.pop(0)[0].key_id
            del self._by_id[key_id]
            retired.append(key_id)
        return retired

    def published(self) -> list[dict[str, Any]]:
        """Return the public keys as JSON Web Keys (RFC 7517), the youngest first."""
        return [
            {
                **key.as_dict(private=False),
                "kid": stored.key_id,
                "use": "sig",
                "alg": ALGORITHM,
            }
            for stored, key in reversed(self._keys)
        ]


def _import(pem: str) -> ECKey:
    try:
        key = ECKey.import_key(pem)
    except ValueError as error:
        raise ConfigurationError("the token signing key is no EC key in PEM form") from error
    if key.curve_name != "P-256" or not key.is_private:
        raise ConfigurationError("the token signing key must be a private key on P-256")
    return key
