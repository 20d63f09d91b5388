"""Every bound on documents made in the background. All are our choice: no source gives one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

JOBS_WAITING_MAX: Final = 200
"""Documents that wait to be made; beyond, requests are refused."""
JOBS_WAITING_PER_LOCATION_MAX: Final = 10
JOBS_KEPT_PER_LOCATION_MAX: Final = 1_000
"""Documents of one kind kept for a location; the oldest goes when there is one more."""
BYTES_KEPT_PER_LOCATION_MAX: Final = 8 << 30
"""All documents of one kind kept for a location: the oldest ones beyond go as well."""
JOB_ATTEMPTS_MAX: Final = 5
"""A document that could not be made so often, restarts of the process included, is given up."""
ROWS_MAX: Final = 5_000_000
"""Lines of one report; a longer one is not made, because half a report looks like a whole one."""
BYTES_MAX: Final = 1 << 30
PART_BYTES: Final = 256 * 1024
"""A document is stored, and sent, in pieces of about this size."""
PERIOD_MAX: Final = timedelta(days=366)
"""Time that one report spans."""
TEXT_LENGTH_MAX: Final = 200
"""Title of a report, and who asked for it."""
AGGREGATE_S_MAX: Final = 600.0
"""Time for counting one month of the audit trail."""
LISTED_MAX: Final = 1_100
"""Entries in a list of reports: all that are kept for a location, and the snapshots."""
READ_S_MAX: Final = 30.0
"""A reader who takes nothing for so long is cut off."""
PRODUCT_CODES_MAX: Final = 10_000
"""Products that one request for product data may name."""
