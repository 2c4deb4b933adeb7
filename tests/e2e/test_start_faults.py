"""What is in the way of a start ends in one sentence that says what to do, exit status 2, and no
traceback.
"""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Ended, Furnished, StartServer, run_qingniao
from needs import need, need_root

from qingniao.replay.house import Api

pytestmark = pytest.mark.e2e


def assert_one_sentence(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended
    lines = ended.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("qingniao: "), ended
    assert lines[0].rstrip().endswith((".", "?", ")")), ended
    for word in words:
        assert word in lines[0], ended
    assert "ready" not in ended.out


async def serve(data: Path, *arguments: str, **settings: str) -> Ended:
    environ = {"QINGNIAO_DATA": str(data), "QINGNIAO_PORT": "0", "QINGNIAO_LOG_LEVEL": "error"}
    return await run_qingniao("serve", *arguments, **(environ | settings))


# The folder.


async def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    assert_one_sentence(await serve(tmp_path / "data"), str(tmp_path / "data"), "QINGNIAO_DATA")


async def test_a_folder_beneath_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_one_sentence(await serve(tmp_path / "file" / "data"), "cannot be written")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes of its own."""
    need_root("Mounting a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    mounting = subprocess.run(command, capture_output=True, text=True)
    need(mounting.returncode == 0, f"Not even root may mount a small disk here: {mounting.stderr}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (65_536, 512, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                continue


async def test_a_full_disk(mounted: Path) -> None:
    (mounted / "data").mkdir()
    fill(mounted)
    assert_one_sentence(await serve(mounted / "data"), str(mounted / "data"), "pace")


async def test_a_disk_that_fills_up_during_the_first_start(mounted: Path) -> None:
    # Two megabytes are room for the folders, not for the sample knowledge and its index.
    with (mounted / "filler").open("wb") as filler:
        filler.write(b"x" * 1_900_000)
    assert_one_sentence(await serve(mounted / "data"))


async def test_a_read_only_folder(mounted: Path, furnished: Furnished) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(mounted)], check=True)
    data = mounted / "data"
    shutil.copytree(furnished.data, data)
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    assert_one_sentence(await serve(data), str(data), "cannot be written", "QINGNIAO_DATA")


# Somebody else.


async def test_a_second_process_on_the_same_folder(start_server: StartServer) -> None:
    server = await start_server()
    ended = await serve(server.data)
    assert_one_sentence(ended, str(server.data), "another Qingniao process", "QINGNIAO_DATA")
    assert await Api(server.url).visitor(), "the first one is not disturbed"


async def test_a_port_in_use(tmp_path: Path, furnished: Furnished) -> None:
    data = tmp_path / "data"
    shutil.copytree(furnished.data, data)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = await serve(data, QINGNIAO_PORT=port)
    assert_one_sentence(ended, port, "in use", "QINGNIAO_PORT")


# Settings.


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"QINGNIAO_PROT": "8080"}, ("QINGNIAO_PROT", "Did you mean QINGNIAO_PORT?")),
        ({"QINGNIAO_PORT": "http"}, ("port", "int")),
        ({"QINGNIAO_PORT": "70000"}, ("port", "65535", "70000")),
        ({"QINGNIAO_LOG_LEVEL": "loud"}, ("log_level",)),
        ({"QINGNIAO_WIRE_CREDIT": "0"}, ("wire.credit", "greater than 0")),
        ({"QINGNIAO_CONFIG": "/nowhere/at/all.toml"}, ("/nowhere/at/all.toml", "cannot be read")),
    ],
)
async def test_a_wrong_variable(
    tmp_path: Path, settings: dict[str, str], words: tuple[str, ...]
) -> None:
    assert_one_sentence(await serve(tmp_path / "data", **settings), *words)
    assert not (tmp_path / "data").exists(), "settings are checked before anything is made"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1\n", ("prot", "Did you mean port?")),
        ("[gateway]\noutbox_byte = 5\n", ("[gateway]", "outbox_bytes")),
        ("wire = 3\n", ("wire", "section")),
        ("port = \n", ("not TOML",)),
        ("log_format = 'loud'\n", ("log_format", "loud")),
    ],
)
async def test_a_wrong_file(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = tmp_path / "my.toml"
    file.write_text(text)
    assert_one_sentence(await serve(tmp_path / "data", "--config", str(file)), *words)


async def test_a_wrong_flag(tmp_path: Path) -> None:
    ended = await serve(tmp_path / "data", "--prot", "1")
    assert ended.code == 2 and "--prot" in ended.err and "Traceback" not in ended.err, ended


# Damage.


async def damaged(furnished: Furnished, tmp_path: Path, pattern: str) -> Ended:
    data = tmp_path / "data"
    shutil.copytree(furnished.data, data)
    for leftover in (*data.glob("*.db-wal"), *data.glob("*.db-shm")):
        leftover.unlink()
    files = sorted(data.glob(pattern))
    assert files, f"{pattern} names nothing in {sorted(data.rglob('*'))}"
    for file in files:
        file.write_bytes(b"this was something else once " * 400)
    return await serve(data)


async def test_a_damaged_database(furnished: Furnished, tmp_path: Path) -> None:
    assert_one_sentence(await damaged(furnished, tmp_path, "qingniao.db"), "qingniao.db", "backup")


async def test_a_damaged_message_log(furnished: Furnished, tmp_path: Path) -> None:
    ended = await damaged(furnished, tmp_path, "messages/MANIFEST-*")
    assert_one_sentence(ended, "messages", "backup")


async def test_a_damaged_key(furnished: Furnished, tmp_path: Path) -> None:
    assert_one_sentence(await damaged(furnished, tmp_path, "keys"), "keys")
