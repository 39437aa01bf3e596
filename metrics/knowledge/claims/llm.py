"""The claim extractor `llm`: a language model writes down what a step asserts, each claim self-contained with a query.

The model is the gauge's own scoring LM, or one on an OpenAI-compatible server that the user names. What it writes may
use no content word and no number that is neither in the step nor before it (question, options, earlier steps): where a
claim does, the step's own sentence is claimed in its place, and the claim's note says so. A step for which
that fails is left unscored with the reason: it is neither a step without claims nor a consistent one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from tqdm import tqdm

from ...likelihood import LikelihoodBackend, Unscored
from ...trace import Step, Trace
from ..base import ClaimExtractor, Surroundings
from ..chat.batch import Chat, Totals, make_chat
from ..chat.context import end_of
from ..chat.fencing import defuse, fence
from ..chat.prompts import Prompt
from ..chat.scoring_lm import check_scoring_lm, json_writer, read_lm_prompt, read_reply, written_out
from ..chat.server_options import ServerOptions, takes_server_options
from ..types import Claim, ExtractionFailed
from .additions import KnownWords, denials
from .llm_reply import Extracted, read_claims, schema
from .sentence import SENTENCE, ReadSentence, content_words, read_sentences

log = logging.getLogger(__name__)

WHO = "claim extractor 'llm'"
# No step that people would read is longer. It is not cut: what it asserts at its end would go unseen.
MAX_STEP_CHARACTERS = 8_000
_MOST_CLAIMS = 20
_NOTHING = "(none)"
_FEW_WORDS = 3
# Letters beyond Latin, Greek and Cyrillic.
_OTHER_SCRIPT = re.compile("[\u0530-\u1dff\u2e80-\ud7ff\uf900-\ufaff]")

# Begins the note of a claim that stands as the step has it.
ADDED = "the rewritten claim was not taken, since it adds"

Answers = Sequence[Sequence[Extracted] | Unscored]


@dataclass(frozen=True)
class Asked:
    """One step with what is needed to understand it.

    Attributes:
        question: the end of the question, where options stand.
        before: the end of the steps before.
    """

    question: str
    before: str
    step: str


@dataclass(frozen=True)
class ExtractorTotals(Totals):
    """What one extractor has had a server do; its questions are steps, `steps` in number."""

    steps: int = 0

    def __str__(self) -> str:
        return f"{self.steps} steps: {self.cached} cached, {self.spent()}"


class ScoringLM:
    """Extracts with the gauge's scoring LM, which generates under the schema's grammar.

    The LM is loaded when the first step is read.
    """

    def __init__(self, around: Surroundings, prompt: Prompt, most: int, max_tokens: int) -> None:
        self._around = around
        self._prompt = prompt
        self._most = most
        self._max_tokens = max_tokens
        self.name = f"{around.scorer}:{prompt.name}"

    def extract(self, asked: Sequence[Asked], done: Callable[[int], None]) -> Answers:
        """Raises ScorerError where the LM cannot be loaded or cannot generate."""
        backend = self._around.likelihoods()
        writer = json_writer(backend)
        prompts = [self._render(backend, one) for one in asked]
        each = list(dict.fromkeys(prompts))
        texts = writer.generate_json(
            each, schema(self._most), self._max_tokens, done, special_tokens=not self._prompt.turns
        )
        found = partial(read_claims, most=self._most)
        read = {prompt: read_reply(text, found) for prompt, text in zip(each, texts, strict=True)}
        done(len(prompts) - len(each))
        return [read[prompt] for prompt in prompts]

    def describe(self) -> dict[str, Any]:
        return {"prompt_sha256": self._prompt.digest()}

    def close(self) -> None:
        """The LM belongs to the gauge."""

    def _render(self, backend: LikelihoodBackend, asked: Asked) -> str:
        values = {"question": asked.question, "steps": asked.before or _NOTHING, "step": asked.step}
        filled = self._prompt.fill({**{name: fence(text) for name, text in values.items()}, "most": str(self._most)})
        return written_out(filled, backend)


class Server:
    """Extracts with a chat model on a server."""

    def __init__(self, model: str, most: int, chat: Chat[Sequence[Extracted], ExtractorTotals]) -> None:
        self._most = most
        self._chat = chat
        self.name = model

    @property
    def totals(self) -> ExtractorTotals:
        """What it has asked for so far."""
        return self._chat.totals

    def extract(self, asked: Sequence[Asked], done: Callable[[int], None]) -> Answers:
        answers = self._chat.ask([self._message(one) for one in asked], "steps", done)
        self._chat.count(steps=len(asked))
        log.info("claim extractor llm:%s so far: %s", self.name, self.totals)
        return [Unscored("not asked") if answer is None else answer for answer in answers]

    def describe(self) -> dict[str, Any]:
        return self._chat.describe()

    def close(self) -> None:
        self._chat.close()

    def _message(self, asked: Asked) -> str:
        """The user message: JSON keeps each text within its field, the fence keeps it apart from instructions."""
        fields = {"question": asked.question, "steps_before": asked.before, "step": asked.step}
        texts: dict[str, Any] = {name: defuse(text) for name, text in fields.items()}
        return fence(json.dumps({**texts, "at_most": self._most}, ensure_ascii=False, indent=1))


@takes_server_options
def make(
    around: Surroundings,
    server: ServerOptions,
    *,
    prompt: str | None = None,
    max_claims: int = 3,
    context_characters: int = 3_000,
) -> ClaimExtractor:
    """Make the claim extractor `llm`: with `base_url` on that server, without it with the gauge's scoring LM.

    Args:
        server: all further options; its cache "auto" is the folder `claims/` of stepgauge's cache. For the scoring LM
            `max_tokens` counts, too: a reply that is cut off fails its step.
        prompt: "plain" (the default) or "chat" for the scoring LM, "openai" (the default) on a server; or a path to a
            `.txt` file. See `prompts.py`.
        max_claims: how many claims a step has at most, 1 to 20.
        context_characters: how much of the question and of the steps before is shown, half each, from their ends.

    Raises:
        ValueError: an option that is missing or wrong, a prompt that cannot be used, no scoring LM and no server, or a
            package that is not installed.
    """
    _whole("max_claims", max_claims, 1, _MOST_CLAIMS)
    _whole("context_characters", context_characters, 0, 50_000)
    reader: ScoringLM | Server
    if server.base_url is not None:
        reader = _server(server, "openai" if prompt is None else prompt, max_claims)
    else:
        reader = _scoring_lm(around, server, "plain" if prompt is None else prompt, max_claims)
    extract = partial(_extract, reader, context_characters, around.progress)
    return ClaimExtractor(f"llm:{reader.name}", extract, reader.close, reader.describe)


def _server(options: ServerOptions, prompt: str, most: int) -> Server:
    chat = make_chat(
        WHO,
        options,
        prompt=("claims", prompt),
        cache_folder="claims",
        schema=("claims", schema()),
        read=partial(read_claims, most=most),
        totals=ExtractorTotals(),
    )
    return Server(str(options.model), most, chat)


def _scoring_lm(around: Surroundings, options: ServerOptions, prompt: str, most: int) -> ScoringLM:
    check_scoring_lm(WHO, around, options, "extract with")
    _whole("max_tokens", options.max_tokens, 1, 100_000)
    read = read_lm_prompt(WHO, "claims", prompt, ("question", "steps", "step", "most"))
    return ScoringLM(around, read, most, options.max_tokens or 1)


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{WHO}, option {name} {value!r:.80}: expected a whole number from {low} to {high}")


def _extract(
    reader: ScoringLM | Server,
    context_characters: int,
    progress: bool | None,
    traces: Sequence[Trace],
    steps: Sequence[Sequence[Step]],
) -> list[list[Claim | ExtractionFailed]]:
    half = context_characters // 2
    out: list[list[Claim | ExtractionFailed]] = [[] for _ in traces]
    asked: dict[tuple[int, int], Asked] = {}
    for i, (trace, own) in enumerate(zip(traces, steps, strict=True)):
        for index, step in enumerate(own):
            if step.kind == "final_answer":
                continue
            if len(step.text) > MAX_STEP_CHARACTERS:
                reason = f"the step has {len(step.text)} characters, more than the {MAX_STEP_CHARACTERS} that are read"
                out[i].append(ExtractionFailed(index, reason))
                continue
            # Far more than is shown need not be cut at a word.
            before = trace.response[max(0, step.start - 2 * half - 100) : step.start]
            asked[i, index] = Asked(end_of(trace.question, half), end_of(before, half), step.text)
    if not asked:
        return out
    hidden = None if progress is None else not progress
    with tqdm(total=len(asked), desc="extracting claims", unit="step", disable=hidden) as bar:

        def done(n: int) -> None:
            bar.update(n)

        answers = reader.extract(list(asked.values()), done)

    @cache
    def sentences_of(i: int) -> list[ReadSentence]:
        return list(read_sentences(traces[i], steps[i]))

    for (i, index), answer in zip(asked, answers, strict=True):
        step = steps[i][index]
        if isinstance(answer, Unscored):
            out[i].append(ExtractionFailed(index, answer.reason))
        elif stray := next((one.text for one in answer if _is_stray(one.text, step.text)), None):
            out[i].append(ExtractionFailed(index, f"a claim that shares no word with the step: {stray!r:.120}"))
        elif answer:
            sentences = [one for one in sentences_of(i) if one.step == index]
            known = KnownWords([traces[i].question, *(traces[i].choices or ()), traces[i].response[: step.end]])
            out[i] += list(dict.fromkeys(_checked(one, index, step, known, sentences) for one in answer))
    return out


def _checked(one: Extracted, index: int, step: Step, known: KnownWords, sentences: Sequence[ReadSentence]) -> Claim:
    """The claim as it was written, or, where that adds a word or a number, the sentence of the step that is nearest."""
    foreign = _OTHER_SCRIPT.search(step.text) or _OTHER_SCRIPT.search(one.text)
    added = [] if foreign else known.additions(one.text) or denials(one.text, step.text)
    if not added:
        return Claim(one.text, index, step.start, step.end, SENTENCE, one.query)
    note = f"{ADDED} {', '.join(repr(word) for word in added[:3])}"
    words = set(content_words(one.text))
    nearest = max(sentences, key=lambda sentence: len(words.intersection(content_words(sentence.text))), default=None)
    if nearest is None:
        return Claim(step.text, index, step.start, step.end, SENTENCE, one.query, note=note)
    return nearest.claim(note)


def _is_stray(claim: str, step: str) -> bool:
    """Whether a claim has no word of the step's, so that it comes from elsewhere: a weak LM copies its prompt.

    Only texts of which words can be told apart by spaces are compared, and steps that have a few.
    """
    words = set(content_words(step))
    if len(words) < _FEW_WORDS or _OTHER_SCRIPT.search(step) or _OTHER_SCRIPT.search(claim):
        return False
    return words.isdisjoint(content_words(claim))
