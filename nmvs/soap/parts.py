"""What the SOAP services of a market stand on, handed to each listener's dialect. No logic here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from nmvs.bulk.engine import Bulk
from nmvs.certificates.registry import Certificates
from nmvs.logins.registry import Logins
from nmvs.master_data import MasterData
from nmvs.operations import Operations
from nmvs.packs_for_tests import MakerOfTestPacks
from nmvs.soap.frequency import Frequency
from nmvs.soap.settings import SoapSettings


class SoapParts(NamedTuple):
    """All that a dialect needs; one for all listeners, so that limits hold for all together."""

    operations: Operations
    logins: Logins
    certificates: Certificates
    bulk: Bulk
    master_data: MasterData
    test_packs: MakerOfTestPacks
    settings: SoapSettings
    frequency: Frequency | None
    """None: clients may ask as often as they like."""
    certificate_client: Callable[[web.BaseRequest], str | None] | None
    """Returns the client login id that a request's certificate belongs to
    (`nmvs.certificates.gate`), None if it came where none is wanted."""
