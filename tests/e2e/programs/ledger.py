"""Counts identities: one a line over TCP on port 9000; GET on port 8080 says how many came and which came twice,
or, with an identity for a path, how often that one did."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

seen: Counter[str] = Counter()
lock = threading.Lock()


def totals() -> dict[str, object]:
    twice = [identity for identity, times in seen.items() if times > 1]
    return {"distinct": len(seen), "total": seen.total(), "twice": twice[:100]}


class Lines(StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            with lock:
                seen[line.strip().decode()] += 1


class Counts(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with lock:
            body = json.dumps(seen[self.path[1:]] if self.path != "/" else totals()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 (the standard library's signature)
        pass


class Ledger(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


if __name__ == "__main__":
    threading.Thread(target=Ledger(("", 9000), Lines).serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", 8080), Counts).serve_forever()
