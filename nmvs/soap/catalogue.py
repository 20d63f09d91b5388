"""What the SOAP interface offers, as tables: versions, services, operations.

A further version, service or operation is a row here. No parsing and no rendering enters.
Sources: the published v2.0 and v4.0 interface definitions as far as described; v5 is the v4
shape with another number in its names plus further return codes. Names marked inferred are made
by analogy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from emvs.states import Operation


class Version(NamedTuple):
    """One version of the interface; requests name it by their namespaces, never by the path.

    What its messages may hold is marked in the files of `definitions`, the codes that it has are in
    `nmvs.soap.codes`.
    """

    number: int
    path_numbers: tuple[int, ...]
    """Ends of the paths under which its definitions are found, the usual one first."""
    has_alert_ids: bool
    has_silent_twins: bool
    """Whether a finding that raises no alert has a return code of its own."""
    fallback_code: str
    """Stands for a return code that this version does not know."""
    national_numbers: re.Pattern[str]
    """Numbers that a reply can hold."""
    unique_by_schema: bool
    """Whether a bulk with the same pack twice does not fit the schema; otherwise it has a return
    code of its own."""

    def can_tell_number(self, national_number: str) -> bool:
        """Return whether a reply can hold a product's national number."""
        return self.national_numbers.fullmatch(national_number) is not None

    @property
    def elements_namespace(self) -> str:
        """Namespace of the outermost element of a request or reply."""
        return f"urn:wsdltypes.nmvs.eu:v{self.number}.0"

    @property
    def types_namespace(self) -> str:
        """Namespace of everything inside."""
        return f"urn:types.nmvs.eu:v{self.number}.0"

    @property
    def services_namespace(self) -> str:
        """Target namespace of the WSDL."""
        return f"urn:services.nmvs.eu:v{self.number}.0"


VERSIONS: Final = {
    2: Version(2, (20, 10), False, False, "ERROR", re.compile("[A-Z0-9]{8,20}"), True),
    4: Version(4, (40,), True, False, "TE_IF_01", re.compile(".{1,50}"), False),
    5: Version(5, (50,), True, True, "TE_IF_01", re.compile(".{1,50}"), False),
}
# TE_IF_01 says just this, but came with v4: software made for v2 does not know it (our choice).
NEWEST: Final = VERSIONS[max(VERSIONS)]


class Service(NamedTuple):
    """A group of operations with a WSDL of its own."""

    name: str
    context: str
    """First part of the path; the same in all versions."""
    path_stem: str
    """Last part of the path, before the version."""

    def path(self, version: Version) -> str:
        """Return the path as clients of `version` configure it."""
        return self.paths(version)[0]

    def paths(self, version: Version) -> tuple[str, ...]:
        """Return all paths that clients of `version` may have configured."""
        return tuple(
            f"/{self.context}/{self.path_stem}V{number:02d}" for number in version.path_numbers
        )


SERVICES: Final = {
    "single": Service("SinglePackServices", "WS_SINGLE_TRANSACTIONS_V1", "SinglePackService"),
    "bulk": Service("BulkServices", "WS_BULK_TRANSACTIONS_V1", "BulkService"),
    "mixed": Service("MixedBulkServices", "WS_MIXED_BULK_TRANSACTIONS_V1", "MixedBulkService"),
    "support": Service("SupportServices", "WS_SUPPORT_V1", "SupportService"),
    "pki": Service("PkiServices", "WS_PKI_V1", "PkiService"),
    "master": Service("MasterDataServices", "WS_MASTER_DATA_V1", "MasterDataService"),
}
# Inferred: the names of all but the single-pack service inside their WSDL.


class Shape(Enum):
    """What the body of a request holds; the values are names of types in the definitions."""

    PACK = "PackRequestType"
    """Product with batch, and pack."""
    UNDO = "UndoRequestType"
    """The same, and what is undone."""
    MANUAL = "ManualRequestType"
    """Product without batch, and pack: typed in by hand."""
    UNDO_MANUAL = "UndoManualRequestType"
    PING = "PingRequestType"
    """No header; the text comes back."""
    BULK = "BulkRequestType"
    """Product with batch, and many packs."""
    BULK_UNDO = "BulkUndoRequestType"
    BULK_RESULT = "BulkResultRequestType"
    """The ticket of a bulk."""
    MIXED = "MixedBulkRequestType"
    """Many items, each with an operation, a product and a pack of its own."""
    MIXED_RESULT = "MixedBulkResultRequestType"
    TICKETS = "TicketsRequestType"
    """Header alone."""
    CHANGE_PASSWORD = "ChangePasswordRequestType"  # noqa: S105 - name of a type
    LOAD_TERMS = "LoadTermsRequestType"
    """Header alone."""
    CONFIRM_TERMS = "ConfirmTermsRequestType"
    CERTIFICATE = "CertificateRequestType"
    MASTER_DATA = "MasterDataRequestType"
    """Product codes, or none for all."""
    TEST_DATA = "TestDataRequestType"
    """Header, and perhaps how many packs."""

    @property
    def response_type(self) -> str:
        """Name of the reply's type in the definitions."""
        return _RESPONSE_TYPES.get(self, "PackResponseType")

    @property
    def submits_many(self) -> bool:
        """Whether a request holds many packs."""
        return self in _SUBMITS_MANY

    @property
    def is_about_many(self) -> bool:
        """Whether a request holds many packs, or asks what came of them."""
        return self in _ABOUT_MANY

    @property
    def is_about_account(self) -> bool:
        """Whether a request is about the login itself, or its certificate."""
        return self in _ABOUT_ACCOUNT

    @property
    def is_about_data(self) -> bool:
        """Whether a request asks for data that are there: about products, or packs for tests."""
        return self in _ABOUT_DATA


_RESPONSE_TYPES: Final = {
    Shape.PING: "PingResponseType",
    Shape.BULK: "AcknowledgementType",
    Shape.BULK_UNDO: "AcknowledgementType",
    Shape.BULK_RESULT: "BulkResultResponseType",
    Shape.MIXED: "AcknowledgementType",
    Shape.MIXED_RESULT: "MixedBulkResultResponseType",
    Shape.TICKETS: "TicketsResponseType",
    Shape.CHANGE_PASSWORD: "AcknowledgementType",
    Shape.LOAD_TERMS: "TermsResponseType",
    Shape.CONFIRM_TERMS: "AcknowledgementType",
    Shape.CERTIFICATE: "CertificateResponseType",
    Shape.MASTER_DATA: "MasterDataResponseType",
    Shape.TEST_DATA: "TestDataResponseType",
}
_SUBMITS_MANY: Final = frozenset({Shape.BULK, Shape.BULK_UNDO, Shape.MIXED})
_ABOUT_MANY: Final = _SUBMITS_MANY | {Shape.BULK_RESULT, Shape.MIXED_RESULT, Shape.TICKETS}
_ABOUT_ACCOUNT: Final = frozenset(
    {Shape.CHANGE_PASSWORD, Shape.LOAD_TERMS, Shape.CONFIRM_TERMS, Shape.CERTIFICATE}
)
_ABOUT_DATA: Final = frozenset({Shape.MASTER_DATA, Shape.TEST_DATA})


class SoapOperation(NamedTuple):
    """One row of the catalogue."""

    name: str
    """Without the endings "Request" and "Response"."""
    wsdl_name: str
    action: str
    service: Service
    shape: Shape
    operation: Operation | None
    """None for what is about no pack, and for items that name one each."""
    version_numbers: frozenset[int]


# name         WSDL operation              soapAction service shape       operation        versions
_ROWS: Final = """
SinglePackPing PingSinglePack              =          single  PING        -                245
G110           G110Verify                  =          single  PACK        VERIFY           245
G112           G112ManualVerify            G112Verify single  MANUAL      VERIFY           45
G120           G120Dispense                =          single  PACK        SUPPLY           245
G121           G121UndoDispense            =          single  UNDO        UNDO_SUPPLY      245
G122           G122DispenseManualEntry     =          single  MANUAL      SUPPLY           245
G123           G123UndoDispenseManualEntry =          single  UNDO_MANUAL UNDO_SUPPLY      45
G130           G130Destroy                 =          single  PACK        DESTROY          245
G131           G131UndoDestroy             =          single  UNDO        UNDO_DESTROY     2
G140           G140Export                  =          single  PACK        EXPORT           245
G141           G141UndoExport              =          single  UNDO        UNDO_EXPORT      245
G150           G150Sample                  =          single  PACK        SAMPLE           245
G151           G151UndoSample              =          single  UNDO        UNDO_SAMPLE      245
G160           G160FreeSample              =          single  PACK        FREE_SAMPLE      245
G161           G161UndoFreeSample          =          single  UNDO        UNDO_FREE_SAMPLE 245
G170           G170Lock                    =          single  PACK        LOCK             245
G171           G171UndoLock                =          single  UNDO        UNDO_LOCK        245
G180           G180Stolen                  =          single  PACK        STOLEN           245
G181           G181UndoStolen              =          single  UNDO        UNDO_STOLEN      2
G182           G182StolenManualEntry       =          single  MANUAL      STOLEN           245
BulkPing       PingBulk                    =          bulk    PING        -                245
G101           G101RequestBulkIds          =          bulk    TICKETS     -                245
G115           G115BulkVerify              =          bulk    BULK        VERIFY           245
G125           G125BulkDispense            =          bulk    BULK        SUPPLY           245
G127           G127BulkUndoDispense        =          bulk    BULK_UNDO   UNDO_SUPPLY      245
G135           G135BulkDestroy             =          bulk    BULK        DESTROY          245
G137           G137BulkUndoDestroy         =          bulk    BULK_UNDO   UNDO_DESTROY     2
G145           G145BulkExport              =          bulk    BULK        EXPORT           245
G147           G147BulkUndoExport          =          bulk    BULK_UNDO   UNDO_EXPORT      245
G155           G155BulkSample              =          bulk    BULK        SAMPLE           245
G157           G157BulkUndoSample          =          bulk    BULK_UNDO   UNDO_SAMPLE      245
G165           G165BulkFreeSample          =          bulk    BULK        FREE_SAMPLE      245
G167           G167BulkUndoFreeSample      =          bulk    BULK_UNDO   UNDO_FREE_SAMPLE 245
G175           G175BulkLocks               =          bulk    BULK        LOCK             245
G177           G177BulkUndoLock            =          bulk    BULK_UNDO   UNDO_LOCK        245
G185           G185BulkStolen              =          bulk    BULK        STOLEN           245
G187           G187BulkUndoStolen          =          bulk    BULK_UNDO   UNDO_STOLEN      2
G188           G188RequestBulkPackResult   =          bulk    BULK_RESULT -                245
MixedBulkPing  PingMixedBulk               =          mixed   PING        -                245
G195           G195SubmitBulkTransaction   =          mixed   MIXED       -                245
G196           G196RequestBulkTransactionResult =     mixed   MIXED_RESULT -               245
SupportPing    PingSupport                 =          support PING        -                245
G445           G445ChangePassword          =          support CHANGE_PASSWORD -            245
G482           G482LoadTermsAndConditions  =          support LOAD_TERMS  -                245
G483           G483ConfirmTermsAndConditions =        support CONFIRM_TERMS -              245
G901           G901RequestTestData         =          support TEST_DATA   -                245
PkiPing        PingPki                     =          pki     PING        -                245
G615           G615DownloadCertificate     =          pki     CERTIFICATE -                245
MasterDataPing PingMasterData              =          master  PING        -                245
G201           G201DownloadMasterData      =          master  MASTER_DATA -                245
"""
# Inferred: the WSDL operations and soapActions of all services but the single-pack one; G101, G201,
# and G901 with its service; the pings of mixed bulk, PKI and master data altogether.


def _read_rows(text: str) -> tuple[SoapOperation, ...]:
    rows = (line.split() for line in text.strip().splitlines())
    return tuple(
        SoapOperation(
            name,
            wsdl_name,
            f"urn:{wsdl_name if action == '=' else action}",
            SERVICES[service],
            Shape[shape],
            None if operation == "-" else Operation[operation],
            frozenset(map(int, versions)),
        )
        for name, wsdl_name, action, service, shape, operation, versions in rows
    )


OPERATIONS: Final = _read_rows(_ROWS)


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """An operation in one version: what a request's outermost element selects."""

    row: SoapOperation
    version: Version
    operation: Operation | None
    has_batch: bool
    """Whether the product of a request holds a batch."""
    is_manual: bool
    is_undo: bool
    response_name: str
    """Local name of the reply's outermost element."""
    body_name: str
    """Local name of what stands behind the reply's header."""


def make_endpoint(row: SoapOperation, version: Version) -> Endpoint:
    """Return an operation as it is in `version`."""
    return Endpoint(
        row,
        version,
        row.operation,
        has_batch=row.shape in (Shape.PACK, Shape.UNDO, Shape.BULK, Shape.BULK_UNDO),
        is_manual=row.shape in (Shape.MANUAL, Shape.UNDO_MANUAL),
        is_undo=row.operation is not None and row.operation.is_undo,
        response_name=f"{row.name}Response",
        body_name="TransactionData" if row.shape is Shape.TEST_DATA else "Body",
    )
