"""The server that other tests lean on does what it is told, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qingniao.servers.postgres import PostgresServer


def test_what_was_committed_survives_a_kill(postgres: PostgresServer):
    postgres.new_database("kept")
    postgres.execute("CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)", database="kept")
    postgres.kill()
    postgres.start()
    assert postgres.execute("SELECT n FROM t", database="kept") == "7"
    postgres.restart()
    assert postgres.execute("SELECT n FROM t", database="kept") == "7"
    assert postgres.execute("SHOW fsync", "SHOW synchronous_commit") == "on\non"


def test_paused_it_answers_nothing(postgres: PostgresServer):
    asking = ["psql", postgres.url("postgres"), "-qAtc", "SELECT 1"]
    postgres.pause()
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(asking, timeout=0.5, capture_output=True)
    postgres.resume()
    assert subprocess.run(asking, timeout=30, capture_output=True).stdout == b"1\n"


def test_it_ends_with_a_test_run_that_is_killed():
    code = """
import time
from qingniao.servers.postgres import PostgresServer
with PostgresServer() as server:
    print(server.folder, server._process.pid, flush=True)
    time.sleep(60)
"""
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    folder, pid = run.stdout.readline().split()
    run.kill()
    run.wait()
    run.stdout.close()
    end = time.monotonic() + 20
    while Path(folder).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
