"""The settings of the embedded PostgreSQL server, one row each with its reason.

They are given on the server's command line, so that a data directory made by an older release
gets the settings of this one. What is not listed is PostgreSQL's default, and can be set in the
database's own postgresql.conf. All values are ours [D]; durability is not for tuning, because an
answer to a pharmacy must survive a crash.
"""

from collections.abc import Mapping
from types import MappingProxyType

_ROWS: tuple[tuple[str, str, str], ...] = (
    # name, value, why
    ("listen_addresses", "127.0.0.1", "loopback only: the database is nobody else's"),
    ("unix_socket_directories", "", "TCP is as fast here; socket paths have a length limit"),
    ("password_encryption", "scram-sha-256", "no clear or MD5 passwords on the wire"),
    ("max_connections", "100", "a pool per system, and room for a person with psql"),
    ("fsync", "on", "an acknowledged operation survives a power cut"),
    ("synchronous_commit", "on", "the reply leaves after the commit is on disk"),
    ("full_page_writes", "on", "a page torn by a power cut can be repaired"),
    ("restart_after_crash", "on", "one crashed backend must not end the service"),
    ("wal_level", "minimal", "nothing replicates; COPY into a new table then skips the log"),
    ("max_wal_senders", "0", "required by wal_level=minimal"),
    ("wal_buffers", "16MB", "one WAL segment: groups under load never wait for buffer space"),
    ("max_wal_size", "4GB", "uploads of 10^6 packs without a checkpoint in their midst"),
    ("min_wal_size", "512MB", "recycled segments spare the creation of files under load"),
    ("checkpoint_timeout", "15min", "each checkpoint makes full-page images, which cost commits"),
    ("shared_buffers", "256MB", "hot pages of the pack table on an 8 GiB machine"),
    ("work_mem", "16MB", "sorts of one upload message (250,000 serials) stay in memory"),
    ("maintenance_work_mem", "256MB", "index builds of 10^6 rows in one pass"),
    ("random_page_cost", "1.1", "solid-state disks: no penalty for index look-ups"),
    ("jit", "off", "statements are short; compiling them costs more than running them"),
    ("autovacuum_naptime", "15s", "packs are updated in place: dead rows come quickly"),
    ("autovacuum_max_workers", "2", "two cores, and the servers need one of them"),
    ("autovacuum_vacuum_scale_factor", "0.05", "vacuum 10^7 packs before 2*10^6 rows are dead"),
    ("idle_in_transaction_session_timeout", "5min", "a stuck client cannot hold locks for ever"),
    ("timezone", "UTC", "times are stored and shown in one zone"),
    ("log_timezone", "UTC", "log lines compare with the systems' own logs"),
    ("lc_messages", "C", "failures are recognised by their English text"),
    ("logging_collector", "off", "the supervisor owns the log file and bounds it"),
    ("log_destination", "stderr", "the log file is the server's standard error"),
    ("log_line_prefix", "%m [%p] %q%u@%d ", "when, which process, who, which database"),
    ("cluster_name", "emvs", "seen in the process list"),
)

SETTINGS: Mapping[str, str] = MappingProxyType({name: value for name, value, _ in _ROWS})


def settings_arguments(port: int, overrides: Mapping[str, str]) -> list[str]:
    """Return the settings as arguments of `postgres`, `overrides` in place of ours."""
    values = {**SETTINGS, **overrides, "port": str(port)}
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
