"""The words and rules of the European Medicines Verification System, shared by every package.

Standard library only, no I/O, no clock (time comes in as an argument). `emvs.infra` holds the
plumbing and may import this package, never the reverse. Nothing is re-exported here.
"""
