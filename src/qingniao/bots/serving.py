"""A bot of yours as a service of its own: any `BotService` behind HTTP, as an ASGI application.

    app = serve(MyBot(), key="…")        # uvicorn my_bot:app

The wire is that of `bots.remote`. Rule: whatever the bot raises ends the reply with an error that
the other side understands; it never sees a stream that simply stops. Who leaves early stops the
bot.
"""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotMisconfigured,
    BotService,
    BotUnavailable,
    FeedbackUnsupported,
    Query,
    QueryRejected,
    TakesFeedback,
)
from qingniao.bots.remote import Failed, SentFeedback, SentLesson
from qingniao.log import get_logger

__all__ = ["serve"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_BYTES: Final = 33_554_432
"""Of a question with its files, or of all lessons."""

_log = get_logger("bots")


class _Lessons(Struct):
    lessons: tuple[SentLesson, ...]


class _TooLong(Exception):
    """More than `BODY_BYTES`."""


def serve(bot: BotService, *, key: str = "") -> Application:
    """The application. With a `key`, only who sends it as a bearer token is answered."""
    wanted = f"Bearer {key}".encode()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if key and not hmac.compare_digest(given, wanted):
            await _json(send, 401, Failed(code=BotMisconfigured.code, text="The key is wrong."))
            return
        try:
            await _answer(bot, f"{scope['method']} {scope['path']}", receive, send)
        except _TooLong:
            await _json(send, 413, _refused("The question is too long."))
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            await _json(send, 400, _refused(f"The question cannot be read: {exc}"))

    return app


async def _answer(bot: BotService, what: str, receive: Receive, send: Send) -> None:
    try:
        if what.endswith("/health") and what.startswith("GET"):
            await _json(send, 200, await bot.health())
        elif what.endswith("/reply") and what.startswith("POST"):
            query = msgspec.json.decode(await _body(receive), type=Query)
            await _reply(bot, query, receive, send)
        elif what.endswith("/train") and what.startswith("POST"):
            sent = msgspec.json.decode(await _body(receive), type=_Lessons)
            await _json(send, 200, await bot.train(sent.lessons))
        elif what.endswith("/feedback") and what.startswith("POST"):
            given = msgspec.json.decode(await _body(receive), type=SentFeedback)
            if not isinstance(bot, TakesFeedback):
                raise FeedbackUnsupported
            await bot.feedback(given.message, given.visitor, given.verdict, given.comment)
            await _json(send, 200, given)
        else:
            text = "There is nothing here."
            await _json(send, 404, Failed(code=BotMisconfigured.code, text=text))
    except BotError as exc:
        await _json(send, 502, _failed(exc))


async def _reply(bot: BotService, query: Query, receive: Receive, send: Send) -> None:
    head = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    saying = asyncio.ensure_future(_say(bot, query, send))
    # A server does not tell by `send` that nobody listens any more, and the bot would go on.
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((saying, leaving), return_when=asyncio.FIRST_COMPLETED)
        if saying.done():
            await saying
    finally:
        saying.cancel()
        leaving.cancel()
        await asyncio.gather(saying, leaving, return_exceptions=True)


async def _say(bot: BotService, query: Query, send: Send) -> None:
    try:
        async with aclosing(_events(bot, query)) as events:
            async for event in events:
                line = b"data: " + msgspec.json.encode(event) + b"\n\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
    finally:
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _events(bot: BotService, query: Query) -> AsyncGenerator[Struct]:
    try:
        async with aclosing(bot.reply(query)) as events:
            async for event in events:
                yield event
    except BotError as exc:
        yield _failed(exc)
    except Exception as exc:  # the other side must hear of it, whatever it is
        _log.error("bot_raised", exc=exc, bot=bot.name)
        yield Failed(code=BotUnavailable.code, text="The bot failed inside.")


def _failed(exc: BotError) -> Failed:
    wait_s = exc.retry_after_s if isinstance(exc, BotBusy) else 0.0
    return Failed(code=exc.code, text=str(exc), retry_after_s=wait_s)


def _refused(text: str) -> Failed:
    return Failed(code=QueryRejected.code, text=text)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES:
            raise _TooLong
        parts.append(part)
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


async def _json(send: Send, status: int, body: Struct) -> None:
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
