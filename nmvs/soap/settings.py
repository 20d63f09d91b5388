"""What a market may set about this dialect: the points that sources leave open, and the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated

import msgspec

from emvs.limits import SERVICE_BODY_BYTES_MAX, SERVICE_BODY_READ_S_MAX
from emvs.states import State
from nmvs.rate_plans import RatePlan
from nmvs.soap.interface import OpenNames


@dataclass(frozen=True, slots=True)
class SoapSettings:
    """Settings of the SOAP dialect."""

    verify_codes: Mapping[State, str] = field(default_factory=dict)
    """Return code of a verification by effective state; SUCCESS where none is given, because the
    state and its reasons are the answer that a user acts on. No source tells for certain which
    code goes with an inactive pack. Also possible: NC_PCK_03 for any of them; or FE_LOT_01 for
    RECALLED, NC_PCK_02 for EXPIRED and FE_LOT_08 for WITHDRAWN."""
    bulk_packs_max: int = 100_000
    """Packs, or items of a mixed bulk, that are taken at once; FE_TX_07 beyond. The schema allows
    as many as this, and no more."""
    bulk_body_bytes_max: int = 128 * 1024 * 1024
    """A hundred thousand items with all blanks of the published examples have some 80 MB."""
    bulk_body_read_s_max: float = 300.0
    """How long the sender of a large body may keep us waiting, all in all."""
    ticket_list: str = OpenNames().ticket_list
    """Operation that lists the own open bulk requests; its number is not public."""
    manual_undo_item: str = OpenNames().manual_undo_item
    """Element of a mixed bulk that undoes what was typed in by hand; its name is not public."""
    master_data: str = OpenNames().master_data
    """Operation that downloads master data; its number is not public."""
    master_data_page: str = OpenNames().master_data_page
    """Element that asks for a page of master data; its name is not public."""
    master_data_page_products: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    """Products in a page (our choice)."""
    master_data_body_bytes_max: int = 128 * 1024
    """A thousand product codes, as many as can be asked for at once, have some 80 kB."""
    sandbox: bool = True
    """Whether packs for tests are handed out."""
    test_data: str = OpenNames().test_data
    """Operation that hands them out; its number is not public."""
    test_packs_per_day_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    """Packs for tests that a client login id gets in a day (our choice)."""
    rate_plan: RatePlan | None = None
    """How many requests a client login id may send: FI_SE_CLI_01 beyond. The code is public, the
    real figures are not; None: no limit."""
    answer_s_max: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 30.0
    """How long anything may take that is not about one pack: TI_TO_01 beyond (our choice)."""
    body_bytes_max: int = SERVICE_BODY_BYTES_MAX
    body_read_s_max: float = SERVICE_BODY_READ_S_MAX

    @property
    def open_names(self) -> OpenNames:
        """Return the names that a market may set."""
        return OpenNames(*(getattr(self, name.name) for name in fields(OpenNames)))
