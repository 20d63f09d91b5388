"""What a market may set about this dialect: the points that sources leave open, and the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emvs.limits import SERVICE_BODY_BYTES_MAX, SERVICE_BODY_READ_S_MAX
from emvs.states import State


@dataclass(frozen=True, slots=True)
class SoapSettings:
    """Settings of the SOAP dialect."""

    verify_codes: Mapping[State, str] = field(default_factory=dict)
    """Return code of a verification by effective state; SUCCESS where none is given, because the
    state and its reasons are the answer that a user acts on. No source tells for certain which
    code goes with an inactive pack. Also possible: NC_PCK_03 for any of them; or FE_LOT_01 for
    RECALLED, NC_PCK_02 for EXPIRED and FE_LOT_08 for WITHDRAWN."""
    body_bytes_max: int = SERVICE_BODY_BYTES_MAX
    body_read_s_max: float = SERVICE_BODY_READ_S_MAX
