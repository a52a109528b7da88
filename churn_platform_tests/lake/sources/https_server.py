"""An HTTPS server on 127.0.0.1 with a certificate of an authority of its own, that can also answer badly."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import trustme

LARGE = "/large.bin"
LARGE_BYTES = 300 * 1024 * 1024
BLOCK = bytes(1024 * 1024)


@dataclass
class HttpsServer:
    """Serves `files` by path, `cut` ones half, `elsewhere` by a redirect; keeps each Authorization header it saw."""

    address: str
    ca_file: Path
    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    elsewhere: dict[str, str] = field(default_factory=dict)
    authorized: list[str | None] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        path, serving = self.path.partition("?")[0], self.server.serving
        serving.authorized.append(self.headers["Authorization"])
        self.close_connection = True
        if path in serving.elsewhere:
            self.send_response(302)
            self.send_header("Location", serving.elsewhere[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == LARGE:
            self._begin(LARGE_BYTES)
            for _ in range(LARGE_BYTES // len(BLOCK)):
                self.wfile.write(BLOCK)
        elif path in serving.files:
            content = serving.files[path]
            self._begin(len(content))
            self.wfile.write(content[: len(content) // 2] if path in serving.cut else content)
        else:
            self.send_error(404)

    def _begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    serving: HttpsServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate hangs up: that is what a test wants."""


@contextmanager
def https_server(folder: Path) -> Iterator[HttpsServer]:
    """Serve until the block ends."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    server = _Server(("127.0.0.1", 0), _Handler)
    # The handshake belongs to each connection's own thread, which closes what it could not greet.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    serving = server.serving = HttpsServer(f"https://127.0.0.1:{server.server_port}", ca_file)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield serving
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
