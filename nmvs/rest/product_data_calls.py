"""Product master data in bulk: our guess at a call of which only operation codes are known.

The codes of the family 4x tell that something is asked for and fetched later, a column in a report
that an organisation must have the right to it. Paths, members and the meaning of each code are our
own proposal.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Final

import msgspec

from emvs.errors import ForbiddenError
from nmvs.reports.documents import Documents
from nmvs.reports.jobs import Job, JobKind, JobStatus
from nmvs.reports.limits import PRODUCT_CODES_MAX
from nmvs.rest import document_codes as codes
from nmvs.rest.messages import Refusal
from nmvs.rest.replies import RefusingCodes, code_reply, refusing, wire_time
from nmvs.rest.report_calls import NotMadeYet
from nmvs.rest.routes import Call, Reply, Route
from nmvs.rest.streaming import begun

_TAG: Final = "Product data"
_CODES: Final = RefusingCodes(codes.PRODUCT_DATA_REQUEST_INVALID, codes.PRODUCT_DATA_UNKNOWN)

ProductCode = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z]{1,50}\Z")]


class ProductDataRequest(msgspec.Struct, rename="camel"):
    """Body of a request: which products; all if none is named."""

    product_codes: list[ProductCode] | None = None


class ProductDataAccepted(msgspec.Struct, kw_only=True, rename="camel"):
    """The answer to a request."""

    operation_code: str
    id: str
    uri: str
    eta: str
    expires: str


class ProductEntry(msgspec.Struct, kw_only=True, rename="camel"):
    """A product."""

    product_code_scheme: str
    """gs1 or ifa."""
    product_code: str
    name: str
    common_name: str
    nhrn: str | None
    version: int
    markets: list[str]
    withdrawn: bool
    withdrawn_at: str | None
    withdrawal_reason: str | None


class ProductData(msgspec.Struct, kw_only=True, rename="camel"):
    """Products, in the order of their codes."""

    operation_code: str
    products: list[ProductEntry]


class ProductDataCalls:
    """Handlers."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @refusing(_CODES)
    async def ask(self, call: Call) -> Reply:
        """Have product data made."""
        self._check_right(call)
        body: ProductDataRequest = call.body
        asked = body.product_codes or None
        if asked is not None:
            if len(asked) > PRODUCT_CODES_MAX:
                return code_reply(codes.PRODUCT_DATA_TOO_MANY)
            known = self._documents.sources.catalogue.products
            if unknown := [code for code in asked if code not in known]:
                told = {"productCodes": unknown}
                return code_reply(codes.PRODUCT_DATA_PRODUCT_UNKNOWN, told)
        job = await self._documents.ask(
            call.participant, JobKind.PRODUCT_DATA, {"productCodes": asked}
        )
        uri = f"{call.base_url}/product/data/{job.job_id}"
        members = {
            "id": str(job.job_id),
            "uri": uri,
            "eta": wire_time(await self._documents.eta()),
            "expires": wire_time(job.expires_at),
        }
        return code_reply(codes.PRODUCT_DATA_ASKED, members, headers={"Location": uri})

    @refusing(_CODES)
    async def fetch(self, call: Call) -> Reply:
        """Return product data, or when they will be ready."""
        self._check_right(call)
        job = await self._documents.find(
            call.participant, JobKind.PRODUCT_DATA, call.parameters["id"]
        )
        if job.status is JobStatus.WAITING:
            eta = wire_time(await self._documents.eta())
            return code_reply(codes.PRODUCT_DATA_NOT_READY, {"eta": eta})
        if job.status is JobStatus.FAILED:
            return code_reply(codes.PRODUCT_DATA_UNKNOWN)
        head = f'{{"operationCode":"{codes.PRODUCT_DATA}","products":['.encode()
        return Reply(200, head, stream=await begun(self._elements(job)))

    async def _elements(self, job: Job) -> AsyncGenerator[bytes, None]:
        async for part in self._documents.content(job):
            yield part
        yield b"]}"

    def _check_right(self, call: Call) -> None:
        if not self._documents.sources.rights.has(call.participant.organisation):
            raise ForbiddenError("the organisation has not the right to product data")


def product_data_routes(documents: Documents) -> Sequence[Route]:
    """Return the rows of the calls."""
    calls = ProductDataCalls(documents)
    refused = {403: Refusal, 404: Refusal, 422: Refusal}
    return (
        Route(
            "POST",
            "/product/data",
            "requestProductData",
            "Have product master data made ready",
            calls.ask,
            request=ProductDataRequest,
            invalid_body_code=codes.PRODUCT_DATA_REQUEST_INVALID,
            answers={200: ProductDataAccepted, 429: Refusal, **refused},
            tag=_TAG,
            located=(200,),
            ours=True,
        ),
        Route(
            "GET",
            "/product/data/{id}",
            "getProductData",
            "Product master data",
            calls.fetch,
            answers={200: ProductData, 409: NotMadeYet, **refused},
            tag=_TAG,
            ours=True,
        ),
    )
