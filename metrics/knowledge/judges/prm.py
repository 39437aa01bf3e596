"""The judge `prm`: a step verifier (process reward model) says of every step of a chain whether it is right.

One forward pass reads the question and all steps; the claims are whole steps (extractor `steps`), and no evidence is
needed. On this machine, or on a pooling server that the user names.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ...addresses import without_login
from ...likelihood import Unscored
from ...model_names import called, source_of
from ...numbers import is_finite
from ...servers.options import Connection, check_number
from ...trace import Trace
from ..base import Surroundings
from ..claims.step import STEP
from ..types import Claim, Label, Passage, Verdict

if TYPE_CHECKING:
    from .prm_layout import Laid, Layout, Writer
    from .prm_model import StepModel
    from .prm_server import PoolingServer

WHO = "judge 'prm'"
_DTYPES = ("auto", "float32", "bfloat16", "float16")
_TEMPLATES = ("auto", "chat", "plain")
_SEPARATORS = {"token-classification": "\n", "label-tokens": "ки", "label-turns": "", "separator-head": "<extra_0>"}
# What Qwen2.5-Math-PRM was trained behind.
_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
_RIGHT = frozenset({"right", "correct", "good", "positive", "true", "yes", "valid", "+", "label1", "1"})


@dataclass(frozen=True)
class Settings:
    """What a verifier is made with, checked; see `make`."""

    source: str
    layout: Layout
    right: int
    threshold: float
    max_length: int | None
    positions: int | None
    revision: str | None
    trust_remote_code: bool
    device: str
    dtype: str
    batch_size: int
    server: Connection | None
    served_as: str


class StepVerifier:
    """Judges claims of kind "step"; its name is "prm:" and the model. Loaded by the first chain.

    A step is supported where p(right) reaches the threshold, else contradicted. A chain that is too long for the
    verifier, or that it cannot read, leaves all of its steps without label.
    """

    kinds: frozenset[str] | None = frozenset({STEP})
    needs_evidence = False
    needs_traces = True
    labels: frozenset[Label] = frozenset(("supported", "contradicted"))

    def __init__(self, settings: Settings, progress: bool | None) -> None:
        self.name = f"prm:{called(settings.source)}"
        self._settings = settings
        self._progress = progress
        self._loaded: tuple[Writer, StepModel | PoolingServer] | None = None
        self._lock = threading.Lock()

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], traces: Sequence[Trace] = ()
    ) -> list[Verdict | None]:
        """See `ReadsTraces`. Raises ValueError when the verifier cannot be loaded."""
        del evidence
        keys = [trace.hash for trace in traces]  # equal chains are read once
        chains: dict[str, tuple[str, dict[int, Claim]]] = {}
        for key, claim, trace in zip(keys, claims, traces, strict=True):
            chains.setdefault(key, (trace.question, {}))[1][claim.step] = claim
        found = dict(zip(chains, self._chains(list(chains.values())), strict=True))
        return [self._verdict(claim, found[key]) for key, claim in zip(keys, claims, strict=True)]

    def describe(self) -> dict[str, Any]:
        """How chains are written for the verifier, and which output means right."""
        return {**self._settings.layout.describe(), "right_output": self._settings.right}

    def close(self) -> None:
        """Free the model or the connections; the next chain loads it again."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
        if loaded is not None and self._settings.server is not None:
            loaded[1].close()  # type: ignore[union-attr]

    def _chains(self, chains: Sequence[tuple[str, Mapping[int, Claim]]]) -> list[dict[int, float] | str]:
        """Per chain, a question and its steps, p(right) by step; why there is none."""
        from .prm_layout import NotLaid

        writer, model = self._ready()
        laid: dict[int, Laid] = {}
        out: list[dict[int, float] | str] = []
        for i, (question, steps) in enumerate(chains):
            try:
                laid[i] = self._fitting(writer.lay(question, _texts(steps)), model)
                out.append({})
            except NotLaid as error:
                out.append(str(error))
        hidden = None if self._progress is None else not self._progress
        with tqdm(total=len(laid), desc="verifying steps", unit="chain", disable=hidden or not laid) as bar:

            def done(n: int) -> None:
                bar.update(n)

            found = model.right(list(laid.values()), done)
        for i, rows in zip(laid, found, strict=True):
            numbers = sorted(chains[i][1])
            out[i] = rows.reason if isinstance(rows, Unscored) else dict(zip(numbers, rows, strict=True))
        return out

    def _ready(self) -> tuple[Writer, StepModel | PoolingServer]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._settings)
            return self._loaded

    def _fitting(self, laid: Laid, model: StepModel | PoolingServer) -> Laid:
        from .prm_layout import NotLaid

        limits = (self._settings.max_length, self._settings.positions, getattr(model, "positions", None))
        most = min((limit for limit in limits if limit is not None), default=None)
        if most is not None and len(laid.ids) > most:
            raise NotLaid(f"the chain has {len(laid.ids)} tokens, more than the {most} that the verifier reads")
        return laid

    def _verdict(self, claim: Claim, found: Mapping[int, float] | str) -> Verdict:
        if isinstance(found, str):
            return Verdict(claim, None, self.name, error=found)
        probability = found[claim.step]
        if math.isnan(probability):
            return Verdict(claim, None, self.name, error="the verifier's output is not a number")
        threshold = self._settings.threshold
        label: Label = "supported" if probability >= threshold else "contradicted"
        reason = f"p(step right) = {probability:.3f}, threshold {threshold:g}"
        return Verdict(claim, label, self.name, probability=min(max(probability, 0.0), 1.0), reason=reason)


def make(
    around: Surroundings,
    *,
    model: str | None = None,
    architecture: str = "auto",
    separator: str | None = None,
    labels: Sequence[str] | None = None,
    right: str | None = None,
    template: str = "auto",
    system: str | None = None,
    numbering: str | None = None,
    threshold: float = 0.5,
    max_length: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 8,
    base_url: str | None = None,
    served_as: str | None = None,
    api_key_env: str | None = None,
    timeout: float = 120.0,
    max_retries: int = 4,
    backoff: float = 0.5,
    concurrency: int = 8,
) -> StepVerifier:
    """Make the judge `prm`. Only the checkpoint's configuration is read now; its weights are by the first chain.

    Args:
        model: hub id or folder of the verifier; required. With `base_url` its tokenizer alone is loaded.
        architecture: "token-classification" (trl's PRMTrainer), "label-tokens" (Math-Shepherd), "label-turns" (RLHFlow)
            or "separator-head" (Qwen2.5-Math-PRM); see `prm_layout.py`. "auto" reads the configuration: a causal LM
            must be named, since any could be one.
        separator: what stands behind each step: by default a line break, "ки" (Math-Shepherd's), none, "<extra_0>".
        labels: the tokens for right and wrong of the two kinds with label tokens: by default "+" and "-".
        right: the name or the number of the output that means right; not needed where the labels' names say it
            ("correct", "LABEL_1" of two).
        template: "chat" (the tokenizer's chat template), "plain", or "auto": chat for separator-head and label-turns
            where the tokenizer has one.
        system: the system turn of a chat; None: what Qwen2.5-Math-PRM was trained behind for separator-head, else none.
        numbering: what stands before each step that does not begin so ("Step {n}: ", the default for label-tokens).
        threshold: a step is supported where p(right) is at least this.
        max_length: tokens of a chain at most; None: the model's positions. A longer chain is left unscored.
        revision, trust_remote_code, device, dtype: as for the scoring LM.
        batch_size: chains per forward pass; halved when memory runs out.
        base_url: a pooling server that runs the verifier, such as "http://localhost:8000"; None: on this machine.
        served_as: its name there; None: `model`.
        api_key_env, timeout, max_retries, backoff, concurrency: see `servers.options.Connection`.

    Raises:
        ValueError: an option that is missing or wrong, or a checkpoint that cannot be found.
    """
    from .prm_layout import CHAT, LAYOUTS, PLAIN, Layout

    if not isinstance(model, str) or not model.strip():
        raise _wrong("model", model, "this judge has no default; give a hub id or the folder of a checkpoint")
    known = ("auto", *LAYOUTS)
    allowed = {"architecture": (architecture, known), "template": (template, _TEMPLATES), "dtype": (dtype, _DTYPES)}
    for name, (value, choices) in allowed.items():
        if value not in choices:
            raise _wrong(name, value, f"expected {', '.join(choices)}")
    for name, value in (("trust_remote_code", trust_remote_code),):
        if not isinstance(value, bool):
            raise _wrong(name, value, "expected true or false")
    check_number(_wrong, "batch_size", batch_size, least=1, whole=True)
    check_number(_wrong, "max_length", max_length, least=8, whole=True, optional=True)
    if not is_finite(threshold) or not 0 < threshold <= 1:
        raise _wrong("threshold", threshold, "expected a probability above 0")
    for name, value in (("separator", separator), ("right", right), ("system", system), ("numbering", numbering)):
        if value is not None and not isinstance(value, str):
            raise _wrong(name, value, "expected text")
    server = None
    if base_url is not None:
        server = Connection(base_url, api_key_env, timeout, max_retries, backoff, concurrency)
        server.check_connection(_wrong)
    source = source_of(model)
    config = _config(source, revision, trust_remote_code)
    kind = _kind(source, config) if architecture == "auto" else architecture
    layout = Layout(
        kind,
        _SEPARATORS[kind] if separator is None else separator,
        _labels(labels),
        (CHAT if kind in ("separator-head", "label-turns") else PLAIN) if template == "auto" else template,
        (_SYSTEM if kind == "separator-head" else None) if system is None else system,
        ("Step {n}: " if kind == "label-tokens" else "") if numbering is None else numbering,
    )
    if kind == "label-turns" and layout.template != CHAT:
        raise _wrong("template", template, "label-turns is a conversation; it needs the chat template")
    settings = Settings(
        source=source,
        layout=layout,
        right=0 if kind in ("label-tokens", "label-turns") else _right(source, config, right),
        threshold=float(threshold),
        max_length=max_length,
        positions=_max_positions(config),
        revision=revision,
        trust_remote_code=trust_remote_code,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        server=server,
        served_as=served_as or model,
    )
    return StepVerifier(settings, around.progress)


def _load(settings: Settings) -> tuple[Writer, StepModel | PoolingServer]:
    from .checkpoint import load_tokenizer
    from .prm_layout import Writer
    from .prm_model import StepModel
    from .prm_server import PoolingServer

    trusted = settings.trust_remote_code
    tokenizer = load_tokenizer(WHO, settings.source, revision=settings.revision, trust_remote_code=trusted)
    writer = Writer(WHO, settings.layout, tokenizer)
    labels = writer.label_ids() if settings.layout.kind in ("label-tokens", "label-turns") else None
    if settings.server is not None:
        return writer, PoolingServer(WHO, settings.served_as, settings.server, settings.right)
    model = StepModel(
        WHO,
        settings.source,
        settings.layout.kind,
        right=settings.right,
        labels=labels,
        padding=tokenizer.pad_token_id,
        revision=settings.revision,
        trust_remote_code=trusted,
        device=settings.device,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
    )
    return writer, model


def _texts(steps: Mapping[int, Claim]) -> list[str]:
    """The steps in order. Raises NotLaid where some were not shown, which the others would be read without."""
    from .prm_layout import NotLaid

    numbers = sorted(steps)
    if numbers != list(range(len(numbers))):
        raise NotLaid(f"the verifier reads whole chains, and was shown steps {[n + 1 for n in numbers]!r:.80} alone")
    return [steps[number].text for number in numbers]


def _config(source: str, revision: str | None, trust_remote_code: bool) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=trust_remote_code)
    except Exception as error:  # a damaged folder raises anything, down to TypeError and KeyError from its JSON
        what = f"expected a hub id or a folder with config.json: {type(error).__name__}: {error}"
        raise _wrong("model", source, what) from error


def _kind(source: str, config: Any) -> str:
    names = [str(name) for name in getattr(config, "architectures", None) or ()]
    for name in names:
        if name.endswith("ForTokenClassification"):
            return "token-classification"
        if name.endswith("ForProcessRewardModel"):
            return "separator-head"
    raise _wrong(
        "architecture",
        "auto",
        f"model {source!r} is a {', '.join(names) or 'model of no known class'}, which does not say how it judges; "
        "name token-classification, label-tokens, label-turns or separator-head",
    )


def _labels(given: Sequence[str] | None) -> tuple[str, str]:
    if given is None:
        return "+", "-"
    texts = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(texts) != 2 or not all(isinstance(text, str) and text.strip() for text in texts) or texts[0] == texts[1]:
        raise _wrong("labels", given, "expected two texts, the token for right and the token for wrong")
    return texts[0], texts[1]


def _right(source: str, config: Any, given: str | None) -> int:
    """The output that means right."""
    names = [str(config.id2label[i]) for i in sorted(config.id2label)]
    if given is not None:
        if given in names:
            return names.index(given)
        if given.isdecimal() and int(given) < len(names):
            return int(given)
        raise _wrong("right", given, f"the outputs of {source!r} are {', '.join(names)}")
    if len(names) == 1:
        return 0
    said = [i for i, name in enumerate(names) if name.casefold().replace("_", "") in _RIGHT]
    if len(said) != 1 or (len(names) > 2 and names[said[0]].startswith("LABEL_")):
        raise _wrong("right", given, f"the outputs of {source!r} are {', '.join(names)}: say which one means right")
    return said[0]


def _max_positions(config: Any) -> int | None:
    found: Any = getattr(config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _wrong(name: str, value: object, what: str) -> ValueError:
    return ValueError(f"{WHO}, option {name} {without_login(value)!r:.80}: {what}")
