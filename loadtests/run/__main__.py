"""`python -m loadtests.run`: what `emvs load` starts."""

from __future__ import annotations

from loadtests.run.cli import main

main()
