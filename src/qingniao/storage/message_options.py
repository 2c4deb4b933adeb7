"""How RocksDB is opened: what costs few bytes on disk and little CPU for a log of messages.

Owns every option; refuses to open anything. Rule: an option may change how bytes are written, never
what they mean: a folder written with other options opens with these, and the other way round.

What each is for, as `make bench NAME=disk-bytes` shows it:

- zstd for the write-ahead log halves what a full commit writes; rocksdict has no call for it, so it
  comes from a file in the engine's own format of options.
- zstd and blocks of 16 KB for the tables: texts of one conversation lie together and pack well.
- A used log file is written over again: no new blocks and no new length, so that an fsync is one
  write and not one more of the file system's journal (`message_runway.py` does this for the first).
"""

import tempfile
from pathlib import Path
from typing import Final

from rocksdict import BlockBasedOptions, DBCompressionType, Options

from qingniao.log import get_logger

__all__ = ["engine_options"]

_log: Final = get_logger("storage")

_WRITE_BUFFER_BYTES: Final = 32 << 20
_LOGS_BYTES: Final = 128 << 20
_BLOCK_BYTES: Final = 16 << 10
_LOGS_REUSED: Final = 2

_FILE: Final = """\
[Version]
  rocksdb_version=9.8.4
  options_file_version=1.1
[DBOptions]
  wal_compression=kZSTD
[CFOptions "default"]
[TableOptions/BlockBasedTable "default"]
"""
_RAW: Final = '{"raw_mode":true,"prefix_extractors":{}}'
"""rocksdict's own file beside it: keys and values are bytes."""


def engine_options() -> Options:
    """How the engine is opened."""
    chosen = _packing_its_log()
    chosen.create_if_missing(True)
    chosen.set_max_open_files(256)
    chosen.set_keep_log_file_num(2)
    chosen.set_max_log_file_size(1 << 20)
    chosen.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    chosen.set_max_total_wal_size(_LOGS_BYTES)
    chosen.set_recycle_log_file_num(_LOGS_REUSED)
    chosen.set_compression_type(DBCompressionType.zstd())
    tables = BlockBasedOptions()
    tables.set_block_size(_BLOCK_BYTES)
    chosen.set_block_based_table_factory(tables)
    return chosen


def _packing_its_log() -> Options:
    """Options with a packed log; without, where the file for it cannot be written."""
    try:
        with tempfile.TemporaryDirectory(prefix="qingniao-options-") as folder:
            Path(folder, "OPTIONS-000001").write_text(_FILE, "utf-8")
            Path(folder, "rocksdict-config.json").write_text(_RAW, "utf-8")
            return Options.load_latest(folder)[0]
    except Exception as exc:  # rocksdict raises bare Exception; the disk may be full
        _log.warning("log_not_packed", reason=str(exc))
        return Options(raw_mode=True)
