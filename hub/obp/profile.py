"""A profile: which hub to speak to, and as whom; and which one is taken when nobody says so.

Nothing is read from the process here: environment and directories come in.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec

from emvs.clients.files import UnreadableFileError, read_bounded
from emvs.obp_messages import PostalOrganisation
from emvs.transaction_ids import Actor
from hub.obp.errors import ProfileError

DEFAULT_ENDPOINTS: Final = Path(".emvs") / "endpoints.json"
DEFAULT_PROFILE: Final = Path(".config") / "emvs" / "obp.toml"
DEFAULT_JOURNAL: Final = Path(".local") / "state" / "emvs" / "obp"
_JOURNAL_BESIDE_ENDPOINTS: Final = "obp"
_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""An `endpoints.json` of all markets with 200 packs each has some 2 MB (our choice)."""
_VARIABLE_PREFIX: Final = "OBP_"
_SECRETS: Final = frozenset({"token"})
_PATHS: Final = ("ca", "certificate", "key", "journal")
_TIMEOUT_S_MAX: Final = 24 * 3600.0
_ACTORS: Final = {"obp": Actor.MANUFACTURER, "parallel_distributor": Actor.PARALLEL_DISTRIBUTOR}
_DEMO_COMPANY: Final = {
    "id": "DEMO-MAH",
    "name": "Demo Pharma",
    "street": "Example Street 1",
    "street2": "",
    "city": "Sampletown",
    "postCode": "1010",
    "country": "AT",
}
"""Stands for the manufacturer of a simulator, whose `endpoints.json` tells no address."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the client has to know. Raises ValueError for values that cannot be right."""

    url: str
    """Address of the hub before `/obp/v1`."""
    organisation_id: str
    client_id: str
    token: str
    token_ends_at: str | None = None
    """When a session token ends, ISO 8601; None: not known, or never."""
    kind: Literal["obp", "parallel_distributor"] = "obp"
    journal: str
    """Folder in which transaction ids and what is not sent yet are kept."""
    company: PostalOrganisation | None = None
    """Who places the safety features, unless an upload says otherwise."""
    ca: str | None = None
    """File of certificates to trust; without one, those of the machine."""
    certificate: str | None = None
    """Client certificate, a PEM file."""
    key: str | None = None
    """Its key, a PEM file; may be in the certificate's file."""
    connect_timeout_s: float = 5.0
    timeout_s: float = 60.0
    """For an answer, once the request has been sent; and for each piece of a body."""
    give_up_s: float = 120.0
    """For how long a request is repeated that the hub cannot take now."""
    source: str = "given by the program"
    """Where the profile is from, for messages."""

    def __post_init__(self) -> None:
        """Check what types alone cannot."""
        _check_address(self.url)
        for name, length in (("organisation_id", 5), ("client_id", 3)):
            value = getattr(self, name)
            if not (len(value) == length and value.isascii() and value.isalnum()):
                raise ValueError(f"`{name}` has {length} digits or capitals, not {value!r}")
        if not (self.token and self.token.isascii() and self.token.isprintable()):
            raise ValueError("`token` is a line of printable ASCII characters")
        if self.key is not None and self.certificate is None:
            raise ValueError("`key` is given, but no `certificate`")
        for name in ("connect_timeout_s", "timeout_s", "give_up_s"):
            if not 0 < getattr(self, name) <= _TIMEOUT_S_MAX:
                raise ValueError(f"`{name}` must be above 0, at most {_TIMEOUT_S_MAX:g}")

    @property
    def actor(self) -> Actor:
        """Whose mark the transaction ids bear."""
        return _ACTORS[self.kind]

    @classmethod
    def from_file(
        cls, path: Path, *, home: Path, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Return the profile in a TOML file. Paths in it are relative to the file's directory.

        `environment` overrides single values, as `from_values` says. Raises ProfileError.
        """
        try:
            values: dict[str, Any] = tomllib.loads(_read(path).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProfileError(f"{path} is not a TOML file: {error}") from error
        values.setdefault("journal", str(home / DEFAULT_JOURNAL))
        return cls.from_values(
            values, source=str(path), directory=path.parent, environment=environment
        )

    @classmethod
    def from_endpoints(cls, path: Path, *, environment: Mapping[str, str] | None = None) -> Self:
        """Return the profile of a running simulator's manufacturer, from its `endpoints.json`.

        The journal stands beside that file. Raises ProfileError.
        """
        try:
            content = json.loads(_read(path))
            found = next(who for who in content["participants"] if who["kind"] == "obp")
            login = {name: found["hub"][name] for name in ("organisation_id", "client_id", "token")}
            values = {"url": content["hub"]["url"], "company": _DEMO_COMPANY, **login}
        except StopIteration as error:
            raise ProfileError(f"{path} names no manufacturer.") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            text = f"{path} is not the endpoints file of `emvs up`: {error!r}"
            raise ProfileError(text) from error
        values["journal"] = _JOURNAL_BESIDE_ENDPOINTS
        return cls.from_values(
            values, source=str(path), directory=path.parent, environment=environment
        )

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, Any],
        *,
        source: str,
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the profile of these values, paths among them relative to `directory`.

        A variable such as OBP_TOKEN in `environment` overrides the value of its name. Raises
        ProfileError.
        """
        merged = dict(values)
        for name in _PATHS:
            value = merged.get(name)
            if isinstance(value, str) and value:
                merged[name] = str((directory / Path(value).expanduser()).absolute())
        for name in cls.__struct_fields__:
            given = (environment or {}).get(_VARIABLE_PREFIX + name.upper())
            if given and name not in ("company", "source"):
                merged[name] = given
        try:
            # Variables are texts: "2.5" has to do for a number.
            return msgspec.convert({**merged, "source": source}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ProfileError(f"The profile from {source} is wrong: {error}.") from error

    def __repr__(self) -> str:
        """Show everything that is set, but no secret."""
        shown = (
            f"{name}={'***' if name in _SECRETS else repr(getattr(self, name))}"
            for name in self.__struct_fields__
            if getattr(self, name) is not None
        )
        return f"Profile({', '.join(shown)})"


class Choice(NamedTuple):
    """What the user chose; None where nothing was said."""

    profile: Path | None = None
    endpoints: Path | None = None


def find_profile(
    choice: Choice, *, environment: Mapping[str, str], directory: Path, home: Path
) -> Profile:
    """Return the profile that the user means.

    The first that applies: the chosen profile file; the chosen `endpoints.json`; the one of the
    simulator that runs in `directory`; the user's own profile file; variables alone. Single
    values are overridden by variables in any case. Raises ProfileError.
    """
    own, endpoints = choice
    if own is not None and endpoints is not None:
        raise ProfileError("Give a profile file or an endpoints file, not both.")
    if own is None and endpoints is None:
        if (directory / DEFAULT_ENDPOINTS).is_file():
            endpoints = directory / DEFAULT_ENDPOINTS
        elif (home / DEFAULT_PROFILE).is_file():
            own = home / DEFAULT_PROFILE
    if endpoints is not None:
        return Profile.from_endpoints(endpoints, environment=environment)
    if own is not None:
        return Profile.from_file(own, home=home, environment=environment)
    if "OBP_URL" in environment:
        return Profile.from_values(
            {"journal": str(home / DEFAULT_JOURNAL)},
            source="the environment",
            directory=directory,
            environment=environment,
        )
    raise ProfileError(
        f"No profile was found: there is neither {DEFAULT_ENDPOINTS} here nor ~/{DEFAULT_PROFILE}."
        " Start the simulator with `make up`, or name a file with --profile or --from-endpoints."
    )


def secure_address(endpoints: Path) -> tuple[str, Path]:
    """Return the address of a running simulator's hub with TLS, and the file with the root that
    signs its certificate. Raises ProfileError."""
    try:
        content = json.loads(_read(endpoints))
        return str(content["hub"]["secure"]), endpoints.parent / content["ca"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        text = f"{endpoints} tells no address of a hub with TLS: {error!r}"
        raise ProfileError(text) from error


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, _FILE_BYTES_MAX)
    except UnreadableFileError as error:
        raise ProfileError(str(error)) from error


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not address.isprintable() or " " in address:
        raise ValueError(f"`url` must be like https://host:port, not {address!r}")
