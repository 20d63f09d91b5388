"""A running national system, and what a test needs to talk to it from outside."""

from __future__ import annotations

import io
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from emvs.check_digits import gtin_check_digit
from emvs.serial_numbers import generate_serial_numbers

INTERCONNECT_TOKEN = "hub-token-of-the-tests"


def gtin(number: int) -> str:
    """Return a valid GTIN-14 made from a number."""
    first_13 = f"095{number:010d}"
    return first_13 + gtin_check_digit(first_13)


def json_stream(message: Any) -> io.BytesIO:
    """Return a message as a body that aiohttp sends in pieces, however large."""
    return io.BytesIO(orjson.dumps(message))


@dataclass
class RunningSystem:
    """A national system, and what a test needs to talk to it from outside."""

    http: aiohttp.ClientSession
    ports: dict[str, int]
    product_code: str = gtin(600013437)
    batch_id: str = "LOT1"
    expiry: str = "301231"
    passwords_expire: bool = True
    """Whether those of the logins it registers end after 90 days; tests move the clock by years."""
    stop: Callable[[], Awaitable[None]] | None = None
    """Stops it before the test ends, where the test may."""

    @property
    def service(self) -> str:
        """Where pharmacies connect."""
        return f"http://127.0.0.1:{self.ports['service']}"

    @property
    def management(self) -> str:
        """Where testers connect."""
        return f"http://127.0.0.1:{self.ports['management']}"

    async def deliver(self, kind: str, delivery_id: str, **message: Any) -> dict[str, Any]:
        """Deliver as the hub would; return the answer."""
        url = f"http://127.0.0.1:{self.ports['interconnect']}/hub/v1/{kind}/{delivery_id}"
        headers = {"Authorization": f"Bearer {INTERCONNECT_TOKEN}"}
        async with self.http.put(url, data=json_stream(message), headers=headers) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer

    async def load_packs(
        self,
        count: int,
        *,
        batch_id: str | None = None,
        expiry: str | None = None,
        product_code: str | None = None,
        seed: int = 1,
    ) -> list[str]:
        """Deliver the product and packs of a batch; return their serial numbers."""
        code = product_code or self.product_code
        await self.deliver(
            "products",
            f"product-{code}",
            scheme="GTIN",
            productCode=code,
            version=1,
            name="Examplol 10 mg",
            commonName="examplol",
            nationalCode="280012345678",
        )
        batch_id = batch_id or self.batch_id
        serial_numbers = list(
            generate_serial_numbers(count, rng=random.Random(f"{code}{batch_id}{seed}"))
        )
        answer = await self.deliver(
            "packs",
            f"packs-{code}-{batch_id}-{seed}",
            productCode=code,
            productVersion=1,
            batchId=batch_id,
            expiry=expiry or self.expiry,
            serialNumbers=serial_numbers,
        )
        assert answer["loadedCount"] == count, answer
        return serial_numbers

    async def register(self, kind: str, number: int, **login: Any) -> dict[str, Any]:
        """Register a participant with a login to both dialects; return the registration."""
        registration: dict[str, Any] = {
            "kind": kind,
            "name": f"{kind.title()} {number}",
            "location": f"{kind}-{number}",
            "rest": {"client_id": f"{kind}{number}", "client_secret": f"secret-{kind}-{number}"},
            "soap": {
                "client_login_id": f"{kind.upper()}{number:05d}",
                "user_id": f"USER{number:04d}",
                "password": f"Demo-Pass-{number}",
            },
        } | login
        if registration["soap"] is not None and not self.passwords_expire:
            registration["soap"] |= {"expires": False}
        async with self.http.post(f"{self.management}/participants", json=registration) as response:
            assert response.status == 201, await response.text()
        return registration

    async def advance_clock(self, seconds: int) -> None:
        """Move the system's clock."""
        async with self.http.post(
            f"{self.management}/clock", json={"advance_s": seconds}
        ) as response:
            assert response.status == 200, await response.text()

    async def ask_management(self, path: str, **query: str) -> dict[str, Any]:
        """Return what the management port says."""
        async with self.http.get(f"{self.management}{path}", params=query) as response:
            answer: dict[str, Any] = await response.json()
            return answer
