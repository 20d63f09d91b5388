"""The EU Hub: takes master data and packs from manufacturers, distributes them to the national
systems, and finds packs of other markets for them.

Meets the other systems over HTTP only. Serial numbers pass through it and are dropped once
distributed (Delegated Regulation (EU) 2016/161, Art. 33(2)).
"""
