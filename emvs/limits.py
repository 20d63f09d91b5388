"""Every bound of the system, with its unit and its source."""

from __future__ import annotations

from typing import Final

SERIALS_PER_MESSAGE_MAX: Final = 250_000
"""A large serialisation vendor splits its reports there; no official figure is public."""
SERIAL_LENGTH_MAX: Final = 20
"""Delegated Regulation (EU) 2016/161, Art. 4(b)(i): at most 20 alphanumeric characters."""
BATCH_ID_LENGTH_MAX: Final = 20
"""GS1 application identifier 10."""

HUB_BODY_BYTES_MAX: Final = 32 * 1024 * 1024
"""250,000 serials of 20 characters, six-fold escaped, fit in (our choice)."""
SERVICE_BODY_BYTES_MAX: Final = 64 * 1024
"""A single-pack request has some 2 kB (our choice)."""
SERVICE_BODY_READ_S_MAX: Final = 10.0
"""A slow sender is cut off (our choice)."""
URL_LENGTH_MAX: Final = 4_096
"""A verification has some 120 characters (our choice)."""

TYPING_ERROR_COUNTERS_MAX: Final = 50_000
"""Pairs of location and product whose wrong typings are counted; beyond, the one that was longest
untouched starts anew (our choice: some 10 MB)."""
EXEMPTIONS_MAX: Final = 100_000
"""Products outside the scope, and as many exempted batches, that a market may list (our choice)."""

LEDGER_GROUP_COUNT_MAX: Final = 512
"""Entries that share one commit (our choice, measured)."""
LEDGER_WAITING_COUNT_MAX: Final = 10_000
"""Entries that wait for a commit; beyond, requests are refused (our choice)."""
LEDGER_WRITE_S_MAX: Final = 10.0
"""A commit that takes longer counts as failed (our choice)."""

REPEATS_MAX: Final = 255
"""Repeats of one decommissioning that are counted: a byte in the index (our choice)."""
PACK_VERSION_LIMIT: Final = 1 << 16
"""Versions of a pack are kept modulo this, so that the index needs two bytes (our choice)."""
STATE_VERSION_LIMIT: Final = 1 << 12
"""Versions of a pack's state are kept modulo this: the rest of a version is for writes that leave
the state as it is (our choice)."""
CHANGES_PER_MESSAGE_MAX: Final = 500
"""Changes of multi-market packs that travel together (our choice: some 200 kB)."""

DELIVERIES_WAITING_PER_MARKET_MAX: Final = 10_000
"""Undelivered messages the hub keeps for one market before it refuses uploads (our choice)."""
NOTICES_WAITING_MAX: Final = 10_000
"""Notices that wait for one organisation's callback endpoint; beyond, they are stored to be fetched
and not sent, recalls and withdrawals excepted (our choice)."""
LINKED_BATCHES_MAX: Final = 50
"""Source batches in a repackaging link, and as many target batches (our choice)."""
TRADED_PRODUCTS_MAX: Final = 20_000
"""Products a parallel distributor may say it trades (our choice)."""
INTERMARKET_HUB_S_MAX: Final = 5.0
"""A national system waits so long for the hub (our choice: five seconds)."""
INTERMARKET_MARKET_S_MAX: Final = 4.0
"""The hub waits so long for the market that holds the pack, so that its answer is in time."""
INTERMARKET_CONCURRENT_MAX: Final = 200
"""Intermarket requests in flight per system; beyond, they are refused (our choice)."""

CLOCK_ADVANCE_S_MAX: Final = 100 * 366 * 86_400
"""The clock can be moved by so much at once (our choice: a century)."""
AUDIT_ROWS_MAX: Final = 10_000
"""Rows one reading of an audit trail or alert list returns at most (our choice)."""
AUDIT_ROWS_DEFAULT: Final = 1_000
"""Entries in a page of an audit trail unless the reader asks for another number (our choice)."""
AUDIT_READERS_MAX: Final = 4
"""Audit trails read at once, fewer than there are connections (our choice)."""
AUDIT_WRITE_S_MAX: Final = 30.0
"""A reader who takes nothing for so long is cut off (our choice)."""
