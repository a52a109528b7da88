"""A publisher on 127.0.0.1 that can also answer badly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

GOOD = "/good.zip"
CUT_SHORT = "/cut-short.zip"
CUT_CHUNK = "/cut-chunk.zip"
NO_LENGTH = "/no-length.zip"
GONE = "/gone.zip"


@dataclass
class Publisher:
    """Serves `content` at several paths, each with its own manners, and keeps the paths that were asked for."""

    address: str
    content: bytes = b""
    asked: list[str] = field(default_factory=list)

    def url(self, path: str = GOOD) -> str:
        return self.address + path


@contextmanager
def publisher() -> Iterator[Publisher]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            serving.asked.append(self.path)
            self.close_connection = True
            self.send_response(404 if self.path == GONE else 200)
            if self.path == CUT_CHUNK:
                self.send_header("Transfer-Encoding", "chunked")
            elif self.path != NO_LENGTH:
                self.send_header("Content-Length", str(len(serving.content)))
            self.end_headers()
            whole = self.path in {GOOD, NO_LENGTH, GONE}
            start = f"{len(serving.content):x}\r\n".encode() if self.path == CUT_CHUNK else b""
            self.wfile.write(start + serving.content[: None if whole else len(serving.content) // 2])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parameter's name in the base class
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    serving = Publisher(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield serving
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
