"""`stepgauge score --ray`: windows go through Ray's processes and are written as they come back.

One process reads, others cut, judge and put together, two for each scoring LM on a GPU, so that it has the next window
while one is put together; the scoring LMs are in processes of their own. Windows and rows are the same as without Ray.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import pickle
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...metrics import EngineStatistics
from ...metrics.actors.quiet_ray import check_ray, connect, disconnect
from ..formats.options import OptionError
from ..formats.sources import Source
from .out_folder import OutFolder
from .progress import Progress
from .ray_stages import COLUMN, Ledger, Scored, WindowScorer, read_windows
from .run import report, write

# For each scoring LM. On the CPU it has no core of its own, so that a second one would only take time to start.
_PROCESSES_ON_GPU, _PROCESSES_ON_CPU = 2, 1
# Of windows between the stages; what they hold beyond it waits to be read.
_BYTES_UNDER_WAY = 256 * 2**20
_OF_SCORER = ("device", "dtype", "token_budget", "quantization", "revision", "trust_remote_code")


def check_ray_run(options: Mapping[str, Any]) -> None:
    """Raises OptionError, ScorerError where a run on Ray is bound to fail; nothing is started."""
    check_ray("--ray")
    device = options.get("device", "auto")
    if device not in ("auto", "cpu", "cuda"):
        raise OptionError(
            f"--device {device}: Ray chooses where the scoring LMs are; with --ray give cpu, cuda or none"
        )


def score_on_ray(
    sources: Sequence[Source],
    options: Mapping[str, Any],
    out: OutFolder,
    *,
    address: str,
    workers: int | None,
    window: int,
    limit: int | None = None,
    strict: bool = False,
    tell: Callable[[EngineStatistics], None] = lambda _: None,
) -> None:
    """Score the chains that are not in `out` yet.

    Args:
        options: those of `Gauge`.
        address: of a Ray cluster; "local": this machine.
        workers: scoring LMs; None: one on each of Ray's GPUs, without any one on a core.
        tell: is told what the scoring LMs did for each window; its seconds are those since the window before, or since
            the processes were begun: windows are scored beside one another.

    Raises:
        Stopped: see `score_all`.
        ScorerError: Ray cannot be started or reached, or the scorer cannot be loaded.
    """
    connect(address)
    try:
        progress = Progress(sources, limit)
        progress.passed_over(out.counts.scored + out.counts.failed)
        warned: Counter[str] = Counter()
        with progress:
            progress.show()
            told = time.monotonic()
            for block in _blocks(sources, options, out, workers, window, limit):
                for one in block:
                    scored: Scored = pickle.loads(one)
                    read = scored.read
                    if read.number in out.windows:  # of a reader that was killed and began again
                        continue
                    report(read.window.skipped, warned, strict)
                    if scored.error is not None:
                        raise scored.error
                    write(out, read.number, read.window, scored.rows, scored.evidence)
                    for source, done in zip(sources, read.done, strict=True):
                        source.done = max(source.done, done)
                    progress.scored(len(scored.rows))
                    if scored.work is not None:
                        before, told = told, time.monotonic()
                        tell(dataclasses.replace(scored.work, seconds=told - before))
    finally:
        disconnect()


def _blocks(
    sources: Sequence[Source],
    options: Mapping[str, Any],
    out: OutFolder,
    workers: int | None,
    window: int,
    limit: int | None,
) -> Any:
    """The column of each block that comes back, in the order of arrival."""
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "The minimum number of concurrent actors", UserWarning)  # of fewer windows
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # a block for each window: what comes in one block goes to one actor
    limits = context.execution_options.resource_limits.copy(object_store_memory=_BYTES_UNDER_WAY)
    context.execution_options.resource_limits = limits
    here = ray.get_runtime_context().get_node_id()
    devices, each = _devices(options, workers)
    n = each * len(devices) or _at_most("CPU", workers or 1)
    ledger = ray.remote(num_cpus=0, label_selector={"ray.io/node-id": here})(Ledger).remote()
    source = _source(functools.partial(read_windows, sources, window, limit, out.windows.to_list()))
    # The files lie on this machine; a process that waits for a scoring LM takes no core from it.
    read = ray.data.read_datasource(source, override_num_blocks=1, num_cpus=0, label_selector={"ray.io/node-id": here})
    scored = read.map_batches(
        WindowScorer,
        fn_constructor_args=(options, ledger, devices),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=n),
        num_cpus=0 if devices else 1,
    )
    for batch in scored.iter_batches(batch_size=None, prefetch_batches=0, batch_format="numpy"):
        yield list(batch[COLUMN])


def _devices(options: Mapping[str, Any], workers: int | None) -> tuple[list[Any], int]:
    """Actors with the scoring LM, and how many processes work for each of them.

    None where it is on a server, or whoever computes needs no device of Ray's.
    """
    import ray

    from ...metrics.actors.backend import make_actor

    scorer = options.get("scorer", "smollm2")
    if scorer is None or options.get("backend", "hf") != "hf":
        return [], 0
    gpus = int(ray.cluster_resources().get("GPU", 0))
    on_gpu = gpus > 0 and options.get("device", "auto") != "cpu"
    n = _at_most("GPU" if on_gpu else "CPU", workers or (gpus if on_gpu else 1))
    given = {"device": "auto", **{name: options[name] for name in _OF_SCORER if name in options}}
    placed = {"num_gpus": 1, "num_cpus": 0} if on_gpu else {"num_cpus": 1}
    actors = [make_actor(scorer, given, None, scheduling_strategy="SPREAD", **placed) for _ in range(n)]
    return actors, _PROCESSES_ON_GPU if on_gpu else _PROCESSES_ON_CPU


def _at_most(kind: str, workers: int) -> int:
    import ray

    there = int(ray.cluster_resources().get(kind, 0))
    if workers > there:  # Ray would wait for more
        raise OptionError(f"--workers {workers}: Ray has {there} {kind}s")
    return workers


def _source(read: Any) -> Any:
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Windows(Datasource):
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
            import pyarrow

            def tables() -> Any:
                for block in read():
                    yield pyarrow.table(block)

            return [ReadTask(tables, BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None))]

    return Windows()
