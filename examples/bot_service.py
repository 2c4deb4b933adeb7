"""A bot as a service of its own, with nothing but Python: `python examples/bot_service.py 9000`.

It speaks the wire of docs/howto/write-a-bot.md, which any language can: one POST in, events out.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Bot(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer("application/json", {"is_ok": True})

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["content-length"])))
        pieces = ["You said: ", query["text"]]
        self.answer(
            "text/event-stream",
            *({"type": "delta", "text": piece} for piece in pieces if piece),
            {"type": "done", "text": "".join(pieces)},
        )

    def answer(self, kind: str, *events: dict) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        for event in events:
            line = json.dumps(event)
            text = line if kind == "application/json" else f"data: {line}\n\n"
            self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        """Quiet: what visitors write is not for a log."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bot)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
