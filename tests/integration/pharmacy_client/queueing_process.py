"""A till as a process of its own that supplies packs while it can be killed at any moment.

Arguments: endpoints file, market, dialect, queue file, file of serial numbers, product code, batch,
expiry. It prints a line for each pack once it is answered or kept, and replays at the end.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from emvs.scan import Scan
from emvs.scheme import Scheme
from pharmacy_client import Profile
from pharmacy_client.breaker import Breaker
from pharmacy_client.errors import PharmacyClientError
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.replay import ReplayPlan
from pharmacy_client.till import Till, TillPlan


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def serve(
    endpoints: str, dialect: str, path: str, serials: list[str], code: str, batch: str, expiry: str
) -> None:
    profile = Profile.from_endpoints(Path(endpoints), "IE", dialect=dialect)
    plan = TillPlan(
        tries=1,
        retry_pause_s=0.01,
        replay=ReplayPlan(items_max=3, first_poll_s=0.02, longest_poll_s=0.1, doubt_pause_s=0.5),
    )
    with OfflineQueue(Path(path), "me") as queue:
        async with Till(profile, queue, plan=plan, breaker=Breaker(2, 0.02, 0.05)) as till:
            for serial in serials:
                scan = Scan(
                    scheme=Scheme.GTIN,
                    product_code=code,
                    serial_number=serial,
                    batch_id=batch,
                    expiry=expiry,
                )
                result = await till.supply(scan)
                say(f"{serial} {result.category}")
            while till.waiting_count:
                try:
                    await till.replay()
                except PharmacyClientError as error:
                    say(f"· {error}")
                    await asyncio.sleep(0.05)
            say("drained")


if __name__ == "__main__":
    asyncio.run(
        serve(*sys.argv[1:4], sys.argv[4].split(",") if sys.argv[4] else [], *sys.argv[5:8])
    )
