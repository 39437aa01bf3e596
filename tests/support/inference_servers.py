"""Servers on the loopback interface that speak vLLM's and SGLang's protocols about a real model, faithfully or not.

The log-probabilities come from plain forward passes of transformers, one for each request. What a faithful server does
with a request is written down from the engines' own source, apart from our code that asks.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch


class Lm:
    """A model and its tokenizer; remembers what it has computed, so that several servers may share one."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._lock = threading.Lock()
        self._known: dict[tuple[int, ...], list[float]] = {}

    def log_probabilities(self, ids: Sequence[int]) -> list[float]:
        """(len(ids) - 1,): of each token but the first, given those before it."""
        key = tuple(ids)
        with self._lock:
            if key not in self._known:
                tokens = torch.tensor([key])
                with torch.inference_mode():
                    logits = self.model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
                    picked = torch.log_softmax(logits, dim=-1).gather(-1, tokens[0, 1:, None])[:, 0]
                self._known[key] = picked.tolist()
            return self._known[key]


@dataclass(frozen=True)
class Fault:
    """What a server does with a request in place of answering it well.

    Attributes:
        status, headers: an error with this status.
        delay: seconds before anything is sent.
        close: promise the whole body, send half of it, and hang up.
        body: sent as it is.
        change: changes the reply before it is sent.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    close: bool = False
    body: bytes | None = None
    change: Callable[[dict[str, Any]], None] | None = None


class InferenceServer:
    """Serves until closed; a context manager.

    Args:
        lm: what is served.
        name: what the server calls it; `root`, where it loaded it from.
        context: the longest prompt with what is generated.
        key: the API key that requests must bring, or None.
        fault: given a request's ids and how often these were asked about before; None: answer well.
        told: replaces what the server says of itself: path -> reply, None for a path that it has not.

    Attributes:
        asked: the ids of each request for log-probabilities, in the order of arrival; `bodies` beside them.
        headers: of every request, with names in lower case.
    """

    def __init__(
        self,
        lm: Lm,
        name: str,
        *,
        root: str | None = None,
        context: int = 2048,
        key: str | None = None,
        fault: Callable[[Sequence[int], int], Fault | None] = lambda ids, before: None,  # noqa: ARG005
        told: Mapping[str, Any] | None = None,
    ) -> None:
        self.lm = lm
        self.name = name
        self.root = root or name
        self.context = context
        self.asked: list[list[int]] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self._key = key
        self._fault = fault
        self._told = dict(told or {})
        self._lock = threading.Lock()
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._handle(self, None)

            def do_POST(self) -> None:
                outer._handle(self, json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0)))))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that gave up
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self) -> InferenceServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def options(self, **server: Any) -> dict[str, Any]:
        """Options of a `Gauge` that asks this server; what fails is tried again at once."""
        return {"backend": self.backend, "base_url": self.base_url, "server": {"backoff": 0.0, **server}}

    # What the two kinds say of themselves, and how they answer.

    backend: str
    paths: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        raise NotImplementedError

    def ids(self, request: Mapping[str, Any]) -> list[int]:
        raise NotImplementedError

    def answer(self, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        raise NotImplementedError

    def _handle(self, handler: BaseHTTPRequestHandler, request: dict[str, Any] | None) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        fault = None
        with self._lock:
            self.headers.append(headers)
            if handler.path in self.paths and request is not None:
                ids = self.ids(request)
                fault = self._fault(ids, self.asked.count(ids))
                self.asked.append(ids)
                self.bodies.append(request)
        fault = fault or Fault()
        self._closing.wait(fault.delay)
        if self._key is not None and headers.get("authorization") != f"Bearer {self._key}":
            status, reply = 401, {"error": "Unauthorized"}
        elif fault.status != 200:
            status, reply = fault.status, {"error": {"message": "the server is not well"}}
        elif handler.path in self.paths and request is not None:
            status, reply = self.answer(request)
        else:
            status, reply = self._other(handler.path, request)
        if fault.change:
            fault.change(reply)
        body = fault.body if fault.body is not None else json.dumps(reply).encode()
        handler.send_response(status)
        for name, value in fault.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if fault.close:
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            handler.close_connection = True
        else:
            handler.wfile.write(body)

    def _other(self, path: str, request: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        if path == "/inference/v1/generate":
            return 400, {"error": {"message": "trace_decode_token_ids needs --enable-trace-replay", "code": 400}}
        found = {**self.facts(), **self._told}.get(path)
        if path == "/tokenize" and request is not None and path not in self._told:
            tokens = self.lm.tokenizer(request["prompt"], add_special_tokens=request["add_special_tokens"]).input_ids
            found = {"tokens": tokens, "count": len(tokens), "max_model_len": self.context}
        return (404, {"detail": "Not Found"}) if found is None else (200, found)


class VllmServer(InferenceServer):
    """vLLM: `entrypoints/openai/completion/{protocol,serving}.py`, and `entrypoints/serve/disagg/` for replays.

    Args:
        replay: as started with `--enable-trace-replay`.
    """

    backend = "vllm"
    paths = ("/v1/completions",)

    def __init__(self, *args: Any, replay: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        if replay:
            self.paths = (*self.paths, "/inference/v1/generate")
        self.cached: list[list[int]] = []

    def facts(self) -> dict[str, Any]:
        card = {"id": self.name, "object": "model", "owned_by": "vllm", "root": self.root, "parent": None}
        return {
            "/v1/models": {"object": "list", "data": [{**card, "max_model_len": self.context}]},
            "/version": {"version": "0.33.0"},
        }

    def ids(self, request: Mapping[str, Any]) -> list[int]:
        if "token_ids" in request:
            return [*request["token_ids"], *request["sampling_params"]["trace_decode_token_ids"]]
        return request["prompt"]

    def answer(self, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if "token_ids" in request:
            return self._replayed(request)
        ids = request["prompt"]
        if request["model"] != self.name:
            return 404, {"error": {"message": f"The model `{request['model']}` does not exist.", "code": 404}}
        if len(ids) + request["max_tokens"] > self.context or request["max_tokens"] < 1:
            return 400, {"error": {"message": f"maximum context length is {self.context} tokens", "code": 400}}
        assert request["prompt_logprobs"] == 0, "only those of the prompt's own tokens"
        assert request["stream"] is False, "prompt_logprobs are not available when stream=True"
        values = self.lm.log_probabilities(ids)
        entries = [
            {str(token): {"logprob": value, "rank": 1, "decoded_token": self.lm.tokenizer.decode([token])}}
            for token, value in zip(ids[1:], values, strict=True)
        ]
        choice = {
            "index": 0,
            "text": " x",
            "logprobs": None,
            "finish_reason": "length",
            "stop_reason": None,
            "prompt_logprobs": [None, *entries],
            "prompt_token_ids": ids if request.get("return_token_ids") else None,
        }
        usage = {"prompt_tokens": len(ids), "completion_tokens": 1, "total_tokens": len(ids) + 1}
        return 200, {
            "id": "cmpl-1",
            "object": "text_completion",
            "model": self.name,
            "choices": [choice],
            "usage": usage,
        }

    def _replayed(self, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        prompt, sampling = request["token_ids"], request["sampling_params"]
        trace = sampling["trace_decode_token_ids"]
        assert sampling["max_tokens"] == len(trace)
        assert "prompt_logprobs" not in sampling
        assert (sampling["temperature"], sampling["logprobs"]) == (1.0, 0)
        shared = max((common(prompt, other) for other in list(self.cached)), default=0) // 16 * 16  # whole blocks
        values = self.lm.log_probabilities([*prompt, *trace])[len(prompt) - 1 :]
        self.cached.append(prompt)
        content = [{"token": f"token_id:{token}", "logprob": value} for token, value in zip(trace, values, strict=True)]
        usage = {"prompt_tokens": len(prompt), "prompt_tokens_details": {"cached_tokens": shared}}
        choice = {"index": 0, "logprobs": {"content": content}, "finish_reason": "length", "token_ids": trace}
        return 200, {"request_id": "1", "choices": [choice], "prompt_logprobs": None, "usage": usage}


class SglangServer(InferenceServer):
    """SGLang 0.5: `srt/entrypoints/http_server.py`, `srt/managers/…`; with a prefix cache that forgets nothing."""

    backend = "sglang"
    paths = ("/generate",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cached: list[list[int]] = []
        self.weights = "default"

    def facts(self) -> dict[str, Any]:
        card = {"id": self.name, "object": "model", "owned_by": "sglang", "root": self.name}
        return {
            "/v1/models": {"object": "list", "data": [{**card, "max_model_len": self.context}]},
            "/model_info": {"model_path": self.root, "served_model_name": self.name, "weight_version": self.weights},
            "/server_info": {"version": "0.5.23", "dtype": "float32", "quantization": None, "context_length": None},
        }

    def ids(self, request: Mapping[str, Any]) -> list[int]:
        return request["input_ids"]

    def answer(self, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        ids, start = request["input_ids"], request["logprob_start_len"]
        if len(ids) >= self.context:
            return 400, {
                "error": {"message": f"The input ({len(ids)} tokens) is longer than the model's context length"}
            }
        assert request["return_logprob"] is True
        assert request["sampling_params"]["max_new_tokens"] == 0
        last = self.lm.model.config.vocab_size - 1
        shared = max((common(ids, other) for other in list(self.cached)), default=0)
        values: list[float | None] = [None, *self.lm.log_probabilities(ids)[start:]]
        self.cached.append(ids)
        told = [[value, token if token < last else 0, None] for value, token in zip(values, ids[start:], strict=True)]
        info = {
            "id": "1",
            "finish_reason": {"type": "length", "length": 0},
            "prompt_tokens": len(ids),
            "weight_version": self.weights,
            "completion_tokens": 0,
            "cached_tokens": min(shared, len(ids) - 1, start),
            "input_token_logprobs": told,
            "output_token_logprobs": [],
        }
        return 200, {"text": "", "output_ids": [], "meta_info": info}


SERVERS = {"vllm": VllmServer, "sglang": SglangServer}


def common(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common beginning."""
    n = 0
    while n < min(len(left), len(right)) and left[n] == right[n]:
        n += 1
    return n
