"""REST/JSON dialect of a national system: parses to `nmvs.requests`, renders its answers.

No rule about packs enters; what a dialect is may be read in `nmvs.requests`.
"""
