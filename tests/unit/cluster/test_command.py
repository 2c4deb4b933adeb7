"""What the command checks before it starts anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from qingniao.cluster import command, layout
from qingniao.errors import StartError


def missing(what: str) -> None:
    raise StartError(f"There is no {what} here.")


def test_everything_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hiding installed programs from the real search would hide ours as well."""
    monkeypatch.setattr(command, "find_postgres", lambda: missing("PostgreSQL"))
    monkeypatch.setattr(command.haproxy, "find_haproxy", lambda: missing("HAProxy"))
    monkeypatch.setattr(command, "find_program", lambda: "")
    with pytest.raises(StartError, match=r"postgresql, haproxy, redis-server.*apt-get install"):
        command._check_programs()


@pytest.mark.parametrize("package", ["hiredis", "asyncpg"])
def test_a_driver_that_is_not_installed_is_named(package: str, tmp_path: Path) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from qingniao.cli import main"
    code += f"; sys.exit(main(['cluster', '--data', {str(tmp_path)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"needs the package {package}: pip install 'qingniao[cluster]'" in done.stderr


def test_one_cluster_in_a_folder(tmp_path: Path) -> None:
    with (
        command._alone(tmp_path / "cluster"),
        pytest.raises(StartError, match="Another cluster runs in"),
        command._alone(tmp_path / "cluster"),
    ):
        pass
    with command._alone(tmp_path / "cluster"):
        pass


def test_a_table_that_cannot_be_written_is_told_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever keeps the processes calls it at each death."""
    (tmp_path / "processes.new").mkdir()  # as a disk that is full
    size = layout.Size()
    options = command.ClusterOptions(folder=tmp_path, host="127.0.0.1", port=0, size=size)
    command._Cluster(options)._note()
    assert "processes.json cannot be written" in capsys.readouterr().out
