"""Which user account a PostgreSQL server runs under, and what that account can reach.

PostgreSQL refuses to run as root, so root starts it as the account `nobody`, which every system
has: no account is ever created and no permission of a folder that is not ours is ever changed.
Anyone else runs it as themselves.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from emvs.infra.postgres_errors import DataDirectoryError, PostgresStartError

_NOBODY_ID = 65534  # Where the account has no name, as in the smallest containers.


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """The user and group of the server; `switches` if this process must change to them."""

    uid: int
    gid: int
    switches: bool


def account_for(pgdata: Path) -> ServerAccount:
    """Return the account for the server of `pgdata`, which need not exist yet.

    An existing database keeps its owner: what a user made, root can go on with as that user.
    The other way round there is no way, and `DataDirectoryError` says so.
    """
    try:
        owner = pgdata.stat()
    except FileNotFoundError:
        owner = None
    uid = os.geteuid()
    if uid != 0:
        if owner is not None and owner.st_uid != uid:
            raise DataDirectoryError(
                f"The database in {pgdata} belongs to the account with uid {owner.st_uid}, but "
                f"this process runs as uid {uid}. Start it as that account (or as root), or "
                "choose another directory with --data."
            )
        return ServerAccount(uid, os.getegid(), switches=False)
    if owner is None:
        return _nobody()
    if owner.st_uid == 0:
        raise DataDirectoryError(
            f"The database in {pgdata} belongs to root, and PostgreSQL refuses to run as root. "
            f"Give it to another account (chown -R nobody {pgdata}), or choose another "
            "directory with --data."
        )
    return ServerAccount(owner.st_uid, owner.st_gid, switches=True)


def require_name(account: ServerAccount) -> None:
    """Raise unless the system knows a name for the account: initdb refuses a bare number."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError as error:
        raise PostgresStartError(
            f"PostgreSQL cannot make a database as uid {account.uid}, because that number has no "
            "name on this system. Add it to /etc/passwd (in a container: a line of the image), "
            "start as a named account, or use a running server with --dsn."
        ) from error


def can_traverse(path: Path, account: ServerAccount) -> bool:
    """Return whether `account` may pass through every folder above `path`, by their mode bits."""
    for folder in path.resolve().parents:
        status = folder.stat()
        if status.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def _nobody() -> ServerAccount:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return ServerAccount(_NOBODY_ID, _NOBODY_ID, switches=True)
    return ServerAccount(entry.pw_uid, entry.pw_gid, switches=True)
