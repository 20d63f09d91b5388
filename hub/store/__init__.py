"""Every query of the hub: rows in, dataclasses out. No rule stands here.

A function takes the pool, or a connection where the caller has a transaction open.
"""
