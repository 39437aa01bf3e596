"""A server on the loopback interface that speaks vLLM's `/pooling` about a real step verifier.

Written down from vLLM's protocol: `{"model", "input": token ids, "task": "token_classify", "use_activation"}` is
answered with `{"data": [{"index": 0, "object": "pooling", "data": rows}]}`, a row for each token (pooling type ALL) or
for each of the mark's tokens (STEP with `step_tag_id`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rows = Callable[[Sequence[int]], list[list[float]]]


class PoolingServer:
    """Serves until closed; a context manager.

    Args:
        rows: the outputs of each token of a request.
        mark: with it, only rows at these tokens are returned.
        fault: a request's body -> (status, bytes) in place of a good answer, or None.
    """

    def __init__(
        self,
        name: str,
        rows: Rows,
        mark: int | None = None,
        fault: Callable[[dict[str, Any]], tuple[int, bytes] | None] = lambda _: None,
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        lock = threading.Lock()  # the model computes one request at a time
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                with lock:
                    outer.requests.append(request)
                    outer.paths.append(self.path)
                    status, body = fault(request) or outer._answer(self.path, request, name, rows, mark)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @staticmethod
    def _answer(path: str, request: dict[str, Any], name: str, rows: Rows, mark: int | None) -> tuple[int, bytes]:
        if path != "/pooling" or request.get("model") != name or request.get("task") != "token_classify":
            error = {"error": {"message": f"no such path, model or task: {path}", "type": "NotFoundError", "code": 404}}
            return 404, json.dumps(error).encode()
        ids = request["input"]
        found = rows(ids)
        if mark is not None:
            found = [row for row, token in zip(found, ids, strict=True) if token == mark]
        data = [{"index": 0, "object": "pooling", "data": found}]
        usage = {"prompt_tokens": len(ids), "total_tokens": len(ids), "completion_tokens": 0}
        body = {"id": "pool-1", "object": "list", "created": 0, "model": name, "data": data, "usage": usage}
        return 200, json.dumps(body).encode()

    def __enter__(self) -> PoolingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
