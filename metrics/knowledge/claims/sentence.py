"""The claim extractor `sentence`: a step's own sentences, without those that assert nothing a source could confirm.

Left out are questions, plans, sentences that repeat the prompt or only announce or discard an answer, headings, lists
of options, fragments, and equations, which the extractor `arithmetic` claims. The rule reads the surface of English
text and knows no grammar. In other languages only the marks of form work (questions, formulas, labels, overlap with the
prompt).

Patterns are bounded and each sentence is read a fixed number of times, so the cost is linear in the response.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from ...answers.extraction import is_final_answer
from ...segment.sentences import split_sentences
from ...trace import Step, Trace
from ..arithmetic.extractor import find_equations
from ..base import ClaimExtractor
from ..types import UNRESOLVED, Claim
from .antecedent import Antecedents, Reading
from .lines import LABEL_CHARACTERS, line_at
from .verbs import finite_verb, lacks_subject

SENTENCE = "sentence"

# Share of a sentence's content words that also stand in the prompt from which on it counts as a restatement.
RESTATED = 0.8
# How much of the prompt is compared, from its end: examples shown before the question are not what is restated.
PROMPT_CHARACTERS = 2_500
MIN_WORDS = 3
TOO_LONG = "too long"
# Longer than any sentence people write: a text without punctuation is no single claim, and too much for a judge.
MAX_CHARACTERS = 2_000


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]{1,3})?")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_MARKUP = "#>*_-–•` \t"
_LABEL = re.compile(
    r"[#>*_•–\-`\s]{0,12}(?:(?:(?:final|next|last)\s)?step(?:\s?\d{1,3})?\s?[:.)–\-]|\(?\d{1,3}[.)](?=\s)"
    r"|(?:solution|explanation|reasoning|analysis|conclusion|note|rationale)\s?:)?\s{0,4}"
    r"(?:(?:analy[sz]|evaluat|consider|examin|assess|review)(?:e|ing)\s(?:choice|option)[ _][A-J]\s?(?::|\s[–-]\s))?"
    r"[*_`\s]{0,6}",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"[:：]?[*_ \t]{0,6}\r?\n(?=[ \t]{0,12}(?:[-*•–>]|\d{1,2}[.)])[ \t])")
# "Lisinopril: causes cough": the colon parts a subject from its verb.
_TERM = re.compile(r"[*_`]{0,3}[^\s:][^:]{0,60}:[*_` ]{1,6}")
_CONNECTIVE = re.compile(
    r"(?:(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|next|then|now|finally|lastly|so|therefore|thus|also|and|okay|ok"
    r"|alright|well|however|but|to begin(?: with)?|to start(?: with)?|in order)\b[\s,:]{0,3}){1,3}",
    re.IGNORECASE,
)
_DO = (
    r"(?:look|consider|examin|analy[sz]|evaluat|review|determin|find|identif|go|start|begin|use|think|focus|need|calculat"
    r"|comput|solve|check|refer|break|discuss|assess|compar|choose|select|pick|answer|explain|understand|recall"
    r"|remember|convert|apply|proceed|try|see|know|figure|narrow|list|summari[sz]e|interpret|eliminat|rule|match|decid)\w{0,5}"
)
_PLAN = re.compile(
    r"let(?:['’]?s|\s(?:us|me))\b"
    rf"|(?:i|we|you)(?:['’]ll|\s(?:will|need to|have to|must|should|can|could|want to|would like to|are going to|"
    rf"shall|may|might))\s(?:\w{{1,12}}\s)?{_DO}\b"
    r"|(?:i|we|you)(?:\sare|['’]re)\s(?:asked|given|told|looking|trying|going|interested)\b|we refer to\b"
    r"|(?:the|this)\s(?:question|problem|task|prompt)\s(?:asks?|is asking|wants?|requires?|states?|says|specifies"
    r"|mentions|is about|gives?)\b"
    r"|to\s(?:answer|solve|determine|find|identify|figure|evaluate|address|calculate|approach|decide|understand|do)\b"
    r"[^.]{0,200}?\b(?:we|i|let|one|you|it is (?:important|necessary|helpful|useful|essential))\b"
    r"|(?:here|below)\s(?:is|are)\b|please\b",
    re.IGNORECASE,
)
# Behind these it is a noun and no order: "Use of aspirin in children causes Reye syndrome."
_NOUN = r"(?!(?:that|of|in|by|during|among|with|is|are|was|were|has|have|can|may|should)\b)"
_IMPERATIVE = re.compile(
    r"(?:analy[sz]e|consider|evaluate|identify|determine|review|compare|examine|assess|check|understand|recall|look at"
    r"|think about|start with|begin with|calculate|find|list|interpret|apply|choose|select|pick|eliminate|rule out|use"
    r"|summari[sz]e|match|remember|ignore|disregard|forget|answer|reply|respond|output|return|print|say|treat)\s"
    rf"{_NOUN}",
    re.IGNORECASE,
)
# A plan that gives its reason asserts the reason.
_REASON = re.compile(r"\b(?:because|since|due to|as (?:it|this|that|they|these|the))\b|[,;:]\swhich\b", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|can|could|may|might|will|would|should|must|do|does|did|cannot)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_ENDED = re.compile(r"[.!?;。！？][\"'”’)\]*_`\s]{0,6}$")
_ASKS = re.compile(r"[?？][\"'”’)\]*_`\s]{0,6}$")
_OPTION = re.compile(r"[\s*_\-•]{0,6}(?:(?:choice|option|answer)[\s_]?)?[(\[]?[A-J][)\]]?\s?[.:)\-–]\s", re.IGNORECASE)
# "Choice D states that …" tells what the prompt says.
_TOLD_OPTION = re.compile(
    r"(?:choice|option)[\s_]?[(\[]?[A-J]\b[^,.]{0,40}?\s(?:states?|says|describes|indicates|suggests that|mentions"
    r"|proposes|refers to)\b",
    re.IGNORECASE,
)
_OPTION_LINE = re.compile(r"^[ \t]{0,8}(?:(?:choice|option)[ _])?[(\[]?[A-J][)\].:][ \t)].{0,500}$", re.MULTILINE)
STOP_WORDS = _set(
    "a an the this that these those it its he she they we i you his her their our my your him them us is are was"
    " were be been being has have had do does did will would can could may might should must shall of in on at to for"
    " from by with as and or but if so then than thus therefore hence also which who whom whose what when where while"
    " there here into about over such very more most some any each both"
)


def content_words(text: str) -> list[str]:
    """Words that carry meaning, each once, in order, cut to a stem. Negations are among them."""
    words = (match.group().lower() for match in _WORD.finditer(text))
    return list(dict.fromkeys(_stem(word) for word in words if word not in STOP_WORDS))


def _stem(word: str) -> str:
    if word.endswith("s") and len(word) > 3:
        word = word[:-1]
    return word if len(word) < 7 else word[:6]


_DENIALS = frozenset(content_words("not no never none without neither nor cannot unlikely incorrect false"))
# What speaks of options and of nothing else: "Therefore, choice B is not the correct answer."
_ABOUT_OPTIONS = frozenset(
    content_words(
        "choice choices option options answer answers correct incorrect right wrong best appropriate likely suitable"
        " eliminate eliminated rule ruled out select selected choose given above following statement statements not"
        " true false question only other others remaining left based analysis one ones none all information solution"
        " reasonable strong good possible plausible valid viable candidate candidates considered completely accurate"
        " close closest make makes provided previous step steps"
    )
)


# Sentences that speak of something, whether or not a source could confirm it.
_ASSERTED = (None, "restatement")


def extract(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim]]:
    """Per trace, the sentences of its steps that assert something, in reading order.

    A claim's text is the sentence without its label ("Step 2:", "-"), and its span are positions in the response. Its
    query is the same text, or, where that leans on what stands before it ("It increases …"), the text with what it
    speaks of put in; where that cannot be told it is of kind `UNRESOLVED`, without a query.
    """
    return [_extract(trace, own) for trace, own in zip(traces, steps, strict=True)]


SENTENCES_AS_CLAIMS = ClaimExtractor(SENTENCE, extract)


def _extract(trace: Trace, steps: Sequence[Step]) -> list[Claim]:
    return [one.claim() for one in read_sentences(trace, steps) if one.why_not is None]


class ReadSentence(NamedTuple):
    """A sentence of a step: its span in the response, why it is no claim, and how it stands in its context."""

    text: str
    step: int
    start: int
    end: int
    why_not: str | None
    reading: Reading

    def claim(self, note: str = "") -> Claim:
        """The claim that the sentence makes."""
        read = self.reading
        if read.problem:
            return Claim(self.text, self.step, self.start, self.end, UNRESOLVED, note=read.problem)
        query = read.standalone or self.text
        return Claim(self.text, self.step, self.start, self.end, SENTENCE, query, read.standalone, note)


def read_sentences(trace: Trace, steps: Sequence[Step]) -> Iterator[ReadSentence]:
    """The sentences of all steps but those that give an answer, in reading order."""
    prompt, antecedents = Prompt(trace), Antecedents(trace)
    for index, step in enumerate(steps):
        if step.kind == "final_answer":
            continue
        behind = 0
        for start, end in sentence_spans(step.text):
            sentence, label, behind = step.text[start:end], step.text[behind:start], end
            line = line_at(trace.response, step.start + start)
            subject = antecedents.pronoun(line, sentence)
            why_not = no_claim(sentence, prompt, bullet=line is not None and line.bullet, subject=subject)
            if why_not == TOO_LONG:
                continue
            asserts = why_not in _ASSERTED
            reading = antecedents.read(index, sentence, asserts=asserts, label=label[-LABEL_CHARACTERS:], line=line)
            yield ReadSentence(sentence, index, step.start + start, step.start + end, why_not, reading)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences in `text`, without labels and markup around them."""
    for start, end in _apart(text, split_sentences(text)):
        label = _LABEL.match(text, start, end)
        start = label.end() if label else start
        end = start + len(text[start:end].rstrip(_MARKUP + "\r\n"))
        if start < end:
            yield start, end


def _apart(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """`spans` with the line that a list stands under ("Warfarin:") cut from the list's first item.

    One with a verb ("The features are:") is no heading, and says nothing without what follows.
    """
    for start, end in spans:
        lead = _LEAD_IN.search(text, start, end)
        if lead and finite_verb(text[start : lead.start()]) is None:
            yield start, lead.end()
            start = lead.end()
        yield start, end


class Prompt:
    """The words of a trace's question, without its options: an option that is named is not restated."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @cached_property
    def words(self) -> frozenset[str]:
        text = self._trace.question[-PROMPT_CHARACTERS:]
        for choice in self._trace.choices or ():
            if len(choice) > 1:  # a choice that is only a letter is no text to take out
                text = re.sub(re.escape(choice), " ", text, flags=re.IGNORECASE)
        return frozenset(content_words(_OPTION_LINE.sub(" ", text)))

    @cached_property
    def options(self) -> frozenset[frozenset[str]]:
        """The content words of each option."""
        lines = [match.group() for match in _OPTION_LINE.finditer(self._trace.question[-PROMPT_CHARACTERS:])]
        texts = [*(self._trace.choices or ()), *(_OPTION.sub("", line, count=1) for line in lines)]
        return frozenset(words for text in texts if (words := frozenset(content_words(text))))


def no_claim(sentence: str, prompt: Prompt, *, bullet: bool = False, subject: str = "") -> str | None:
    """Why a sentence is no claim ("question", "plan", "restatement", …), or None where it is one.

    Args:
        bullet: whether it is an item of a list; one with a verb of its own may be short ("Cough persists").
        subject: the pronoun that stands for the subject it lacks ("it" of "causes cough").
    """
    if len(sentence) > MAX_CHARACTERS:
        return TOO_LONG
    if len(_LETTERS.findall(sentence)) < MIN_WORDS and not (bullet and _says_something(f"{subject} {sentence}")):
        return "fragment"
    if _ASKS.search(sentence[-12:]):
        return "question"
    content = content_words(sentence)
    if is_final_answer(sentence) or not _beyond_options(content):
        return "final answer"
    if _is_option(sentence, content, prompt):
        return "option"
    if _is_heading(sentence, subject):
        return "heading"
    if _is_plan(sentence):
        return "plan"
    if _is_equation(sentence, prompt):
        return "equation"
    return "restatement" if _restates(content, prompt) else None


def _restates(content: Sequence[str], prompt: Prompt) -> bool:
    """Whether nearly all words come from the prompt, and none that is new is a number, a denial or an option's."""
    new = [word for word in content if word not in prompt.words]
    if any(word in _DENIALS or word.isdigit() or any(word in option for option in prompt.options) for word in new):
        return False
    return bool(content) and len(content) - len(new) >= RESTATED * len(content)


def _beyond_options(content: Sequence[str]) -> list[str]:
    """`content` without what speaks of options; letters are their labels."""
    return [word for word in content if word not in _ABOUT_OPTIONS and len(word) > 1]


def _is_option(sentence: str, content: Sequence[str], prompt: Prompt) -> bool:
    """Whether a sentence lists an option (its label and text, or its text and little else) or tells what it says."""
    label = _OPTION.match(sentence)
    asserts = _AUXILIARY.search(sentence)
    if _TOLD_OPTION.match(sentence) and not _REASON.search(sentence):
        return True
    if label and not asserts and not _ENDED.search(sentence):
        return True
    said = set(_beyond_options(content))
    return any(said <= option for option in prompt.options) and bool(label or not asserts)


def _says_something(sentence: str) -> bool:
    """Whether a text of few words has a verb, and something besides."""
    verb = finite_verb(sentence)
    return verb is not None and len(_WORD.findall(sentence)) > 1 and _WORD.search(sentence, 0, verb.start) is not None


def _is_heading(sentence: str, subject: str) -> bool:
    stripped = sentence.rstrip(_MARKUP)
    if stripped.endswith((":", "：")):
        return True
    if _ENDED.search(stripped[-12:]) or _AUXILIARY.search(stripped) or finite_verb(f"{subject} {stripped}"):
        return False
    term = _TERM.match(stripped)
    return not (term and lacks_subject(stripped[term.end() :]))


def _is_plan(sentence: str) -> bool:
    connective = _CONNECTIVE.match(sentence)
    start = connective.end() if connective else 0
    if _REASON.search(sentence):
        return False
    return bool(_PLAN.match(sentence, start) or _IMPERATIVE.match(sentence, start))


def _is_equation(sentence: str, prompt: Prompt) -> bool:
    """Whether the sentence is arithmetic: what stands around its equations adds little that the prompt does not say."""
    equations = find_equations(sentence)
    if not equations:
        return False
    rest, position = [], 0
    for found in equations:
        rest.append(sentence[position : found.start])
        position = max(position, found.end)
    rest.append(sentence[position:])
    added = [word for word in content_words(" ".join(rest)) if word not in prompt.words and not word.isdigit()]
    return len(added) < 4
