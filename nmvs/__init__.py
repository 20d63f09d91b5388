"""A national system: operations on packs, index, ledger, and one package for each wire dialect.

May import `emvs` and `emvs.infra`; meets the hub and the clients over HTTP only.
"""
