"""What participants do under load: mixes, curves, presets, packs, and the Locust users over them.

Only `users` and `wire` import Locust or gevent; everything else is plain Python, so that tests and
reports can use it in a process whose modules Locust has not patched.
"""
