"""Requests about packs as bytes, and the codes in their answers. Pure: no socket here.

Texts are made once for each site; a request fills in a handful of values. Expected codes are the
tables at the end: what a pack's own history makes of each request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from loadtests.scenarios.mix import Fault, Operation
from loadtests.scenarios.packs import Pack
from loadtests.scenarios.plan import Site
from loadtests.scenarios.shelves import Job

SINGLE_PATH: Final = "/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50"
BULK_PATH: Final = "/WS_BULK_TRANSACTIONS_V1/BulkServiceV50"

SOAP_NAMES: Final = {
    Operation.VERIFY: ("G110", "G112"),
    Operation.SUPPLY: ("G120", "G122"),
    Operation.UNDO: ("G121", "G121"),
    Operation.DESTROY: ("G130", "G130"),
    Operation.SAMPLE: ("G150", "G150"),
    Operation.LOCK: ("G170", "G170"),
    Operation.STOLEN: ("G180", "G180"),
    Operation.FREE_SAMPLE: ("G160", "G160"),
    Operation.EXPORT: ("G140", "G140"),
    Operation.BULK_VERIFY: ("G115", "G115"),
    Operation.BULK_SUPPLY: ("G125", "G125"),
    Operation.BULK_RESULT: ("G188", "G188"),
}
"""Names of the SOAP operations: scanned and typed in."""
REST_STATES: Final = {
    Operation.SUPPLY: "Supplied",
    Operation.UNDO: "Active",
    Operation.DESTROY: "Destroyed",
    Operation.SAMPLE: "Sample",
    Operation.LOCK: "Locked",
    Operation.STOLEN: "Stolen",
    Operation.FREE_SAMPLE: "FreeSample",
    Operation.EXPORT: "Exported",
}
_STATE_DIGITS: Final = {
    Operation.DESTROY: "03",
    Operation.LOCK: "04",
    Operation.EXPORT: "05",
    Operation.SAMPLE: "06",
    Operation.STOLEN: "07",
    Operation.FREE_SAMPLE: "08",
}

_ENVELOPE: Final = (
    '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:env="urn:wsdltypes.nmvs.eu:v5.0" xmlns:t="urn:types.nmvs.eu:v5.0"><soap:Header/>'
    "<soap:Body><env:{name}Request><t:Header><t:Auth><t:ClientLoginId>{client}</t:ClientLoginId>"
    "<t:UserId>{user}</t:UserId><t:Password>{password}</t:Password></t:Auth>"
    '<t:UserSoftware t:name="EmvsLoad" t:supplier="Example Ltd" t:version="1.0"/>'
    "<t:Transaction><t:ClientTrxId>%(trx)s</t:ClientTrxId><t:Language>eng</t:Language>"
    "</t:Transaction></t:Header><t:Body>{body}</t:Body></env:{name}Request></soap:Body>"
    "</soap:Envelope>"
)
_PRODUCT: Final = (
    '<t:Product><t:ProductCode t:scheme="GTIN">{product}</t:ProductCode>{batch}</t:Product>'
)
_BATCH: Final = "<t:Batch><t:Id>%(batch)s</t:Id><t:ExpDate>%(expiry)s</t:ExpDate></t:Batch>"
_PACK: Final = '<t:Pack t:sn="%(serial)s"/>'
_REFERENCE: Final = "<t:RefClientTrxId>%(reference)s</t:RefClientTrxId>"


class Request(NamedTuple):
    """One HTTP request: whole for a connection of our own, and in parts for a client library."""

    method: str
    path: str
    head: str
    """Headers, each with its line end, without those on the length."""
    body: str

    def as_bytes(self) -> bytes:
        """Return the request as it goes over a connection."""
        length = f"Content-Length: {len(self.body)}\r\n" if self.body else ""
        return (
            f"{self.method} {self.path} HTTP/1.1\r\n{self.head}{length}\r\n{self.body}"
        ).encode()

    def headers(self) -> dict[str, str]:
        """Return the headers for a client library."""
        lines = self.head.split("\r\n")
        return dict(line.split(": ", 1) for line in lines if line and not line.startswith("Host:"))


class Writer:
    """Writes the requests of one site."""

    def __init__(self, site: Site, product_code: str, foreign_code: str | None) -> None:
        self.site = site
        self._host = urlsplit(site.base).netloc
        self._codes = product_code, foreign_code or product_code
        self._texts: dict[tuple[str, bool], str] = {}
        self.token = ""
        """Access token for REST; whoever has a new one sets it."""
        self._write: Callable[[Job, str], Request] = self._soap if site.soap else self._rest

    def request(self, job: Job, transaction: str) -> Request:
        """Return the request for a job."""
        return self._write(job, transaction)

    def _soap(self, job: Job, transaction: str) -> Request:
        name = SOAP_NAMES[job.operation][job.manual]
        text = self._texts.get((name, job.foreign)) or self._make_text(name, job)
        pack = job.pack
        values = {"trx": transaction, "serial": pack.serial, "batch": pack.batch}
        values |= {"expiry": pack.expiry, "reference": job.reference or transaction}
        return Request("POST", SINGLE_PATH, self._soap_head(), text % values)

    def _soap_head(self) -> str:
        return f"Host: {self._host}\r\nContent-Type: application/soap+xml; charset=utf-8\r\n"

    def _make_text(self, name: str, job: Job) -> str:
        batch = "" if job.manual and name in {"G112", "G122"} else _BATCH
        body = _PRODUCT.format(product=self._codes[job.foreign], batch=batch) + _PACK
        body += _REFERENCE if job.operation is Operation.UNDO else ""
        text = self._frame(name, body)
        self._texts[name, job.foreign] = text
        return text

    def _frame(self, name: str, body: str) -> str:
        login = self.site.soap
        assert login is not None, "a site of the SOAP dialect has a login to it"
        return _ENVELOPE.format(
            name=name,
            client=login.client_login_id,
            user=login.user_id,
            password=login.password.replace("%", "%%"),
            body=body,
        )

    def _rest(self, job: Job, _: str) -> Request:
        pack, state = job.pack, REST_STATES.get(job.operation)
        path = (
            f"/verification/product/gs1/{self._codes[job.foreign]}/pack/{pack.serial}"
            f"?batch={pack.batch}&expiry={pack.expiry}"
        )
        head = self._rest_head("manual" if job.manual else "non-manual")
        if state is None:
            return Request("GET", path, head, "")
        head += "Content-Type: application/json\r\n"
        return Request("PATCH", path, head, f'{{"state":"{state}"}}')

    def _rest_head(self, mode: str) -> str:
        return (
            f"Host: {self._host}\r\nAuthorization: Bearer {self.token}\r\n"
            f"emvs-data-entry-mode: {mode}\r\n"
        )

    def bulk_request(self, operation: Operation, packs: Sequence[Pack], trx: str) -> Request:
        """Return the submission of packs of one batch."""
        first = packs[0]
        if self.site.soap:
            product = _PRODUCT.format(product=self._codes[0], batch=_BATCH)
            listed = "".join(f'<t:Pack t:sn="{pack.serial}"/>' for pack in packs)
            body = f"{product}<t:Packs>{listed.replace('%', '%%')}</t:Packs>"
            text = self._frame(SOAP_NAMES[operation][0], body)
            values = {"trx": trx, "batch": first.batch, "expiry": first.expiry}
            return Request("POST", BULK_PATH, self._soap_head(), text % values)
        state = '"state":"Supplied",' if operation is Operation.BULK_SUPPLY else ""
        listed = ",".join(
            f'{{"productCodeScheme":"gs1","productCode":"{self._codes[0]}",'
            f'"serialNumber":"{pack.serial}","batchId":"{pack.batch}",'
            f'"expiryDate":"{pack.expiry}"}}'
            for pack in packs
        )
        head = self._rest_head("non-manual") + "Content-Type: application/json\r\n"
        body = f'{{{state}"numberOfPacks":{len(packs)},"packs":[{listed}]}}'
        return Request("POST", "/verification/product/packs", head, body)

    def result_request(self, ticket: str, trx: str) -> Request:
        """Return the request for the results of a submission."""
        if self.site.soap:
            text = self._frame("G188", f"<t:RefNMVSTrxId>{ticket}</t:RefNMVSTrxId>")
            return Request("POST", BULK_PATH, self._soap_head(), text % {"trx": trx})
        return Request("GET", ticket, self._rest_head("non-manual"), "")


def soap_code(body: bytes) -> str:
    """Return the return code of an answer, without NMVS_; "" if there is none."""
    at = body.rfind(b'code="NMVS_')
    return _until_quote(body, at + 11) if at >= 0 else ""


def rest_code(body: bytes) -> str:
    """Return the operation code of an answer; "" if there is none."""
    at = body.find(b'"operationCode":"')
    return _until_quote(body, at + 17) if at >= 0 else ""


def _until_quote(body: bytes, start: int) -> str:
    end = body.find(b'"', start, start + _CODE_LENGTH_MAX)
    return body[start:end].decode(errors="replace") if end >= 0 else ""


_CODE_LENGTH_MAX: Final = 40


_SOAP_FAULTS: Final = {
    Fault.ALREADY_INACTIVE: frozenset({"NC_PCK_22"}),
    Fault.SERIAL_UNKNOWN: frozenset({"NC_PC_02"}),
    Fault.BATCH_MISMATCH: frozenset({"FE_LOT_13"}),
    Fault.BATCH_UNKNOWN: frozenset({"FE_LOT_03"}),
    Fault.EXPIRY_MISMATCH: frozenset({"FE_LOT_12"}),
}
# The last two digits of an unknown identifier may hint at a fault of the scanner.
_HINTS: Final = frozenset(f"410200{number:02}" for number in range(7, 13))
_REST_FAULTS: Final = {
    Fault.ALREADY_INACTIVE: frozenset({"51220200"}),
    Fault.SERIAL_UNKNOWN: frozenset({"41020001"}) | _HINTS,
    Fault.BATCH_MISMATCH: frozenset({"41020003"}) | _HINTS,
    Fault.BATCH_UNKNOWN: frozenset({"41020002"}) | _HINTS,
    Fault.EXPIRY_MISMATCH: frozenset({"41020005"}),
}
_SOAP_DONE: Final = frozenset({"SUCCESS"})
_SOAP_REPEATED: Final = frozenset({"NC_PCK_23"})
_SOAP_RECALLED: Final = frozenset({"SUCCESS", "NC_PCK_22", "NC_PCK_30", "NC_PCK_06", "NC_PCK_29"})
_REST_DONE: Final = {
    Operation.VERIFY: frozenset({"11110100"}),
    Operation.SUPPLY: frozenset({"11210200"}),
    Operation.UNDO: frozenset({"11410100"}),
    **{operation: frozenset({f"1131{state}00"}) for operation, state in _STATE_DIGITS.items()},
}
_REST_REPEATED: Final = frozenset({"11220200", "11220201"})
_REST_RECALLED: Final = frozenset({"11111000", "51221000", "51321000", "51421000", "11411000"})


def expected_codes(job: Job, *, is_soap: bool, recalled: bool) -> frozenset[str]:
    """Return the codes that the pack's history allows as an answer.

    `recalled`: the pack's batch is being recalled, so it depends on when the recall arrives.
    """
    if job.fault:
        return (_SOAP_FAULTS if is_soap else _REST_FAULTS)[job.fault]
    if job.repeat:
        return _SOAP_REPEATED if is_soap else _REST_REPEATED
    if is_soap:
        return _SOAP_RECALLED if recalled else _SOAP_DONE
    done = _REST_DONE[job.operation]
    return done | _REST_RECALLED if recalled else done
