"""The server that is driven: one of our own on a free port, or somebody's by URL.

Rule: what replay starts, it stops; its data lives in a temporary folder and goes with it.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, Final

from qingniao.errors import StartError

__all__ = ["Api", "OwnServer"]

_TIMEOUT_S: Final = 30.0
_START_S: Final = 60.0


class Api:
    """Calls the HTTP interface; keeps the session cookie. Blocking calls run in threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._cookie = ""

    async def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One call. Raises `StartError` with the server's own sentence when it refuses."""
        return await asyncio.to_thread(self._call, method, path, body)

    async def sign_in(self, login: str, password: str, new_password: str = "") -> None:
        """Sign in; with `new_password`, also change the one-time password."""
        await self.call("POST", "/session", {"login": login, "password": password})
        if new_password:
            change = {"current": password, "new": new_password}
            await self.call("POST", "/session/password", change)

    async def ticket(self) -> str:
        """A fresh ticket for `hello`."""
        return str((await self.call("POST", "/session/ticket"))["ticket"])

    async def visitor(self) -> tuple[str, int]:
        """A new visitor's token and conversation; waits when the server limits the rate."""
        made = await self.call("POST", "/visitors", {})
        return str(made["token"]), int(made["conversation"])

    def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  the operator gave the URL
            f"{self.url}/api/v1{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json", "X-Qingniao": "1", "Cookie": self._cookie},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                for cookie in answer.headers.get_all("Set-Cookie") or ():
                    self._cookie = cookie.partition(";")[0]
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as exc:
            text = exc.read().decode("utf-8", "replace")
            raise StartError(f"{method} {path}: {exc.code} {text[:300]}") from exc
        except (urllib.error.URLError, OSError) as exc:
            raise StartError(f"{self.url} cannot be reached: {exc}") from exc


class OwnServer:
    """A `qingniao serve` of our own. `async with` starts and stops it."""

    def __init__(self, settings: dict[str, str] | None = None, data: Path | None = None) -> None:
        self._settings = settings or {}
        self._own_data = data is None
        self.data = data or Path(tempfile.mkdtemp(prefix="qingniao-"))
        self.url = ""
        self.password = ""
        self.process: asyncio.subprocess.Process | None = None
        self.errors_to: Path | None = None
        """A file for what it says on its standard error, instead of ours."""
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "OwnServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self._own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    async def start(self, port: int = 0) -> None:
        """Start and wait for `ready`. Raises `StartError` with what it printed."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("QINGNIAO_")}
        environ |= {"QINGNIAO_DATA": str(self.data), "QINGNIAO_PORT": str(port)} | self._settings
        with contextlib.ExitStack() as stack:
            errors: int | IO[bytes] = asyncio.subprocess.STDOUT
            if self.errors_to is not None:
                errors = stack.enter_context(await asyncio.to_thread(self.errors_to.open, "ab"))
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "qingniao", "serve", env=environ,
                stdout=asyncio.subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        output = self.process.stdout
        if output is None:
            raise StartError("The server's output cannot be read.")
        printed: list[str] = []
        try:
            async with asyncio.timeout(_START_S):
                while line := (await output.readline()).decode():
                    printed.append(line)
                    if found := re.search(r"http://\S+?:\d+", line):
                        self.url = self.url or found[0]
                    if found := re.search(r"one-time password: (\S+)", line):
                        self.password = found[1]
                    if line.startswith("ready"):
                        break
                else:
                    raise StartError("The server stopped:\n" + "".join(printed))
        except TimeoutError:
            await self.stop()
            raise StartError("The server was not ready in time:\n" + "".join(printed)) from None
        self.url = re.sub(r"/+$", "", self.url)
        self._reader = asyncio.create_task(_pass_on(output))

    def kill(self) -> None:
        """SIGKILL: as a power cut, for tests."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    async def stop(self) -> None:
        """SIGTERM, then wait; SIGKILL when it does not end in time."""
        process = self.process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        self.process = None


async def _pass_on(output: asyncio.StreamReader) -> None:
    """What the server says while it runs belongs on our standard error."""
    while line := await output.readline():
        sys.stderr.write(line.decode(errors="replace"))
