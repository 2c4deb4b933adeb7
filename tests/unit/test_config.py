"""Settings: where they come from, which wins, and what a wrong one says."""

from pathlib import Path
from typing import Any

import pytest

from qingniao.config import Config, load_config
from qingniao.errors import ConfigError


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, name: str = "given.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_anything_the_defaults_hold() -> None:
    assert load_config({}) == Config()


def test_file_environment_and_command_line_win_in_this_order(write: Any) -> None:
    file = write("port = 1\nhost = 'file'\nlog_level = 'debug'\n[gateway]\ndrain_ms = 1\n")
    environ = {
        "QINGNIAO_CONFIG": str(file),
        "QINGNIAO_PORT": "2",
        "QINGNIAO_HOST": "environment",
        "QINGNIAO_GATEWAY_INBOX_CHANGES": "7",
        "PATH": "/bin",
    }
    config = load_config(environ, host=None, port=3)
    assert (config.port, config.host, config.log_level) == (3, "environment", "debug")
    assert (config.gateway.drain_ms, config.gateway.inbox_changes) == (1, 7)


def test_given_file_wins_over_the_one_of_the_environment(write: Any) -> None:
    one, two = write("port = 1", "one.toml"), write("port = 2", "two.toml")
    assert load_config({"QINGNIAO_CONFIG": str(one)}, file=two).port == 2


@pytest.mark.parametrize("by", ["environment", "command line", "default"])
def test_file_in_the_data_folder_is_found(tmp_path: Path, by: str) -> None:
    folder = tmp_path / ("data" if by == "default" else "elsewhere")
    folder.mkdir()
    (folder / "qingniao.toml").write_text("port = 4")
    environ = {"QINGNIAO_DATA": str(folder)} if by == "environment" else {}
    given = {"data": str(folder)} if by == "command line" else {}
    assert load_config(environ, **given).port == 4


def test_data_folder_of_the_command_line_is_the_one_looked_into(tmp_path: Path) -> None:
    for name, port in (("env", 1), ("given", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "qingniao.toml").write_text(f"port = {port}")
    environ = {"QINGNIAO_DATA": str(tmp_path / "env")}
    config = load_config(environ, data=str(tmp_path / "given"))
    assert (config.port, config.data) == (2, str(tmp_path / "given"))


def test_variables_that_are_not_settings_are_let_be() -> None:
    names = ["QINGNIAO_CONFIG", "QINGNIAO_PASSWORD", "QINGNIAO_REQUIRE_ENGINES"]
    assert load_config(dict.fromkeys(names, "")) == Config()


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"QINGNIAO_PROT": "1"}, "QINGNIAO_PROT. Did you mean QINGNIAO_PORT?"),
        ({"QINGNIAO_GATEWAY_OUTBOX_BYTE": "1"}, "Did you mean QINGNIAO_GATEWAY_OUTBOX_BYTES?"),
        ({"QINGNIAO_ZZZ": "1"}, "QINGNIAO_ZZZ. docs/reference/settings.md lists them all."),
        ({"QINGNIAO_PORT": "http"}, "port: Expected `int`, got `str`"),
        ({"QINGNIAO_WIRE_RATE": "fast"}, "wire.rate: Expected `float`, got `str`"),
        ({"QINGNIAO_LOG_LEVEL": "loud"}, "log_level: Invalid enum value 'loud'"),
        ({"QINGNIAO_PORT": "65536"}, "port must be between 0 and 65535, got 65536"),
        ({"QINGNIAO_PORT": "-1"}, "port must be between 0 and 65535, got -1"),
        ({"QINGNIAO_WIRE_CREDIT": "0"}, "wire.credit must be greater than 0, got 0"),
        ({"QINGNIAO_WIRE_RATE": "nan"}, "wire.rate must be greater than 0, got nan"),
        ({"QINGNIAO_WIRE_RATE": "inf"}, "wire.rate must be greater than 0, got inf"),
        (
            {"QINGNIAO_GATEWAY_OUTBOX_BYTES": "10"},
            "gateway.outbox_bytes must not be below gateway.outbox_soft_bytes",
        ),
    ],
    ids=str,
)
def test_wrong_variable_stops_the_start_by_name(environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load_config(environ)
    assert says in str(wrong.value)
    assert str(wrong.value).endswith((".", "?"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "prot. Did you mean port?"),
        ("[gatway]\nx = 1", "gatway. Did you mean gateway?"),
        ("[wire]\nrates = 1", "[wire] rates. Did you mean rate?"),
        ("gateway = 3", "gateway is a section: write [gateway] above its keys"),
        ("port = ", "is not TOML"),
        ("port = [1]", "port: Expected `int`, got `array`"),
        ("[wire]\ncredit = 1.5", "wire.credit: Expected `int`, got `float`"),
        ("[pipeline]\nbatch = -3", "pipeline.batch must be greater than 0, got -3"),
    ],
    ids=str,
)
def test_wrong_line_in_the_file_stops_the_start_by_name(write: Any, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load_config({}, file=write(text))
    assert says in str(wrong.value)


def test_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read: No such file"):
        load_config({}, file=tmp_path / "missing.toml")
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config({}, file=tmp_path / "odd.toml")


def test_limits_of_either_side_come_from_the_settings() -> None:
    wire = load_config({"QINGNIAO_WIRE_RATE": "2.5", "QINGNIAO_WIRE_AGENT_RATE": "50"}).wire
    assert wire.limits(agent=False).rate == 2.5
    assert wire.limits(agent=True).rate == 50
