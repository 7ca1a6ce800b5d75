"""A worker that knows nothing of Webgarden and exits at SIGTERM at once, as many programs do.

GET says hello, POST answers with the body's SHA-256. A thread for each connection, from the standard library.
"""

import hashlib
import os
import signal
import socket
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

PROCESS = f"{os.environ.get('WEBGARDEN_WORKER', '-')}/{uuid.uuid4().hex[:8]}"


def ledger() -> socket.socket | None:
    address, _, port = os.environ.get("LEDGER", "").partition(":")
    return socket.create_connection((address, int(port))) if address else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer(b"hello\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if LEDGER is not None:
            LEDGER.sendall(self.headers.get("X-Id", "-").encode() + b"\n")
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("X-Process", PROCESS)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 (the standard library's signature)
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256


def leave(number: int, frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    LEDGER = ledger()
    signal.signal(signal.SIGTERM, leave)
    Server(("", int(os.environ["WEBGARDEN_PORT"])), Handler).serve_forever()
