"""Starts, watches and stops the whole system: PostgreSQL, the hub, the national systems.

The systems are processes known by module name only; they are spoken to over HTTP like everybody
else does. No rule about packs and no wire format of a pharmacy enters here. What is started for
whom is in `docs/running.md`; the form of `endpoints.json` is a public contract.
"""
