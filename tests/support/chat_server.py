"""A chat-completions server on the loopback interface that answers well, badly, late, or not at all, as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What to do with one request.

    Attributes:
        text: the message's content; None: see `body`.
        body: the response's bytes instead of a chat completion.
        delay: seconds before anything is sent.
        close: promise the whole body, send half of it, and hang up.
        drip: seconds between the bytes of the body.
        model: the name that the completion says it is from.
    """

    text: str | None = ""
    body: bytes | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 10})
    delay: float = 0.0
    close: bool = False
    drip: float = 0.0
    model: str = "m"


def verdict(label: str, probability: float = 0.5, **more: Any) -> Answer:
    """A good reply, as the schema asks for."""
    return Answer(json.dumps({"reason": "passage 1 says so", "verdict": label, "probability": probability}), **more)


class ChatServer:
    """Serves until closed; a context manager.

    Args:
        answers: claim text -> the answers to its requests in turn, the last one for all further ones; or a function
            of the request's JSON.

    Attributes:
        requests: the decoded bodies, in the order of arrival; `headers` with names in lower case beside them.
        most_in_flight: requests that were under way at once, at most.
    """

    def __init__(self, answers: Mapping[str, Sequence[Answer]] | Callable[[dict[str, Any]], Answer]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._answers = answers
        self._asked: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._handle(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that gave up
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def claims(self) -> list[str]:
        """The claim of each request."""
        return [claim_of(request) for request in self.requests]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        left = False
        try:
            length = int(handler.headers.get("Content-Length", 0))
            request = json.loads(handler.rfile.read(length))
            with self._lock:
                self.requests.append(request)
                self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            answer = self._answer(request)
            self._closing.wait(answer.delay)
            # Before the body is out: the client may send its next request as soon as it has the last byte.
            with self._lock:
                self._in_flight -= 1
                left = True
            self._send(handler, answer)
        finally:
            if not left:
                with self._lock:
                    self._in_flight -= 1

    def _answer(self, request: dict[str, Any]) -> Answer:
        if callable(self._answers):
            return self._answers(request)
        claim = claim_of(request)
        with self._lock:
            turn = self._asked[claim] = self._asked.get(claim, -1) + 1
        answers = self._answers[claim]
        return answers[min(turn, len(answers) - 1)]

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        body = answer.body if answer.body is not None else completion(answer)
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if answer.close:
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            handler.close_connection = True
        elif answer.drip:
            for byte in body:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(answer.drip)
        else:
            handler.wfile.write(body)


def completion(answer: Answer) -> bytes:
    message = {"role": "assistant", "content": answer.text, **answer.message}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    body = {"id": "c", "object": "chat.completion", "created": 0, "model": answer.model, "choices": [choice]}
    if answer.usage is not None:
        body["usage"] = dict(answer.usage)
    return json.dumps(body).encode()


def quoted(request: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON between the two fences of a request's user message; fails where there are more or fewer than two."""
    lines = request["messages"][-1]["content"].split("\n")
    assert lines[0] == lines[-1] == "```"
    assert not any("```" in line for line in lines[1:-1])
    return json.loads("\n".join(lines[1:-1]))


def claim_of(request: Mapping[str, Any]) -> str:
    return quoted(request)["claim"]
