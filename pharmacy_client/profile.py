"""A profile: which national system to speak to, how, and as whom. Complete once it exists.

Which one is taken when nobody says so is profile_choice.py's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import msgspec

from emvs.markets import Dialect
from pharmacy_client.endpoints import read_file, read_participant
from pharmacy_client.errors import ProfileError

_SECRETS = frozenset({"client_secret", "password", "next_password"})
_ADDRESSES = ("url", "token_url", "bulk_url", "mixed_url", "support_url", "pki_url")
_PATHS = ("ca", "certificate", "key")
_RENEWED = ("password", "certificate", "key", "client_login_id", "user_id")
_VARIABLE_PREFIX = "PHARMACY_"
_TIMEOUT_S_MAX = 600.0
_NEEDED = {
    Dialect.REST: ("token_url", "client_id", "client_secret"),
    Dialect.SOAP: ("client_login_id", "user_id", "password"),
}


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the client has to know. Raises ValueError for values that cannot be right."""

    dialect: Dialect
    url: str
    """REST: the base before `/product`. SOAP: scheme, host and port, or the whole address."""
    token_url: str | None = None
    """REST: the whole address of the token service."""
    client_id: str | None = None
    client_secret: str | None = None
    client_login_id: str | None = None
    user_id: str | None = None
    sub_user_id: str | None = None
    password: str | None = None
    next_password: str | None = None
    """SOAP: a password that was asked for; which of the two holds is not known yet."""
    renew: bool = True
    """SOAP: whether password and certificate are renewed in time and written back to the file."""
    ca: str | None = None
    """File of certificates to trust; without one, those of the machine."""
    certificate: str | None = None
    """Client certificate, a PEM file."""
    key: str | None = None
    """Its key, a PEM file; may be in the certificate's file."""
    soap_version: Literal["4.0", "5.0"] = "5.0"
    bulk_url: str | None = None
    """SOAP: the service of bulks, if it is not where `url` would have it; so are the next three."""
    mixed_url: str | None = None
    support_url: str | None = None
    pki_url: str | None = None
    api_version: str | None = None
    """REST: sent as `emvs-api-version`; without one the system takes its own default."""
    language: str = "eng"
    """Language of the answers as SOAP wants it: ISO 639-3."""
    locale: str = "en"
    """The same as HTTP wants it: an IETF tag."""
    software_name: str = "emvs-pharmacy"
    software_supplier: str = "emvs"
    software_version: str = "0.1"
    connect_timeout_s: float = 5.0
    timeout_s: float = 15.0
    """For a whole call, connection included; what a deployed client of the REST systems waits."""
    source: str = "given by the program"
    """Where the profile is from, for messages."""
    file: str | None = None
    """The profile file, if it is from one and its login is not from the environment."""

    def __post_init__(self) -> None:
        """Check what types alone cannot."""
        for name in _ADDRESSES:
            _check_address(name, getattr(self, name))
        missing = [name for name in _NEEDED[self.dialect] if not getattr(self, name)]
        if missing:
            raise ValueError(f"the {self.dialect} dialect needs {', '.join(missing)}")
        if self.key is not None and self.certificate is None:
            raise ValueError("`key` is given, but no `certificate`")
        for name in ("connect_timeout_s", "timeout_s"):
            if not 0 < getattr(self, name) <= _TIMEOUT_S_MAX:
                raise ValueError(f"`{name}` must be above 0, at most {_TIMEOUT_S_MAX:g}")
        for name in self.__struct_fields__:
            value = getattr(self, name)
            # All of them get into headers, an XML document or a form: one line, valid Unicode.
            if isinstance(value, str) and not value.isprintable():
                raise ValueError(f"`{name}` holds a character that cannot be sent")
        if not (self.user_agent + self.locale + (self.api_version or "")).isascii():
            raise ValueError("software name and version, locale and api_version must be ASCII")
        # Figures of the SOAP interface: 255 and 10 characters, a language code of three letters.
        if len(self.software_name) > 255 or not 1 <= len(self.software_version) <= 10:
            raise ValueError("`software_name` or `software_version` is too long (255, 10)")
        if self.dialect is Dialect.SOAP and self.password and not 8 <= len(self.password) <= 60:
            raise ValueError("`password` has 8 to 60 characters in the SOAP interface")
        if len(self.language) != 3 or not self.language.isalpha():
            raise ValueError("`language` must be a code of three letters, such as eng")

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        dialect: Dialect | str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the profile in a TOML file. Paths in it are relative to the file's directory.

        `environment` overrides single values, as `from_values` says. Raises ProfileError.
        """
        try:
            values: dict[str, object] = tomllib.loads(read_file(path).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProfileError(f"{path} is not a TOML file: {error}") from error
        if dialect is not None:
            values["dialect"] = dialect
        overridden = any(
            (environment or {}).get(_VARIABLE_PREFIX + name.upper()) for name in _RENEWED
        )
        values["file"] = None if overridden else str(path.absolute())
        return cls.from_values(
            values, source=str(path), directory=path.parent, environment=environment
        )

    @classmethod
    def from_endpoints(
        cls,
        path: Path,
        market: str | None = None,
        kind: str = "pharmacy",
        number: int = 0,
        dialect: Dialect | str | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the profile of a participant of a running simulator, from its `endpoints.json`.

        Participants of a kind in a market are counted from 0. Without a market the file's first
        one is taken, without a dialect the market's usual one. Raises ProfileError.
        """
        values, source = read_participant(path, market, kind=kind, number=number, dialect=dialect)
        return cls.from_values(
            values, source=source, directory=path.parent, environment=environment
        )

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, object],
        *,
        source: str,
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the profile of these values, paths among them relative to `directory`.

        A variable such as PHARMACY_PASSWORD in `environment` overrides the value of its name,
        except the dialect. Raises ProfileError.
        """
        merged = dict(values)
        for name in _PATHS:
            value = merged.get(name)
            if isinstance(value, str) and value:
                merged[name] = str((directory / value).absolute())
        for name in cls.__struct_fields__:
            given = (environment or {}).get(_VARIABLE_PREFIX + name.upper())
            if given and name not in ("dialect", "source", "file", "next_password"):
                merged[name] = given
        try:
            # Variables are texts: "2.5" has to do for a number.
            return msgspec.convert({**merged, "source": source}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ProfileError(f"The profile from {source} is wrong: {error}.") from error

    @property
    def user_agent(self) -> str:
        """Name of this software, as HTTP wants it."""
        return f"{self.software_name.replace(' ', '-')}/{self.software_version}"

    @property
    def uses_tls(self) -> bool:
        """Whether any of the addresses is an https one."""
        return any(
            url.startswith("https:") for url in (getattr(self, name) for name in _ADDRESSES) if url
        )

    def __repr__(self) -> str:
        """Show everything that is set, but no secret."""
        parts = []
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}={'***' if name in _SECRETS else repr(value)}")
        return f"Profile({', '.join(parts)})"


def _check_address(name: str, address: str | None) -> None:
    if address is None:
        return
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or " " in address:
        raise ValueError(f"`{name}` must be like https://host:port/path, not {address!r}")
