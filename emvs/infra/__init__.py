"""The plumbing: the only shared code that touches disk, network, database or the clock.

May import `emvs`, never a server or a client.
"""
