"""Requests about many packs: accepted at once, worked through in the background, fetched later.

Knows jobs and items, no wire format: a dialect parses what was sent to `jobs.Item`, submits it,
and renders `jobs.Worked`. Packs are reached through `nmvs.operations` alone. Start at `engine`.
"""
