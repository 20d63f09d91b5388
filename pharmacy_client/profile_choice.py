"""Which profile is taken: what the user chose, else what lies nearest.

Nothing is read from the process here: environment and directories come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from emvs.markets import Dialect
from pharmacy_client.errors import ProfileError
from pharmacy_client.profile import Profile

DEFAULT_ENDPOINTS: Final = Path(".emvs") / "endpoints.json"
DEFAULT_PROFILE: Final = Path(".config") / "emvs" / "pharmacy.toml"


class Choice(NamedTuple):
    """What the user chose; None where nothing was said."""

    profile: Path | None = None
    endpoints: Path | None = None
    market: str | None = None
    kind: str = "pharmacy"
    participant: int = 0
    dialect: Dialect | None = None


def find_profile(
    choice: Choice, *, environment: Mapping[str, str], directory: Path, home: Path
) -> Profile:
    """Return the profile that the user means.

    The first that applies: the chosen profile file; the chosen `endpoints.json`; the one of the
    simulator that runs in `directory`; the user's own profile file; variables alone. Single
    values are overridden by variables in any case. Raises ProfileError.
    """
    if choice.profile is not None and choice.endpoints is not None:
        raise ProfileError("Give a profile file or an endpoints file, not both.")
    own = choice.profile
    endpoints = choice.endpoints
    if own is None and endpoints is None:
        if (directory / DEFAULT_ENDPOINTS).is_file():
            endpoints = directory / DEFAULT_ENDPOINTS
        elif (home / DEFAULT_PROFILE).is_file():
            own = home / DEFAULT_PROFILE
    if endpoints is not None:
        return Profile.from_endpoints(
            endpoints,
            choice.market,
            kind=choice.kind,
            number=choice.participant,
            dialect=choice.dialect,
            environment=environment,
        )
    if choice.market is not None:
        raise ProfileError(
            "A market can be chosen only from an endpoints file, and there is none:"
            f" {DEFAULT_ENDPOINTS} does not exist here. Does the simulator run (`emvs status`)? The"
            " file goes when it is stopped; what waits in a queue is kept. A profile file names its"
            " system itself."
        )
    if own is not None:
        return Profile.from_file(own, dialect=choice.dialect, environment=environment)
    if "PHARMACY_URL" in environment:
        usual = Dialect.REST if "PHARMACY_TOKEN_URL" in environment else Dialect.SOAP
        return Profile.from_values(
            {"dialect": choice.dialect or usual},
            source="the environment",
            directory=directory,
            environment=environment,
        )
    raise ProfileError(
        f"No profile was found: there is neither {DEFAULT_ENDPOINTS} here nor ~/{DEFAULT_PROFILE}."
        " Start the simulator with `make up`, or name a file with --profile or --endpoints."
    )
