"""The answer to a WebSocket's opening handshake (RFC 6455, section 4.2), without a socket.

Owns what is asked of a request beyond what picows asks (a `GET` of HTTP/1.1 without a body, and a
key of 16 bytes; else it answers 400 itself). Rule: a refusal says what would have been right.
"""

from typing import Final

from picows import WSUpgradeRequest, WSUpgradeResponse

from qingniao.protocol.codec import SUBPROTOCOLS, Codec

__all__ = ["answer"]

_VERSION: Final = "13"
# picows keeps the response as long as its connection, and only writes the key's answer into it
# before it sends it: one for all is a kilobyte less for each.
_ACCEPTED: Final = {
    name: WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": name})
    for name in SUBPROTOCOLS
}


def answer(request: WSUpgradeRequest) -> tuple[Codec | None, WSUpgradeResponse]:
    """The codec of the subprotocol chosen, `None` when refused, and the response. Extensions are
    not looked at: none is known."""
    headers = request.headers
    if headers.get("Sec-WebSocket-Version") != _VERSION:
        text = f"Only version {_VERSION} of WebSocket is spoken here.\n"
        return None, _refuse(426, text, {"Sec-WebSocket-Version": _VERSION, "Upgrade": "websocket"})
    if "upgrade" in _tokens(",".join(headers.getall("Connection", [])).lower()):
        # picows takes no other option beside it, but Firefox sends "keep-alive, Upgrade".
        headers["Connection"] = "upgrade"
    for name in _tokens(",".join(headers.getall("Sec-WebSocket-Protocol", []))):
        codec = SUBPROTOCOLS.get(name)
        if codec is not None:
            return codec, _ACCEPTED[name]
    return None, _refuse(400, f"Ask for one of these subprotocols: {', '.join(SUBPROTOCOLS)}\n", {})


def _refuse(status: int, text: str, headers: dict[str, str]) -> WSUpgradeResponse:
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(
        status, text.encode(), headers
    )
    return response


def _tokens(field: str) -> list[str]:
    return [part.strip() for part in field.split(",")]
