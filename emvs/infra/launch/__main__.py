"""`python -m emvs.infra.launch PIPE`: the supervisor that `emvs up --detach` leaves behind."""

from __future__ import annotations

import sys

from emvs.infra.launch.detached import run_detached

if __name__ == "__main__":
    sys.exit(run_detached(int(sys.argv[1])))
