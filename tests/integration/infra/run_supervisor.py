"""A supervisor in a process of its own, for tests that kill it or run it as another user.

`python run_supervisor.py DATA_DIR` starts a server, prints one JSON line about it, and waits
for a line on its input: "stop" stops the server, anything else leaves it to its fate.
"""

import json
import sys
from pathlib import Path

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.postgres_errors import PostgresError


def main() -> int:
    server = EmbeddedPostgres(Path(sys.argv[1]))
    try:
        server.start()
    except PostgresError as error:
        report({"error": type(error).__name__, "message": str(error)})
        return 1
    report({"pid": server.pid, "dsn": server.dsn(), "port": server.port})
    if sys.stdin.readline().strip() == "stop":
        server.stop()
    return 0


def report(facts: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
