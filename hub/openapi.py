"""The OpenAPI 3.1 document of the manufacturers' interface, made from a table of its calls and from
the messages. A test holds that the table has every path that is served, and no other.

`python -m hub.openapi` prints it.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from emvs.account_messages import (
    CertificateRequest,
    ClientAccount,
    ClientCertificate,
    OrganisationAccount,
    ReportingSubscription,
    SessionToken,
)
from emvs.alert_messages import AlertDecision
from emvs.obp_messages import (
    Acknowledgement,
    DefectPage,
    RefusedPage,
    RequestList,
    RequestStatus,
)
from emvs.report_messages import Report
from emvs.transaction_ids import MESSAGE_TYPES
from hub.callback_handlers import Redelivery
from hub.line_uploads import LINE_TYPES
from hub.message_list import MESSAGES
from hub.uploads import MESSAGE_KINDS, SERIAL_MESSAGES

_TITLE: Final = "EU Hub of the EMVS in a box, manufacturers' interface"
_DESCRIPTION: Final = """\
Not for production. The real hub's schema is not public: this one is ours, named after the published
message types. Bodies may be JSON or XML of the same members (`/obp/v1/messages.xsd`); answers are
XML where `Accept` wants that. Over TLS a client certificate goes with the token."""
_REF: Final = "#/components/schemas/{name}"
_PART: Final = re.compile(r"\{(\w+)\}")
_PEM: Final = "application/x-pem-file"
_AnyAnswer = dict[str, Any]


class Problem(msgspec.Struct):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    requestId: str  # noqa: N815 - the name on the wire.


class Call(NamedTuple):
    """One call."""

    method: str
    path: str
    summary: str
    body: Any = None
    answer: Any = _AnyAnswer
    status: int = 200
    query: tuple[str, ...] = ()
    media: tuple[str, ...] = ("application/json", "application/xml")
    needs_token: bool = True


_PAGE: Final = ("after", "limit")
_LIST: Final = (*_PAGE, "order")
_ALERT_FILTERS: Final = ("code", "productCode", "state", "market", "from", "to")
_LINK_FILTERS: Final = ("sourceProductCode", "sourceBatchId", "targetProductCode", "targetBatchId")
_REPORT_MEDIA: Final = ("application/json", "application/xml", "text/csv")


def _sent(message_type: str, answer: Any, status: int, media: tuple[str, ...] = ()) -> Call:
    call = Call(
        "POST",
        f"/obp/v1/{message_type}",
        MESSAGE_TYPES[message_type],
        MESSAGES[message_type],
        answer,
        status,
    )
    return call._replace(media=media) if media else call


CALLS: Final = (
    *(_sent(message_type, Acknowledgement, 202) for message_type in MESSAGE_KINDS),
    Call("GET", "/obp/v1/requests", "requests in order", None, RequestList, query=_LIST),
    Call("GET", "/obp/v1/requests/{transaction_id}", "what became of one", None, RequestStatus),
    Call("GET", "/obp/v1/requests/{transaction_id}/packs", "pack by pack", query=_PAGE),
    Call(
        "GET",
        "/obp/v1/requests/{transaction_id}/defects",
        "all that is wrong with it",
        None,
        DefectPage,
        query=_PAGE,
    ),
    Call(
        "GET",
        "/obp/v1/requests/{transaction_id}/refused",
        "all packs that a market refused",
        None,
        RefusedPage,
        query=("market", *_PAGE),
    ),
    Call("GET", "/obp/v1/requests/{transaction_id}/quality", "what its serial numbers are worth"),
    Call(
        "GET",
        "/obp/v1/requests/{transaction_id}/progress",
        "how far it has come, as it goes on",
        answer=str,
        media=("text/event-stream",),
    ),
    Call("POST", "/obp/v1/serials", "serial numbers on order"),
    _sent("RPRQ", Report, 202),
    _sent("RRRQ", Report, 200, _REPORT_MEDIA),
    Call("GET", "/obp/v1/reports", "reports in order", query=_LIST),
    Call("GET", "/obp/v1/reports/{report_id}", "a report", None, Report, media=_REPORT_MEDIA),
    Call("GET", "/obp/v1/alerts", "alerts on own products", query=(*_LIST, *_ALERT_FILTERS)),
    Call("GET", "/obp/v1/alerts/{alert_id}", "an alert, opened"),
    Call("POST", "/obp/v1/alerts/{alert_id}/state", "decide on an alert", AlertDecision),
    _sent("SBPS", _AnyAnswer, 201),
    Call("GET", "/obp/v1/subscriptions", "callback endpoints"),
    Call("POST", "/obp/v1/subscriptions/{subscription_id}/roll", "make one the primary one"),
    Call("DELETE", "/obp/v1/subscriptions/{subscription_id}", "remove one"),
    Call("GET", "/obp/v1/notices", "callbacks in order", query=(*_LIST, "messageType", "status")),
    Call("GET", "/obp/v1/notices/{notice_id}", "a callback with its attempts"),
    Call("POST", "/obp/v1/notices/{notice_id}/redeliver", "send it again", status=202),
    Call("POST", "/obp/v1/notices/redeliver", "send several again", Redelivery, status=202),
    Call("GET", "/obp/v1/links", "repackaging links", query=(*_LIST, *_LINK_FILTERS)),
    Call("GET", "/obp/v1/traded-products", "products of others that are traded", query=_PAGE),
    Call("PUT", "/obp/v1/traded-products/{product_code}", "trade a product"),
    Call("DELETE", "/obp/v1/traded-products/{product_code}", "trade it no longer"),
    _sent("RGST", SessionToken, 200),
    _sent("RSST", SessionToken, 200),
    _sent("ORGR", OrganisationAccount, 200),
    Call("GET", "/obp/v1/organisation", "the account", None, OrganisationAccount),
    _sent("CLIR", ClientAccount, 200),
    _sent("SBRS", ReportingSubscription, 200),
    Call(
        "POST",
        "/obp/v1/certificates",
        "a certificate by signing request",
        CertificateRequest,
        ClientCertificate,
        201,
    ),
    Call("GET", "/obp/v1/certificates", "own certificates"),
    Call(
        "GET",
        "/obp/v1/certificate-authority",
        "the root that signs certificates",
        answer=str,
        media=(_PEM,),
        needs_token=False,
    ),
    Call(
        "GET",
        "/obp/v1/messages.xsd",
        "the XML schema of the messages",
        answer=str,
        media=("application/xml",),
        needs_token=False,
    ),
)
_PROBLEMS: Final = {
    "400": "The message has not its form; the member is named.",
    "401": "No token, or one that does not hold.",
    "403": "Not permitted.",
    "404": "Unknown.",
    "409": "Not possible as things stand, or the transaction id stands on another message.",
    "413": "Too large; nothing was stored.",
    "415": "The body's content type or coding is not read here.",
    "503": "Not available now; nothing was done.",
}


def openapi_document() -> dict[str, Any]:
    """Return the document."""
    types = list({id(kind): kind for call in CALLS for kind in (call.body, call.answer)}.values())
    types = [kind for kind in types if kind is not None] + [Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    for kind in MESSAGES.values():  # An unknown member is refused.
        components[kind.__name__]["additionalProperties"] = False
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(call: Call, by_type: dict[int, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": by_type[id(Problem)]}}
    answer = {name: {"schema": _schema(call, name, by_type)} for name in call.media}
    operation: dict[str, Any] = {
        "summary": call.summary,
        "operationId": f"{call.method.lower()} {call.path}",
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in _PART.findall(call.path)
            ),
            *({"name": name, "in": "query", "schema": {"type": "string"}} for name in call.query),
        ],
        "responses": {
            str(call.status): {"description": "Done.", "content": answer},
            **{
                status: {"description": text, "content": problem}
                for status, text in _PROBLEMS.items()
            },
        },
    }
    if call.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": by_type[id(call.body)]},
                "application/xml": {"schema": {"type": "string"}},
                **{
                    name: {"schema": {"type": "string"}}
                    for name in sorted(LINE_TYPES)
                    if call.path.rpartition("/")[2] in SERIAL_MESSAGES
                },
            },
        }
    if not call.needs_token:
        operation["security"] = []
    return operation


def _schema(call: Call, media: str, by_type: dict[int, Any]) -> Any:
    return by_type[id(call.answer)] if media == "application/json" else {"type": "string"}


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(openapi_document(), option=orjson.OPT_INDENT_2))
