"""Free TCP ports on 127.0.0.1 for servers that must come back on the same port.

Not from the range that the system gives to outgoing connections: while such a server is down, a
client that retries could be given the very port as its own, even connect to itself, and the server
could not come back.
"""

import contextlib
import random
import socket
from collections import deque
from pathlib import Path

_LOWEST = 20_000
_HIGHEST = 32_000  # Below the usual ranges for outgoing connections (Linux 32768, others 49152).
_ATTEMPTS_MAX = 200
_given: deque[int] = deque(maxlen=200)
"""Not given again soon: who asked may not listen yet."""
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As PostgreSQL does.
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that was free a moment ago."""
    highest = _HIGHEST
    with contextlib.suppress(OSError, ValueError, IndexError):  # Not Linux: the bound stands.
        highest = min(highest, int(_RANGE_FILE.read_text(encoding="ascii").split()[0]) - 1)
    if highest > _LOWEST:
        for _ in range(_ATTEMPTS_MAX):
            port = random.randint(_LOWEST, highest)  # noqa: S311 - nothing secret about a port
            if port not in _given and is_free(port):
                _given.append(port)
                return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
