"""What can go wrong with PostgreSQL, each with a sentence for the person at the command line.

    EmvsInfraError
    └── PostgresError
        ├── PostgresBinariesError        no usable PostgreSQL programs were found
        ├── PostgresStartError           the server ended, or did not get ready, while starting
        │   └── PostgresPortTakenError   another program listens on the wanted port
        ├── DataDirectoryError           the data directory cannot be used as it is
        │   ├── DataDirectoryBusyError   another process works on it
        │   ├── DataDirectoryVersionError  it was made by another major version
        │   └── DataDirectoryDamagedError  its files are not what PostgreSQL wrote
        └── ExternalPostgresError        the server named by a DSN cannot be used

A message says what is wrong, where to read more, and what the user can do. It never holds a
password, and nothing that raises these deletes a file of the user's.
"""


class EmvsInfraError(Exception):
    """Trouble with the plumbing: disk, network, database."""


class PostgresError(EmvsInfraError):
    """PostgreSQL cannot do what was asked."""


class PostgresBinariesError(PostgresError):
    """No PostgreSQL programs that this process can run were found."""


class PostgresStartError(PostgresError):
    """The server ended, or did not get ready in time, while it was being started."""


class PostgresPortTakenError(PostgresStartError):
    """The port that the server was told to use belongs to another program."""


class DataDirectoryError(PostgresError):
    """The data directory cannot be used: a file in its place, permissions, ownership."""


class DataDirectoryBusyError(DataDirectoryError):
    """Another process works on the data directory."""


class DataDirectoryVersionError(DataDirectoryError):
    """The database was made by another major version of PostgreSQL."""


class DataDirectoryDamagedError(DataDirectoryError):
    """Files of the database are missing or are not what PostgreSQL wrote."""


class ExternalPostgresError(PostgresError):
    """The PostgreSQL server named by a DSN cannot be reached or cannot be used."""
