"""`obp selftest`: a batch's whole way, from serial numbers to a pharmacy's scanner, by itself."""
