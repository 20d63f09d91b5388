"""The benchmark: our systems beside the limits of the machine, in one run. `make bench`.

Servers run in processes of their own and are met over HTTP; what they say of themselves is checked
against what was sent and what the database holds. Figures of one run compare; others are noise.
"""
