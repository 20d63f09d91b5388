"""A whole run by one command: prepare, generate, watch, judge, report. `python -m loadtests.run`.

Runs in a process of its own without Locust, which is started as a program: what Locust patches and
what asyncio needs do not go together.
"""
