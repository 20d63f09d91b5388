"""What the SOAP services of a market stand on, handed to each listener's dialect. No logic here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from nmvs.certificates.registry import Certificates
from nmvs.logins.registry import Logins
from nmvs.operations import Operations
from nmvs.soap.bulk_calls import BulkCalls
from nmvs.soap.bulk_intake import Intake
from nmvs.soap.data_calls import DataCalls
from nmvs.soap.frequency import Frequency
from nmvs.soap.settings import SoapSettings


class SoapParts(NamedTuple):
    """All that a dialect needs; one for all listeners, so that limits hold for all together."""

    operations: Operations
    logins: Logins
    certificates: Certificates
    bulk_calls: BulkCalls
    data_calls: DataCalls
    intake: Intake
    settings: SoapSettings
    frequency: Frequency | None
    """None: clients may ask as often as they like."""
    certificate_client: Callable[[web.BaseRequest], str | None] | None
    """Returns the client login id that a request's certificate belongs to
    (`nmvs.certificates.gate`), None if it came where none is wanted."""
