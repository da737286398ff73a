"""A chat endpoint on this machine that speaks OpenAI's format and says what a test tells it to, truths and lies alike."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def talkative(
    answer: Callable[[str], str], *, status: int = 200, delay: float = 0.0
) -> Iterator[tuple[str, list[dict]]]:
    """Serve; gives the base address and the requests that came in.

    Args:
        answer: What the user asked -> what the model says.
        status: Of every answer.
        delay: Seconds before every piece.
    """
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            self.send_response(status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            if status != 200:
                return
            text = answer(body["messages"][-1]["content"])
            try:
                for start in range(0, len(text), 20):
                    time.sleep(delay)
                    piece = {"choices": [{"index": 0, "delta": {"content": text[start : start + 20]}}]}
                    self.wfile.write(f"data: {json.dumps(piece)}\n\n".encode())
                    self.wfile.flush()
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                pass  # the other side had enough

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
