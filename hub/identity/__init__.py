"""Who is who at the hub: session tokens, client certificates, accounts, and the door of its TLS
port. Bearer tokens without an end are in `hub.organisations`."""
