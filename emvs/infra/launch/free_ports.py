"""Ports for the systems: free ones that differ from each other, and a sentence for taken ones."""

from __future__ import annotations

from typing import Final

from emvs.infra.launch.errors import LaunchError
from emvs.infra.launch.settings import Settings
from emvs.infra.loopback_ports import free_port, is_free

_ATTEMPTS_MAX: Final = 100


class FreePorts:
    """Gives out ports that are free now, none twice."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def pick(self) -> int:
        """Return a free port."""
        for _ in range(_ATTEMPTS_MAX):
            port = free_port()
            if port not in self._given:
                self._given.add(port)
                return port
        raise LaunchError("no free port was found on this machine")


def any_taken(settings: Settings) -> bool:
    """Return whether another program has one of the ports."""
    return any(not is_free(port) for _, port in settings.listeners())


def refuse_taken_ports(settings: Settings) -> None:
    """Raise LaunchError if another program has one of the ports."""
    for listener, port in settings.listeners():
        if not is_free(port):
            other = "choose other ports with --port-base N, or free ones with --port-base 0"
            if port in settings.fixed_soap_ports:
                other = "choose others with --soap-ports N"
            raise LaunchError(
                f"port {port}, wanted for {listener}, is taken by another program. Stop that one,"
                f" or {other}"
            )
