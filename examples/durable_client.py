"""A whole client on one screen: ask a question, print the answer while it is written.

    python examples/durable_client.py http://127.0.0.1:8080 怎么退货

Made from docs/reference/protocol.md and http.md alone, with the standard library and `websockets`.
Rule: what must survive is in one small file: who we are, how far we have read, and the message
that is not acked yet with its number. Break the connection or this program at any moment and run
it again: the question is stored once.
"""

import json
import random
import secrets
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

HELLO, FOLLOW, SEND, PING, PONG = 1, 2, 4, 9, 10
WELCOME, ACK, BUSY, ENTRY, DELTA, ERROR, BYE = 32, 33, 34, 35, 36, 39, 40
TEXT, ANSWER, STATUS = 1, 3, 4


def arrive(url: str) -> dict[str, Any]:
    """A new visitor. The token is who they are; the device numbers what it sends from 1."""
    call = urllib.request.Request(f"{url}/api/v1/visitors", b"{}", {"X-Qingniao": "1"})  # noqa: S310
    with urllib.request.urlopen(call, timeout=10) as answer:  # noqa: S310
        me = json.load(answer)
    return me | {"device": secrets.token_hex(4), "n": 0, "seq": 0, "unacked": None}


class Chat:
    """The visitor's one conversation."""

    def __init__(self, url: str, kept: Path) -> None:
        self.address = url.replace("http", "ws", 1) + "/ws"
        self.kept = kept
        self.me = json.loads(kept.read_text("utf-8")) if kept.exists() else arrive(url)
        self.asked = 0  # the place of our question, once it has one
        self.written = ""

    def ask(self, question: str) -> None:
        """Returns once the question is answered, or a person has been called."""
        if self.me["unacked"] is None:
            self.keep(n=self.me["n"] + 1, unacked=question)
        while True:
            try:
                with connect(self.address, subprotocols=["qingniao.1.json"]) as socket:  # type: ignore[list-item]
                    return self.talk(socket)
            except (OSError, ConnectionClosed, InvalidHandshake):
                time.sleep(random.uniform(0.1, 1.0))  # noqa: S311  # not all clients at once

    def talk(self, socket: ClientConnection) -> None:
        """One connection, from `hello` to the answer."""
        self.socket, me = socket, self.me
        self.say(HELLO, me["token"], me["device"], [[me["conversation"], me["seq"]]])
        for message in socket:
            kind, *fields = json.loads(message)
            if kind == WELCOME:
                # `from` beyond our cursor: too much was missed; we leave it to `history`.
                self.keep(seq=max([me["seq"], *(state["from"] - 1 for _, state in fields[3])]))
                self.send()
            elif kind in (ACK, BUSY, ERROR):
                self.settle(kind, fields)
            elif kind == ENTRY and self.take(*fields):
                return
            elif kind == DELTA and fields[2] == len(self.written):
                self.written += fields[3]
                print(fields[3], end="", flush=True)
            elif kind == PING:
                self.say(PONG, fields[0])
            elif kind == BYE and fields[0] >= 3500:
                sys.exit(f"stopped: {fields[1]}")

    def say(self, *frame: object) -> None:
        self.socket.send(json.dumps(frame))

    def send(self) -> None:
        """The same `n` for the same message, as often as it takes."""
        if self.me["unacked"] is not None:
            self.say(SEND, self.me["conversation"], self.me["n"], TEXT, self.me["unacked"])

    def settle(self, kind: int, fields: list[Any]) -> None:
        """What became of our message."""
        if kind == ACK:
            self.asked = fields[2]
            # The ack stands for our own entry, which does not come to us.
            self.keep(unacked=None, seq=self.me["seq"] + (self.asked == self.me["seq"] + 1))
        elif kind == BUSY:
            time.sleep(fields[2] / 1000)
            self.send()
        elif fields[1] == self.me["n"] and not fields[4]:
            self.keep(unacked=None, n=self.me["n"] - 1)
            sys.exit(f"refused: {fields[3]}")

    def take(self, _: int, seq: int, __: int, sender: str, sort: int, body: Any, *___: Any) -> bool:
        """An entry, in order; true when it ends the waiting."""
        if seq > self.me["seq"] + 1:
            self.say(FOLLOW, self.me["conversation"], self.me["seq"])
        if seq != self.me["seq"] + 1:
            return False
        self.keep(seq=seq)
        if sender == "v" and body == self.me["unacked"]:
            self.asked = seq  # stored before the connection broke; the ack comes again
        return bool(self.asked) and self.show(sort, body)

    def show(self, sort: int, body: Any) -> bool:
        """Print an entry; true when it is the end of waiting."""
        if sort == ANSWER:
            text = body["text"]
            # What was streamed need not be printed again; the entry counts where they differ.
            streamed = self.written and text.startswith(self.written)
            print(text[len(self.written) :] if streamed else f"\n{text}" if self.written else text)
            for cite in body.get("cites", []):
                print(f"[{cite['title']}] {cite['quote']}")
            return True
        if sort == STATUS and body["to"] == "waiting":
            print("(A person has been called.)")
            return True
        return False

    def keep(self, **changes: Any) -> None:
        """Remember, on disk, before anything is done about it."""
        self.me |= changes
        self.kept.write_text(json.dumps(self.me), "utf-8")


if __name__ == "__main__":
    Chat(sys.argv[1].rstrip("/"), Path("durable_client.json")).ask(sys.argv[2])
