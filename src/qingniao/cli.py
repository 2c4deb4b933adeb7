"""The `qingniao` command. Rule: a user's mistake ends in one sentence and exit status 2, never in a
traceback; heavy imports happen inside the command that needs them.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qingniao import __version__
from qingniao.config import load_config
from qingniao.errors import QingniaoError, StartError
from qingniao.log import get_logger, set_up_logging

if TYPE_CHECKING:
    from qingniao.storage.first_run import FirstRun

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except QingniaoError as exc:
        return _failed(exc)
    except BaseExceptionGroup as group:
        # Tasks fail in groups; the first reason is the one to act on.
        first: BaseException | None = group.subgroup(QingniaoError)
        if first is None:
            raise
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        return _failed(first)
    except KeyboardInterrupt:
        return 130


def _failed(reason: BaseException) -> int:
    print(f"qingniao: {reason}", file=sys.stderr)
    get_logger("cli").debug("stopped", reason=repr(reason))
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("qingniao", description="Customer service you run yourself.")
    parser.add_argument("--version", action="version", version=f"qingniao {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve everything, or some roles, on one port")
    serve.add_argument(
        "--role", default="all",
        help="all (default), or some of gateway, api, worker:ai, worker:assignment, "
        "worker:analytics, worker:delivery, comma-separated; "
        "anything but all needs QINGNIAO_DATABASE_URL and QINGNIAO_BUS_URL",
    )  # fmt: skip
    serve.add_argument("--config", type=Path, help="a TOML file of settings")
    serve.add_argument("--host", help="address to listen on (QINGNIAO_HOST)")
    serve.add_argument("--port", type=int, help="port to listen on, 0 for any (QINGNIAO_PORT)")
    serve.add_argument("--data", help="folder of everything that must survive (QINGNIAO_DATA)")
    serve.set_defaults(run=_serve)

    _add_cluster(
        commands.add_parser("cluster", help="run a whole cluster on this machine, for trying")
    )

    check = commands.add_parser("check-config", help="say whether the settings are right")
    check.add_argument("--config", type=Path, help="a TOML file of settings")
    check.set_defaults(run=_check_config)

    move = commands.add_parser(
        "migrate-store", help="move an installation to PostgreSQL while it serves"
    )
    move.add_argument("--config", type=Path, help="a TOML file of settings, with database.url")
    move.add_argument("--data", help="the folder of the installation that moves (QINGNIAO_DATA)")
    move.set_defaults(run=_migrate_store)

    replay = commands.add_parser("replay", help="drive recorded dialogues as live visitors")
    replay.add_argument("path", type=Path, metavar="PATH", help="CrossWOZ's files, or .jsonl")
    replay.add_argument("--visitors", type=int, default=100, help="visitors (default 100)")
    replay.add_argument("--agents", type=int, default=0, help="scripted agents (default none)")
    replay.add_argument("--url", default="", help="a running server (default: one of its own)")
    replay.add_argument("--login", default="admin", help="an administrator, for --agents")
    replay.add_argument("--password", default="", help="their password (QINGNIAO_PASSWORD)")
    replay.add_argument(
        "--drops", type=float, default=0.0, help="probability to lose the connection at each turn"
    )
    replay.add_argument("--json", action="store_true", help="print JSON instead of a table")
    replay.set_defaults(run=_replay)
    _add_load(commands.add_parser("load", help="put a server under load and measure it"))
    _add_doubles(commands.add_parser("doubles", help="stand in for the bot platforms"))
    return parser


def _add_cluster(cluster: argparse.ArgumentParser) -> None:
    cluster.add_argument("--gateways", type=_count, default=3, help="gateway processes (3)")
    cluster.add_argument("--api", type=_count, default=2, help="api processes (2)")
    cluster.add_argument("--ai", type=_count, default=1, help="workers that answer (1)")
    cluster.add_argument("--assignment", type=_count, default=1, help="workers that assign (1)")
    cluster.add_argument("--analytics", type=_count, default=1, help="workers that count (1)")
    cluster.add_argument("--delivery", type=_count, default=1, help="workers that sweep (1)")
    cluster.add_argument(
        "--together", action="store_true",
        help="one process for assignment, analytics and delivery: 100 MB less",
    )  # fmt: skip
    cluster.add_argument(
        "--redis", choices=("standalone", "cluster"), default="standalone",
        help="one server (default), or a cluster of six",
    )  # fmt: skip
    cluster.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    cluster.add_argument("--port", type=int, default=8080, help="public port, 0 for any (8080)")
    cluster.add_argument(
        "--data", type=Path, default=Path("data/cluster"), help="its folder (data/cluster)"
    )
    cluster.add_argument("--config", type=Path, help="a TOML file of settings for every process")
    cluster.set_defaults(run=_cluster)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 50:
        raise argparse.ArgumentTypeError(f"between 1 and 50, not {number}")
    return number


def _add_load(load: argparse.ArgumentParser) -> None:
    load.add_argument("--url", default="", help="a running server (default: one of its own)")
    load.add_argument("--data", type=Path, help="that server's data folder, to sign tokens with")
    load.add_argument("--login", default="admin", help="the account that all agents share")
    load.add_argument("--password", default="", help="its password (QINGNIAO_PASSWORD)")
    load.add_argument(
        "--shape", choices=("idle", "chat", "day"), default="chat",
        help="idle: heartbeats only; chat (default): visitors talk to agents; "
        "day: visitors arrive, say two things and leave",
    )  # fmt: skip
    load.add_argument(
        "--connections", type=int, default=1_000, help="open at the same time, all of them (1000)"
    )
    load.add_argument("--agents", type=int, help="of these, agents (chat: one for 100 visitors)")
    load.add_argument("--slow", type=int, default=0, help="of these, readers that stop reading (0)")
    load.add_argument(
        "--rate", type=float, default=100.0, help="messages a second of all visitors (100)"
    )
    load.add_argument("--duration", type=float, default=10.0, help="seconds of talking (10)")
    load.add_argument("--ramp", type=float, help="seconds in which connections come up evenly")
    load.add_argument("--processes", type=int, default=0, help="load processes (cores - 1)")
    load.add_argument("--answers", type=float, default=0.5, help="share agents answer (0.5)")
    load.add_argument("--text-bytes", type=int, default=120, help="size of a message (120)")
    load.add_argument("--typing", action="store_true", help="say `typing` before each message")
    load.add_argument("--source", default="", help="local addresses to use, comma-separated")
    load.add_argument("--json", action="store_true", help="print JSON instead of a table")
    load.set_defaults(run=_load)


def _add_doubles(doubles: argparse.ArgumentParser) -> None:
    doubles.add_argument(
        "names", nargs="*", metavar="NAME", help="dify, fastgpt, coze, or a dialect of OpenAI's "
        "interface: openai, deepseek, qwen, vllm, ollama, litellm (default: all)",
    )  # fmt: skip
    doubles.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    doubles.add_argument("--port", type=int, default=0, help="the first one's port (0: free ones)")
    doubles.add_argument(
        "--pace", type=float, default=30.0, help="milliseconds between two pieces of an answer (30)"
    )
    doubles.add_argument("--json", action="store_true", help="print JSON instead of text")
    doubles.set_defaults(run=_doubles)


def _serve(options: argparse.Namespace) -> int:
    config = load_config(
        file=options.config, host=options.host, port=options.port, data=options.data
    )
    set_up_logging(config.log_level, config.log_format)
    # A tenth of the start went to looking for garbage among imports; `serve` turns it on again.
    gc.disable()
    from qingniao.runtime import ALL, ServeRole, read_roles, serve

    roles = read_roles(options.role)

    def ready(url: str, first: "FirstRun | None") -> None:
        lines = []
        if ServeRole.API in roles:
            lines += [f"console   {url}/console/", f"demo shop {url}/demo/"]
        if roles == ALL:
            lines.append(f"data in   {Path(config.data).resolve()}")
        else:
            lines.append(f"health    {url}/healthz")
        if first is not None:
            lines.append(f"sign in as {first.login} with the one-time password: {first.password}")
        print("\n".join(lines))
        print("ready", flush=True)

    _run(serve(config, ready, roles))
    return 0


def _cluster(options: argparse.Namespace) -> int:
    try:
        import asyncpg  # noqa: F401  the processes need it, and would say so one by one

        from qingniao.cluster import command
        from qingniao.cluster.layout import Size
    except ModuleNotFoundError as exc:
        raise StartError(
            f"A cluster needs the package {exc.name}: pip install 'qingniao[cluster]'."
        ) from exc

    size = Size(
        gateways=options.gateways, apis=options.api, ai=options.ai, assignment=options.assignment,
        analytics=options.analytics, delivery=options.delivery, is_together=options.together,
        redis=options.redis,
    )  # fmt: skip
    _run(
        command.run(
            command.ClusterOptions(
                folder=options.data, host=options.host, port=options.port, size=size,
                config=options.config,
            )
        )
    )  # fmt: skip
    return 0


def _run(work: object) -> None:
    try:
        import uvloop
    except ImportError:  # not made for this platform: the standard loop does
        asyncio.run(work)  # type: ignore[arg-type]
        return
    uvloop.run(work)  # type: ignore[arg-type]


def _check_config(options: argparse.Namespace) -> int:
    load_config(file=options.config)
    print("The settings are right.")
    return 0


def _migrate_store(options: argparse.Namespace) -> int:
    config = load_config(file=options.config, data=options.data)
    set_up_logging(config.log_level, config.log_format)
    from qingniao.runtime.migration import migrate_store

    done = asyncio.run(migrate_store(config, lambda line: print(line, flush=True)))
    files = "" if config.blobs.url else f"\nFiles stay in {Path(config.data).resolve()}/files."
    print(
        f"Moved {done.conversations} conversations; the pause took {done.pause_s} s.{files}\n"
        "Now stop the old server, which takes no messages any more, and start the new ones with "
        "the same database.url. The data folder stays as it is: keep it as a backup."
    )
    return 0


def _replay(options: argparse.Namespace) -> int:
    try:
        from qingniao.replay.screen import run
    except ModuleNotFoundError as exc:
        # The table and the bar need `rich`, which the server does not carry.
        raise StartError(
            f"This command needs the package {exc.name}: pip install 'qingniao[tools]'."
        ) from exc
    return run(options)


def _load(options: argparse.Namespace) -> int:
    from qingniao.load.screen import run

    return run(options)


def _doubles(options: argparse.Namespace) -> int:
    from qingniao.doubles.command import run

    return run(options)
