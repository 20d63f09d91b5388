"""What the clients share, the pharmacy's and the manufacturer's. Needs the standard library only,
so that a client brings nothing of a server."""
