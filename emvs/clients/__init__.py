"""What the clients share, the pharmacy's and the manufacturer's. Needs the standard library
and what commands are made with, so that a client brings nothing of a server."""
