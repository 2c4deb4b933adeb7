"""What a script does to a reply before it is sent. Owns the faults that are other bytes; those that
are other timing are `wire.py`'s. Rule: a reply is replaced or its events are changed, nothing else.
"""

from typing import Final

from msgspec.structs import replace

from qingniao.doubles.messages import Reply
from qingniao.doubles.scenario import Script

__all__ = ["disturbed"]

_INSIDE: Final = "http://169.254.169.254/latest/meta-data/"
"""Where clouds keep the secrets of a machine: what a redirect inside would want to read."""

_NOISE: Final = b'\x00\xff\xfe{"half": \xe9\x80 <<< \r\r \x1b[0m not json, not an event\n\n'
_PAGE: Final = """<!DOCTYPE html>
<html><head><title>{title}</title></head>
<body><center><h1>{title}</h1></center><hr><center>nginx</center></body></html>
"""


def disturbed(reply: Reply) -> Reply:
    """The reply with its script's changes."""
    script = reply.script
    instead = _instead(script)
    if instead is not None:
        status, content_type, headers, body = instead
        return replace(
            reply, status=status, content_type=content_type, headers=headers, events=[body],
            is_stream=False, stop=None,
        )  # fmt: skip
    events = list(reply.events)
    if "crlf" in script and reply.is_stream:
        events = [event.replace(b"\n", b"\r\n") for event in events]
    if "garbage-midway" in script:
        events.insert(len(events) // 2, _NOISE)
    if "again" in script and reply.is_stream:
        events *= 2
    if "truncate" in script:
        whole = events
        events = whole[: len(whole) // 2]
        if not reply.is_stream:
            events = [body[: len(body) // 2] for body in whole]
    return replace(reply, events=events)


def _instead(script: Script) -> tuple[int, str, dict[str, str], bytes] | None:
    if "status" in script:
        status = _status(script.argument("status"), 500)
        return status, "text/plain", {}, f"status {status}\n".encode()
    if "html" in script:
        status = _status(script.argument("html"), 200)
        title = "502 Bad Gateway" if status == 502 else "Welcome"
        return status, "text/html; charset=utf-8", {}, _PAGE.format(title=title).encode()
    if "redirect" in script:
        return 302, "text/plain", {"location": script.argument("redirect", _INSIDE)}, b"moved\n"
    if "garbage" in script:
        return 200, "text/event-stream", {}, _NOISE * 8
    return None


def _status(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and 200 <= int(text) <= 599 else default
