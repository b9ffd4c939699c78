"""A small HTTP server in a thread, which does what its path says."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        super().handle_one_request()
        self.server.addresses.add(self.client_address)

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        name, _, argument = self.path.strip("/").partition("/")
        getattr(self, "serve_" + name, self.serve_echo)(argument)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = serve

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve_echo(self, argument):
        """Answer with the request itself, as JSON."""
        self.answer(
            200,
            json.dumps(
                {
                    "method": self.command,
                    "path": self.path,
                    "headers": dict(self.headers),
                    "body": self.body.decode(),
                }
            ).encode(),
            X_First="1",
        )

    def serve_code(self, argument):
        self.answer(int(argument), b"code")

    def serve_redirect(self, argument):
        """Redirect so many times, with that code: ``302/3``."""
        code, _, times = argument.partition("/")
        left = int(times) - 1
        where = f"/redirect/{code}/{left}" if left else "/echo"
        self.answer(int(code), b"moved", Location=where)

    def serve_elsewhere(self, argument):
        self.answer(302, Location=f"{self.server.other_url}/echo")

    def serve_gzip(self, argument):
        body = b"squeezed" * 100
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.answer(200, gzip.compress(body), Content_Encoding="gzip")
        else:
            self.answer(200, body)

    def serve_auth(self, argument):
        kind, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            self.answer(401, b"who?", WWW_Authenticate='Basic realm="x"')
        else:
            self.answer(200, base64.b64decode(credentials))

    def serve_wait(self, argument):
        """Answer when the test says so."""
        self.server.arrived.release()
        self.server.go_on.wait(10)
        self.answer(200, b"at last")

    def serve_parts(self, argument):
        """Send the body in parts, the second one when the test says so."""
        self.send_response(200)
        if argument == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", "10")
        self.end_headers()
        for part in (b"first", b"other"):
            if argument == "chunked":
                part = b"%x\r\n%s\r\n" % (len(part), part)
            self.wfile.write(part)
            self.wfile.flush()
            self.server.go_on.wait(10)
        if argument == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def serve_broken(self, argument):
        """Promise more than is sent."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"abc")
        self.close_connection = True

    def serve_hangup(self, argument):
        """Close the connection instead of answering."""
        self.server.hangups += 1
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.addresses = set()
        self.arrived = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.hangups = 0
        self.other_url = ""
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def handle_error(self, request, client_address):
        pass

    def stop(self):
        self.go_on.set()
        self.shutdown()
        self.thread.join()
        self.server_close()
