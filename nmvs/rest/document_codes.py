"""Operation codes of calls whose documents are made later: reports, product data, alerts.

Known in public are 15100000 and the family 4x (see `emvs.operation_code_table`); the others are
made by the grammar and are our choice. Texts are in English only, as no real ones are known.
"""

from __future__ import annotations

from typing import Final

from nmvs.rest.codes import TECHNICAL

REPORTS_LISTED: Final = "15100000"
REPORT_ACCEPTED: Final = "25110000"
REPORT_NOT_READY: Final = "55110000"
REPORT_UNKNOWN: Final = "45120000"
REPORT_TYPE_UNKNOWN: Final = "45120001"
REPORT_NOT_MADE: Final = "45120002"
REPORT_REQUEST_INVALID: Final = "65120000"
REPORT_PARAMETERS_INVALID: Final = "65120001"
REPORT_TOO_LARGE: Final = "65120002"

PRODUCT_DATA_ASKED: Final = "14000000"
PRODUCT_DATA: Final = "14100000"
PRODUCT_DATA_PRODUCT_UNKNOWN: Final = "44020001"
PRODUCT_DATA_NOT_READY: Final = "54120000"
PRODUCT_DATA_UNKNOWN: Final = "44120000"
PRODUCT_DATA_REQUEST_INVALID: Final = "64120000"
PRODUCT_DATA_TOO_MANY: Final = "64120001"

ALERTS_ACCEPTED: Final = "20010000"
ALERTS_FOUND: Final = "10010000"
ALERTS_NOT_READY: Final = "50010000"
ALERTS_UNKNOWN: Final = "40020000"
ALERTS_REQUEST_INVALID: Final = "60020000"

NOT_PERMITTED: Final = "30020000"
TOO_MANY_WAITING: Final = "70020000"

TEXTS: Final = {
    REPORT_ACCEPTED: "The report will be made.",
    REPORT_NOT_READY: "The report is not ready yet.",
    REPORT_UNKNOWN: "There is no such report, or it is no longer kept.",
    REPORT_TYPE_UNKNOWN: "There is no such type of report.",
    REPORT_NOT_MADE: "The report could not be made.",
    REPORT_REQUEST_INVALID: "The request for a report is invalid.",
    REPORT_PARAMETERS_INVALID: "The parameters of the report are invalid.",
    REPORT_TOO_LARGE: "The report would be too large. Ask for a shorter time.",
    PRODUCT_DATA_PRODUCT_UNKNOWN: "Unknown product code.",
    PRODUCT_DATA_NOT_READY: "The product data are not ready yet.",
    PRODUCT_DATA_UNKNOWN: "There are no such product data, or they are no longer kept.",
    PRODUCT_DATA_REQUEST_INVALID: "The request for product data is invalid.",
    PRODUCT_DATA_TOO_MANY: "Too many products are named.",
    ALERTS_ACCEPTED: "The alerts will be looked for.",
    ALERTS_FOUND: "The alerts have been found.",
    ALERTS_NOT_READY: "The alerts are not ready yet.",
    ALERTS_UNKNOWN: "There is no such query, or its result is no longer kept.",
    ALERTS_REQUEST_INVALID: "The request is invalid.",
    NOT_PERMITTED: "Access is not permitted.",
    TOO_MANY_WAITING: "Too many requests wait. Try again later.",
    TECHNICAL: "The system is not available. Try again later.",
}
"""By code; codes that announce neither information nor a warning have none."""
