"""The smallest honest client: asks one question and prints the answer with its sources.

    python examples/tiny_client.py http://127.0.0.1:8080 怎么退货

Made from docs/reference/protocol.md and http.md alone, with the standard library and `websockets`.
It numbers its message and sends the same number again after a broken connection, so the question is
stored once. `durable_client.py` beside it also survives its own end.
"""

import json
import sys
import time
import urllib.request
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

HELLO, FOLLOW, SEND, PING, PONG = 1, 2, 4, 9, 10
WELCOME, ACK, BUSY, ENTRY, BYE = 32, 33, 34, 35, 40
TEXT, ANSWER, STATUS = 1, 3, 4


def talk(url: str, me: dict[str, Any], question: str) -> None:
    """One connection: returns when the question is answered or a person has been called."""
    with connect(url.replace("http", "ws", 1) + "/ws", subprotocols=["qingniao.1.json"]) as socket:  # type: ignore[list-item]
        say = lambda *frame: socket.send(json.dumps(frame))  # noqa: E731
        say(HELLO, me["token"], "tiny", [[me["conversation"], me["seq"]]])
        for message in socket:
            kind, *fields = json.loads(message)
            if kind == WELCOME and not me["asked"]:
                say(SEND, me["conversation"], 1, TEXT, question)
            elif kind == ACK:
                me["asked"] = fields[2]
                me["seq"] = max(me["seq"], fields[2])
            elif kind == BUSY:
                time.sleep(fields[2] / 1000)
                say(SEND, me["conversation"], 1, TEXT, question)
            elif kind == ENTRY and fields[1] > me["seq"] + 1:
                say(FOLLOW, me["conversation"], me["seq"])  # a hole: ask for what is missing
            elif kind == ENTRY:
                me["seq"] = max(me["seq"], fields[1])
                if fields[4] == ANSWER:
                    print(fields[5]["text"])
                    print(*(f"[{cite['title']}]" for cite in fields[5].get("cites", [])))
                    return
                if fields[4] == STATUS and fields[5]["to"] == "waiting":
                    return print("A person will answer soon.")
            elif kind == PING:
                say(PONG, fields[0])
            elif kind == BYE and fields[0] >= 3500:
                sys.exit(f"stopped: {fields[1]}")


url, question = sys.argv[1].rstrip("/"), sys.argv[2]
call = urllib.request.Request(f"{url}/api/v1/visitors", b"{}", {"X-Qingniao": "1"})  # noqa: S310
me = json.load(urllib.request.urlopen(call, timeout=10)) | {"seq": 0, "asked": 0}  # noqa: S310
while True:
    try:
        talk(url, me, question)
        break
    except (OSError, ConnectionClosed):
        time.sleep(0.5)
