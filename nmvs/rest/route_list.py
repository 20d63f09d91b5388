"""All rows of the route table, put together: what the dialect serves and its document describes."""

from __future__ import annotations

from nmvs.reports.documents import Documents
from nmvs.rest.alert_calls import alert_routes
from nmvs.rest.bulk_routes import BulkRoutes
from nmvs.rest.product_data_calls import product_data_routes
from nmvs.rest.report_calls import report_routes
from nmvs.rest.routes import Route


def all_routes(*, documents: Documents, bulk: BulkRoutes) -> list[Route]:
    """Return the rows, each with a handler that works on what is given here."""
    return [
        *bulk.routes(),
        *report_routes(documents),
        *alert_routes(documents),
        *product_data_routes(documents),
    ]
