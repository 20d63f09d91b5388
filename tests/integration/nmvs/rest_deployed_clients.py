"""Small clients with the traits of deployed ones, each over a socket of its own.

Traits are facts read from public clients; the code is ours. Nothing here is shared with the
pharmacy client: these stand for software that never heard of us.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from tests.integration.nmvs.rest_raw_client import RawAnswer, RawConnection

ACTIVE, SUPPLIED = "11110100", "11210200"


class HospitalClient:
    """A token before every call, by HTTP Basic; the form's content type on GET as well; no prefix,
    no Accept; serial numbers as they are, "Free Sample" with a blank."""

    def __init__(self, port: int, client_id: str, secret: str) -> None:
        self._port = port
        self._basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        self.token_count = 0

    async def _token(self) -> str:
        async with RawConnection(self._port) as connection:
            answer = await connection.ask(
                "POST",
                "/connect/token",
                f"Authorization: Basic {self._basic}",
                "Content-Type: application/x-www-form-urlencoded",
                body=b"grant_type=client_credentials",
            )
        assert answer.status == 200
        self.token_count += 1
        token: str = answer.members["access_token"]
        return token

    async def call(self, pack: dict[str, str], state: str | None = None) -> str:
        token = await self._token()
        target = (
            f"/product/gs1/{pack['code']}/pack/{pack['serial']}"
            f"?batch={pack['batch']}&expiry={pack['expiry']}"
        )
        kind = "x-www-form-urlencoded" if state is None else "json"
        async with RawConnection(self._port) as connection:
            answer = await connection.ask(
                "GET" if state is None else "PATCH",
                target,
                f"Authorization: Bearer {token}",
                f"Content-Type: application/{kind}",
                "emvs-data-entry-mode: non-manual",
                body=None if state is None else json.dumps({"state": state}).encode(),
            )
        # Its table of texts is looked up by the code as text.
        return answer.code


class OfficeClient:
    """Everything percent-encoded; `expiry=` and `batch=` for what is not known; a token that is
    renewed a minute early; 429 and lost answers are queued and sent again, oldest first."""

    def __init__(self, port: int, client_id: str, secret: str) -> None:
        self._port = port
        self._form = (
            f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
        ).encode()
        self._token = ""
        self.queued: list[tuple[dict[str, str], str]] = []

    async def log_in(self) -> bool:
        async with RawConnection(self._port) as connection:
            answer = await connection.ask(
                "POST",
                "/identity/connect/token",
                "Content-Type: application/x-www-form-urlencoded",
                body=self._form,
            )
        if answer.status != 200:
            return False
        assert answer.members["expires_in"] > 60
        self._token = answer.members["access_token"]
        return True

    async def call(
        self, pack: dict[str, str], state: str | None = None, *, lose_answer: bool = False
    ) -> str:
        batch, expiry = (quote(pack.get(name, ""), safe="") for name in ("batch", "expiry"))
        target = (
            f"/verification/product/gs1/{pack['code']}/pack/{quote(pack['serial'], safe='')}"
            f"?batch={batch}&expiry={expiry}"
        )
        async with RawConnection(self._port) as connection:
            answer = await connection.ask(
                "GET" if state is None else "PATCH",
                target,
                f"Authorization: Bearer {self._token}",
                f"emvs-data-entry-mode: {'non-manual' if batch else 'manual'}",
                "Content-Type: application/json",
                "Accept: application/json",
                body=None if state is None else json.dumps({"state": state}).encode(),
            )
        if state is not None and (answer.status == 429 or lose_answer):
            self.queued.append((pack, state))
            return "queued"
        return answer.code

    async def replay(self) -> list[str]:
        waiting, self.queued = self.queued, []
        return [await self.call(pack, state) for pack, state in waiting]


class ScanApp:
    """`bearer` in small letters, a version header, `/api/Product/...`; reads a colour by code, and
    the alert's link."""

    COLOURS: Final = {"11110100": "green", "11210200": "green", "41020001": "red"}

    def __init__(self, port: int, client_id: str, secret: str) -> None:
        self._port = port
        self._secrets = client_id, secret

    async def call(self, pack: dict[str, str], state: str | None = None) -> dict[str, Any]:
        client_id, secret = self._secrets
        async with RawConnection(self._port) as connection:
            token = await connection.ask(
                "POST",
                "/identity/connect/token",
                "content-type: application/x-www-form-urlencoded; charset=UTF-8",
                body=(
                    f"client_id={client_id}&client_secret={secret}&grant_type=client_credentials"
                ).encode(),
            )
            answer = await connection.ask(
                "GET" if state is None else "PATCH",
                f"/api/Product/gs1/{pack['code']}/pack/{pack['serial']}"
                f"?batch={pack['batch']}&expiry={pack['expiry']}",
                f"authorization: bearer {token.members['access_token']}",
                "emvs-api-version: 2.4",
                "emvs-data-entry-mode: non-manual",
                "content-type: application/json; charset=utf-8",
                body=None if state is None else json.dumps({"state": state}).encode(),
            )
        return {**answer.members, "colour": self.COLOURS.get(answer.code, "unknown")}


def read_timestamp(text: str) -> datetime:
    """Read as a strict reader does: a fraction must be there, of three digits, and a Z."""
    fraction = text.partition(".")[2]
    assert len(fraction) == 4, text
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


class LibraryOfflineError(Exception):
    """The library has taken itself offline."""


class VendorLibrary:
    """The vendor's own library: on a status it does not know, 400, 405 and 415 among them, it goes
    offline and stores the call twice; a 401 without a challenge breaks it; after one with a
    challenge it takes another token, three times at most; it always says `non-manual`."""

    KNOWN = frozenset({200, 202, 403, 404, 409, 422})
    RETRIED = frozenset({408, 429, 500, 502, 503, 504})

    def __init__(self, port: int, client_id: str, secret: str) -> None:
        self._port = port
        self._form = (
            f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
        ).encode()
        self._token = ""
        self.stored: list[tuple[dict[str, str], str | None]] = []

    async def call(self, pack: dict[str, str], state: str | None = None) -> dict[str, Any]:
        for _ in range(4):
            answer = await self._send(pack, state)
            if answer.status == 401:
                assert "www-authenticate" in answer.headers, "the library throws without it"
                await self._log_in()
                continue
            if answer.status in self.KNOWN:
                return self._read(answer)
            if answer.status not in self.RETRIED:
                break
        self.stored += [(pack, state)] * 2
        raise LibraryOfflineError(answer.status)

    async def _log_in(self) -> None:
        async with RawConnection(self._port) as connection:
            answer = await connection.ask(
                "POST",
                "/connect/token",
                "Content-Type: application/x-www-form-urlencoded",
                body=self._form,
            )
        if answer.status == 200:
            self._token = answer.members["access_token"]
        else:
            assert answer.status == 400, "it reads the bodies of these two alone"
            assert answer.members["error"]

    async def _send(self, pack: dict[str, str], state: str | None) -> RawAnswer:
        target = (
            f"/verification/product/gs1/{pack['code'].zfill(14)}"
            f"/pack/{quote(pack['serial'], safe='')}"
            f"?batch={pack['batch']}&expiry={pack['expiry']}"
        )
        async with RawConnection(self._port) as connection:
            return await connection.ask(
                "GET" if state is None else "PATCH",
                target,
                f"Authorization: Bearer {self._token}",
                "emvs-data-entry-mode: non-manual",
                "Accept: application/json",
                body=None if state is None else json.dumps({"state": state}).encode(),
            )

    @staticmethod
    def _read(answer: RawAnswer) -> dict[str, Any]:
        members = answer.members
        assert isinstance(members["operationCode"], str)
        assert ("information" in members) != ("warning" in members)
        assert (answer.code[3] == "2") == ("warning" in members)
        assert (answer.code[0] == "1") == (answer.status == 200)
        return members
