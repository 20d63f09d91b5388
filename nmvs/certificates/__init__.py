"""Certificates of a market's clients: issued by the system's own authority, fetched by TAN or under
the certificate they replace, checked on every connection. No wire format but the management port's.
"""
