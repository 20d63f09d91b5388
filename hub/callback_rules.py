"""Rules on callbacks: which addresses the hub calls, and when it tries again. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

URL_LENGTH_MAX: Final = 2_000
_ANY_HOST: Final = "*"


def url_trouble(url: str, hosts_allowed: Collection[str]) -> str | None:
    """Return why the hub does not call an address, None if it does.

    The host is compared as it is written, before any look-up: a name that is allowed is trusted
    to lead where it should, and an address in disguise (2130706433) is no name on the list.
    """
    if len(url) > URL_LENGTH_MAX:
        return f"the URL has {len(url)} characters, at most {URL_LENGTH_MAX} are taken"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "a URL holds printable ASCII characters without blanks"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"this is no URL: {error}"
    return _part_trouble(parts, port) or _host_trouble(parts.hostname or "", hosts_allowed)


def _part_trouble(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "a callback URL begins with http:// or https:// and names a host"
    if "@" in parts.netloc:
        return "a callback URL holds no login"
    if parts.fragment:
        return "a callback URL has no fragment"
    return "port 0 is none" if port == 0 else None


def _host_trouble(host: str, hosts_allowed: Collection[str]) -> str | None:
    allowed = {name.lower().strip("[]") for name in hosts_allowed}
    if _ANY_HOST in allowed or host in allowed:
        return None
    names = ", ".join(sorted(allowed)) or "none"
    return f"callbacks to {host!a} are not allowed here, only to {names} (callbacks.hosts_allowed)"


def next_attempt_ms(
    failure_count: int,
    *,
    now_ms: int,
    failing_since_ms: int,
    waits_s: Sequence[float],
    give_up_after_s: float,
) -> int | None:
    """Return when to try again after so many failures, the first at `failing_since_ms`.

    None: not any more. The last attempt is made when the time is up, not before.
    """
    end_ms = failing_since_ms + int(give_up_after_s * 1000)
    if now_ms >= end_ms:
        return None
    wait_s = waits_s[min(failure_count, len(waits_s)) - 1]
    return min(now_ms + int(wait_s * 1000), end_ms)
