"""The Python client: a conversation over one socket that mends itself.

    async with Client("http://127.0.0.1:8080", token=token, on_frame=print) as client:
        receipt = await client.send(conversation, "怎么退货")

Owns a device's half of the protocol; refuses to know what the messages are about. Rule: `send`
returns once the message is on the server's disk, however often the connection broke in between;
frames arrive in `seq` order, each entry once.
"""

from qingniao.client.client import Client
from qingniao.client.connection import Closed
from qingniao.client.outgoing import NotTaken, Receipt

__all__ = ["Client", "Closed", "NotTaken", "Receipt"]
