"""Bytes that reach the disk for a stored message, beside PostgreSQL and MariaDB.

Counted in sectors of a loop device with an ext4 of its own, so everything is in: data, logs,
compaction, checkpoints and the file system's journal. The sectors are those of the disk beneath: on
a disk that really writes 512 bytes MariaDB does so, and needs less for a single message.

200,000 messages with 110 bytes of Chinese each (`disk/messages.py`), in transactions of 512, as the
pipeline commits at full load, and of 32; and 20,000 alone, one transaction each, marks of owed work
cleared after every one of them. Through our log as the product writes (`commit`: entries, heads,
marks), and in the end with everything in one level; the servers have Debian's defaults, which are
durable, and end with a checkpoint. What an engine writes before the first message is not in its
figures: PostgreSQL and MariaDB make their logs then, and ours the first room of its own
(`rocks_open_bytes`, at every start). `…_kept` are tables and indexes; `append_…` is a bare file
with the same records and an fdatasync for each transaction.
"""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from types import FrameType
from typing import Final

from bench.disk import ours
from bench.disk.counting import mounted, proc_says, sector_bytes
from bench.disk.messages import CONTENT_BYTES, packed_percent, spoken
from bench.disk.servers import MariaDB, PostgreSQL, install, stored
from bench.run import Goal

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "load_percent_of_better_server": Goal("<=", 40),
    "load_times_content": Goal("<=", 3),
    "single_percent_of_better_server": Goal("<=", 70),
}

_SIZES: Final = {"load": 512, "group": 32, "single": 1}
_FULL: Final = {"load": 200_000, "group": 200_000, "single": 20_000}
_QUICK: Final = {"load": 40_000, "single": 2_000}


def measure(quick: bool) -> Mapping[str, object]:
    """Each engine once: counts of bytes are nearly the same every time."""
    counts = _QUICK if quick else _FULL
    with _ended_by_signals(), mounted() as disk:
        install()
        found: dict[str, dict[str, dict[str, float]]] = {mode: {} for mode in counts}
        for mode, count in counts.items():
            found[mode]["rocks"] = ours.rocks(disk, count, _SIZES[mode])
            found[mode]["append"] = {"bytes": ours.append(disk, count, _SIZES[mode])}
        for name, kind in (("postgres", PostgreSQL), ("mariadb", MariaDB)):
            server = kind(disk.folder / name)
            with server.running():
                for mode, count in counts.items():
                    found[mode][name] = stored(disk, server, count, _SIZES[mode])
        proc, sector = proc_says(disk.folder), sector_bytes(disk.folder)
    results: dict[str, object] = {}
    for mode, engines in found.items():
        for name, figures in engines.items():
            results[f"{name}_{mode}_bytes"] = figures["bytes"]
        better = min(engines["postgres"]["bytes"], engines["mariadb"]["bytes"])
        share = engines["rocks"]["bytes"] / better * 100
        results[f"{mode}_percent_of_better_server"] = round(share, 1)
    load = found["load"]
    return results | {
        "load_times_content": round(load["rocks"]["bytes"] / CONTENT_BYTES, 2),
        "rocks_kept_bytes": load["rocks"]["kept"],
        "postgres_kept_bytes": load["postgres"]["kept"],
        "mariadb_kept_bytes": load["mariadb"]["kept"],
        "rocks_open_bytes": load["rocks"]["open"],
        "content_packed_percent": packed_percent(s.text for s in islice(spoken(20_000), 20_000)),
        "proc_io_of_8192_bytes": proc,
        "sector_bytes": sector,
        "messages": counts["load"],
        "single_messages": counts["single"],
    }


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does: what was started is stopped, what was mounted is unmounted."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
