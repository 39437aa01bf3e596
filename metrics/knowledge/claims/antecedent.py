"""What a sentence that leans on its context speaks of: "It causes bleeding", "This drug …", "Choice B is …".

A rule on the surface of English text, without a model. An option's letter stands for the option's text, "the patient"
for whom the question describes, a pronoun for the subject of the sentence before it in the same step or the one before,
carried on over sentences that lean themselves, or else for what the question asks about. A bullet without a subject
("- causes cough") speaks of the line that it stands under. Where number or person do not fit, or a sentence in between
has no subject that the rule can read, nothing is guessed: the sentence stays unresolved.

Texts are bounded and read once per sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from ...answers.option_list import without_letters
from ...trace import Trace
from .lines import Line
from .verbs import Finite, finite_verb, lacks_subject, word_set

_QUESTION_CHARACTERS = 2_500
_LONGEST = 120  # characters of an antecedent
_MOST_WORDS = 12
_BACK = 6  # sentences looked back over

_LEAD = re.compile(
    r"(?:(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|next|then|now|finally|lastly|so|therefore|thus|hence|also|and|but"
    r"|however|moreover|furthermore|additionally|in addition|similarly|likewise|consequently|as a result|for example"
    r"|in fact|in contrast|on the other hand|overall|specifically|generally|typically|usually|instead|nevertheless"
    r"|in this case|in summary|while|although|though|since|because|as|given that)\b[\s,:]{0,3}){1,3}",
    re.IGNORECASE,
)
# What follows stands for itself: "We know that …", "It is likely that …", "This means that …", "This is because …".
_FRAME = re.compile(
    r"(?:(?:we|i|you)\s(?:also\s)?(?:can\s)?"
    r"(?:know|see|note|recall|remember|find|conclude|think|believe|say|infer|assume)\sthat"
    r"|(?:recall|note|remember|keep in mind|consider|recalling|noting|knowing|given)\sthat"
    r"|(?:it|this|that|which)\s(?:\w{1,10}\s){0,2}?"
    r"(?:means?|suggests?|implies|imply|indicates?|shows?|confirms?|tells us)\sthat"
    r"|(?:it|this)\s(?:is|was|has been|could be|may be)\s(?:\w{3,14}ly\s)?(?:\w{3,20}\s)?that"
    r"|(?:this|it|that)\s(?:is|was|could be|may be)\s(?:\w{3,14}ly\s)?(?:because(?! of)|since|due to the fact that)"
    r"|the fact that)\s{1,3}",
    re.IGNORECASE,
)
# "It is important to …", "There are …": nothing is meant by the pronoun.
_EXPLETIVE = re.compile(
    r"(?:there\b|it\s(?:is|was|would be|may be|might be|can be|could be)\s(?:\w{2,14}\s){0,3}?"
    r"(?:to|if|whether|when|for\s\w{1,20}\sto)\b"
    r"|it\s(?:seems|appears|follows|turns out)\s(?:that|as)\b|it\s(?:takes|depends)\b)",
    re.IGNORECASE,
)
_GENERIC = (
    r"(?:drug|medication|medicine|agent|compound|substance|molecule|treatment|therapy|procedure|test|condition|disease"
    r"|disorder|syndrome|infection|enzyme|hormone|protein|receptor|vitamin|toxin|organism|bacterium|virus|gene|mutation"
    r"|muscle|nerve|artery|vein|organ|structure|process|mechanism|reaction|phenomenon|effect|change|deficiency|class"
    r"|option|choice|answer|statement|approach|method|technique|theory|concept|principle|rule|doctrine|clause|contract"
    r"|instrument|asset|company|firm|bond|fund|type|form|stage|step|event|diagnosis|description|action|item|value"
    r"|antibiotic|antibody|vaccine|pathway|cell|tissue|factor|element|law|act|statute|tort|right|duty|ratio|rate)"
)
# With "the" alone these take up what was named before.
_NAMED = (
    r"(?:drug|medication|medicine|compound|substance|molecule|condition|disease|disorder|syndrome|enzyme|hormone|protein"
    r"|toxin|organism|bacterium|virus|antibiotic|vaccine)"
)
_CASE_NOUNS = (
    r"(?:symptoms?|findings?|signs?|features?|results?|values?|presentation|history|complaints?|manifestations?|levels?"
    r"|picture|scenario|case|examination|vitals?)"
)
_DEMONSTRATIVE = re.compile(
    rf"(?P<said>(?:this|that|these|those|such(?:\san?)?)\s(?:\w{{3,16}}\s)?(?P<noun>{_GENERIC}(?:e?s)?)"
    rf"|the\s(?P<the>{_NAMED}))(?P<own>['’]s?)?(?=\s(?!of\b|that\b|which\b|for\b|in\b|to\b|with\b|by\b)|,)",
    re.IGNORECASE,
)
_CASE = re.compile(
    rf"(?P<said>(?:(?:this|these|those|the)\s(?:[\w-]{{3,16}}\s)?(?:{_CASE_NOUNS})))(?=\s(?!of\b|that\b|which\b|for\b|in\b|to\b))",
    re.IGNORECASE,
)
_PATIENT = re.compile(
    r"(?P<said>(?:the|this|that|our)\s(?:(?:fe)?male\s)?(?:patient|man|woman|lady|gentleman|boy|girl|infant|child"
    r"|baby|newborn|client)|he|she|his|her)"
    r"(?P<own>['’]s?)?\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"(?P<said>it|this|that|these|those|they|its|their)\b(?!['’]s\b)(?!-)", re.IGNORECASE)
_LATTER = re.compile(r"the\s(?:former|latter)\b", re.IGNORECASE)
_OPTION = re.compile(
    r"(?P<said>(?:[Tt]he\s)?(?:[Cc]hoice|[Oo]ption|[Aa]nswer|[Ss]tatement|CHOICE|OPTION)[\s_]{0,2}[(\[*\"“]{0,3}(?P<named>[A-J])(?![\w'’])[)\]*\"”]{0,3}"
    r"|[(\[](?P<bracketed>[A-J])[)\]](?=\s[\w])"
    r"|(?P<bare>[B-J])(?=\s(?:is|are|was|can|could|may|might|would|does|has|describes|refers|states|represents)\b)"
    r"|(?P<a>A)(?=\s(?:is|are|was|can|could|may|would|does|has|describes|refers|states|represents)\b))",
)
_LETTERS = r"[(\[]?[A-J][)\]]?(?:,\s[(\[]?[A-J][)\]]?){0,8},?\s(?:and|or|nor)\s[(\[]?[A-J][)\]]?"
# "Options A and B", "Neither A nor B"; bare letters only before a verb that no noun could be ("A and B cells").
_OPTIONS = re.compile(
    rf"(?:both\s|neither\s)?(?:the\s)?(?:choices|options|answers|statements)\s{_LETTERS}(?=\s)"
    rf"|(?:both|neither)\s(?-i:{_LETTERS})(?=\s)"
    rf"|(?-i:{_LETTERS})(?=\s(?:both|are|were|can|could|may|might|would|do|have)\b)",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[(\[]?\b(?P<letter>[A-J])\b[)\]]?")
# An option's letter is said and its text beside it: "Choice B (CT scan)", "Choice A, riboflavin, is …".
_ITS_TEXT = re.compile(r"\s?(?:[(:\"“,–—-]|\sis\scalled)")
_OPTION_LINE = re.compile(
    r"^[ \t]{0,8}(?:(?:choice|option)[ _])?[(\[]?(?P<letter>[A-J])[)\].:][ \t)]{0,3}(?P<text>\S.{0,300})$", re.MULTILINE
)
_LEANS = re.compile(
    r"(?:it|they|this|that|these|those|he|she|we|i|you|its|their|his|her|one|both|there|such|none|another|which|what|who"
    r"|the (?:former|latter|patient|other|first|second|third|same|above|following|question|correct|best|answer"
    r"|rest))\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(?:patient|man|woman|boy|girl|infant|child|baby|newborn|neonate|client|male|female|mother|father|student)s?$",
    re.IGNORECASE,
)
_DESCRIBED = re.compile(
    r"\b(?P<article>an?|the)\s(?:(?:\d{1,3}|[a-z]{3,12})[- ](?:year|month|week|day|hour)s?[- ]old\s)?"
    r"(?P<what>(?:[a-z-]{2,20}\s){0,3}?(?:patient|man|woman|male|female|boy|girl|infant|child|newborn|neonate|baby|adult"
    r"|adolescent|teenager|mother|student|worker|athlete|primigravida|client)\b(?:\swith(?:\s[^\s,.;?!]{1,20}){1,7})?)",
    re.IGNORECASE,
)
_HE = word_set("he him his man male boy father gentleman")
_SHE = word_set("she her hers woman female girl mother lady primigravida")
_OLD = re.compile(
    r"\b(?:\d{1,3}|[a-z]{3,12})[- ](?:year|month|week|day)s?[- ]old\b|\bgravida\b|\bG\dP\d", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"\s(?:comes?|came|presents?|presented|is|are|was|were|has|had|who|whose|that|which|undergoes|complains?|reports?"
    r"|because|for|after|before|during|and\sis|and\swas|seeks|visits|arrives|develops|needs|admitted|brought|in|on)\b",
    re.IGNORECASE,
)
_COMPLEMENT_END = re.compile(r"[,;.]| because | since | which | that | as ")
_PLURAL = re.compile(r"[^sui\W]s$|(?:bacteria|people|children|men)$")
_HEAD_END = re.compile(r",|\s(?:of|in|for|with|from|that|which|who|by|on|at|to|such as)\s", re.IGNORECASE)
_TOPIC_OF_PLAN = re.compile(
    r"(?:look(?:ing)? at|consider(?:ing)?|analy[sz](?:e|ing)|evaluat(?:e|ing)|examin(?:e|ing)|discuss(?:ing)?"
    r"|review(?:ing)?|turn(?:ing)? to|think(?:ing)? about|focus(?:ing)? on|recall(?:ing)?|assess(?:ing)?)\s"
    r"(?P<topic>(?:(?:the|a|an)\s)?[^\s,.;:?!]{2,30}(?:\s[^\s,.;:?!]{2,30}){0,3})",
    re.IGNORECASE,
)
# What says that something follows, and not what.
_ABOUT = word_set(
    "answer choice option diagnosis question treatment drug cause step analysis conclusion explanation solution"
    " reasoning therapy test management mechanism process reason result summary note each all options choices following"
    " statement problem information given scenario case patient findings symptoms evaluation decision overview above"
    " first second third next best correct likely final"
)
# What a heading may say of its subject: "Side effects of lisinopril:", "Lisinopril's mechanism of action:".
_SAID_OF = (
    r"(?:(?:mechanisms?|modes?)\sof\saction|(?:(?:side|adverse|key|main|major|common|important|clinical|typical|other|toxic"
    r"|pharmacologic(?:al)?|therapeutic|physiologic(?:al)?|beneficial|harmful|possible|potential)\s){0,2}(?:effects?|reactions?|actions?|functions?|roles?|features?"
    r"|properties|property|characteristics?|uses?|indications?|contraindications?|complications?|risks?|benefits?"
    r"|advantages?|disadvantages?|drawbacks?|symptoms?|signs?|facts?|points?|information|overview|pharmacology"
    r"|pharmacokinetics|physiology|pathophysiology|toxicity|consequences?|manifestations?|findings?|mechanisms?))"
)
_SAID_OF_SUBJECT = re.compile(
    rf"(?:the\s)?{_SAID_OF}\s(?:of|for|with|in)\s(?P<subject>\S.*?)(?:\son\s.*)?", re.IGNORECASE
)
_SUBJECTS_OWN = re.compile(rf"(?P<subject>\S.*?)(?:['’]s?)?\s{_SAID_OF}", re.IGNORECASE)
_SAID_OF_ALONE = re.compile(rf"(?:(?:the|its|their)\s)?{_SAID_OF}", re.IGNORECASE)
# Under these stand orders: "Recommendations: - increase fluid intake".
_ORDERS = re.compile(
    r"\b(?:goals|steps|recommendations|instructions|measures|tips|interventions|guidelines|strategies|options|tasks"
    r"|objectives|ways|methods|approaches|priorities|orders|plans|precautions|considerations|rules|keys|principles"
    r"|treatments|therapies|techniques|questions|topics|tests|nurses|doctors|physicians|clinicians|providers|people)$",
    re.IGNORECASE,
)
_LEADING_PHRASE = re.compile(
    r"(?:in|on|at|for|from|with|during|among|between|after|before|by|under|within|when|if|unlike|like|according to"
    r"|based on|given|due to|because of|although|while|since|as|despite|through)\s[^,]{1,160},\s",
    re.IGNORECASE,
)
_ADVERB_FIRST = re.compile(r"(?:\w{2,}ly|also|often|then|not|only|thus|usually)\s", re.IGNORECASE)
_MAYBE_VERB = re.compile(r"[a-z]{2,}(?:[^sui\W]s|ed)\s(?!(?:of|is|are|was|were|can)\b)")
_ADVERB = re.compile(r"\w{2,}ly|also|often|then|not|only", re.IGNORECASE)
_MARKS = "*_`\"“”'‘’ \t[]{}#>"
_TOPICS = (
    re.compile(
        r"\b(?:what|how|why|describe|explain)\b[^?.]{0,120}\b(?:of|about)\s(?P<topic>(?:the\s)?[\w-]{2,30}(?:\s[\w-]{2,30}){0,3})\?",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:how|why|what)\s(?:does|do|did|can|would)\s(?P<topic>(?:the\s)?[\w-]{2,30}(?:\s[\w-]{2,30}){0,2}?)\s"
        r"(?:do|work|cause|affect|inhibit|increase|decrease|reduce|lower|raise|help|treat|prevent|act|lead|produce|bind"
        r"|block|mean|require|regulate|function|occur|happen)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"\bwhat\s(?:is|are)\s(?P<topic>(?:an?\s|the\s)?[\w-]{2,30}(?:\s[\w-]{2,30}){0,3})(?:,[^?.]{1,80})?\?",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True)
class Reading:
    """How a sentence stands without its context.

    Attributes:
        standalone: the sentence with what it leans on put in; "" where it stands by itself, or cannot be resolved.
        problem: why it cannot be resolved; "" where it can be, or need not.
    """

    standalone: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Topic:
    step: int
    text: str  # "": a sentence whose subject is not known
    plural: bool = False
    person: bool = False


class Antecedents:
    """Reads one chain's sentences in order, and remembers what they speak of."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._topics: list[_Topic] = []
        # The lines that the next one may stand under, the outermost first, with what each speaks of.
        self._above: list[tuple[int, _Topic | None]] = []

    def pronoun(self, line: Line | None, sentence: str) -> str:
        """The subject that a bullet lacks, as a pronoun; "" where it has one, or is no bullet."""
        if line is None or not line.bullet:
            return ""
        if lacks_subject(sentence):
            return "it"
        above = self._under(line)
        things = above is not None and above.plural and not above.person and not _ORDERS.search(above.text)
        return "they" if things and lacks_subject(sentence, plural=True) else ""

    def read(self, step: int, sentence: str, *, asserts: bool, label: str = "", line: Line | None = None) -> Reading:
        """How a sentence stands.

        Args:
            asserts: whether the sentence makes a claim; of the others only what they announce is remembered.
            label: what stands before it in its line ("Step 3: Analyze Choice C: ").
            line: the line that it opens; None where it goes on with one.
        """
        if label:
            self._remember(self._announced(step, label))
        body = _after_frames(sentence)
        if not asserts:
            topic = self._announced(step, sentence)
            self._remember(topic)
            if topic is None and line is not None and (line.heading or line.bullet):
                topic = self._named(step, sentence)
            self._place(line, topic)
            return Reading()
        reading, topic = self._resolved(step, sentence, body, line)
        if topic is None:
            topic = self._subject(step, sentence, body)
        self._remember(topic)
        self._place(line, topic)
        return reading

    def _place(self, line: Line | None, topic: _Topic | None) -> None:
        """Keep what a line speaks of, for the lines under it; the last sentence of a line says what it speaks of."""
        level = line.level if line else self._above[-1][0] if self._above else 0
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        self._above.append((level, topic))

    def _under(self, line: Line | None) -> _Topic | None:
        """What the lines speak of that a bullet stands under, the nearest first that names something."""
        if line is None or not line.bullet:
            return None
        return next((topic for level, topic in reversed(self._above) if level < line.level and topic), None)

    def _remember(self, topic: _Topic | None) -> None:
        if topic is not None:
            self._topics = [*self._topics[1 - _BACK :], topic]

    def _resolved(self, step: int, sentence: str, body: int, line: Line | None) -> tuple[Reading, _Topic | None]:
        """How the sentence stands, and what it speaks of where it leans on something."""
        if _EXPLETIVE.match(sentence, body):
            return Reading(), None
        found: re.Match[str] | None
        if found := _OPTION.match(sentence, body):
            return self._option(step, sentence, found)
        # Blood groups and the like are no options: "Both A and B antigens …".
        if self._options and (found := _OPTIONS.match(sentence, body)) and _verb_follows(sentence, found.end()):
            return self._several(step, sentence, found)
        if found := _PATIENT.match(sentence, body):
            whom = self._described(step)
            if whom is not None and _other_sex(found["said"], whom.text):
                whom = None
            return self._put(step, sentence, found, whom, found["said"].lower() in ("his", "her"))
        found = _CASE.match(sentence, body)
        if found and _verb_follows(sentence, found.end()):
            case = self._described(step)
            noun = found["said"].split(" ", 1)[1]
            text = f"{case.text}'s {noun}" if case else ""
            return self._put(step, sentence, found, _topic(step, text) if case else None)
        if found := _LATTER.match(sentence, body):
            return Reading(problem=_unknown(found.group())), _Topic(step, "")
        found = _DEMONSTRATIVE.match(sentence, body)
        verb_again = found and found["said"].lower().startswith(("this", "that")) and _is_plural(found["noun"])
        if found and not verb_again and _verb_follows(sentence, found.end()):
            plural = found["said"].lower().startswith(("these", "those")) or _is_plural(found["noun"] or "")
            return self._put(step, sentence, found, self._spoken_of(step, plural=plural))
        if (found := _PRONOUN.match(sentence, body)) and _is_pronoun(sentence, found):
            word = found["said"].lower()
            # "This" may take up what a whole sentence said.
            plural = None if word in ("this", "that") else word in ("these", "those", "they", "their")
            return self._put(step, sentence, found, self._spoken_of(step, plural=plural), word in ("its", "their"))
        if lacks_subject(sentence[body:]) or self.pronoun(line, sentence):
            topic = self._under(line) or self._spoken_of(step, plural=None)
            if topic is None or not topic.text:
                return Reading(problem="it has no subject, and none is in the steps before"), _Topic(step, "")
            bullet = line is not None and line.bullet  # "- Causes cough"
            rest = sentence[body : body + 1].lower() + sentence[body + 1 :] if bullet else sentence[body:]
            return Reading(f"{topic.text} {rest}"), _Topic(step, topic.text, topic.plural, topic.person)
        return Reading(), None

    def _put(
        self, step: int, sentence: str, found: re.Match[str], topic: _Topic | None, own: bool = False
    ) -> tuple[Reading, _Topic]:
        """The sentence with `topic` in the place of what was found."""
        if topic is None or not topic.text:
            return Reading(problem=_unknown(found["said"])), _Topic(step, "")
        own = own or bool(found.groupdict().get("own"))
        text = f"{topic.text}'s" if own and not topic.text.endswith("s") else f"{topic.text}'" if own else topic.text
        standalone = f"{sentence[: found.start()]}{text}{sentence[found.end() :]}"
        return Reading(standalone[:1].upper() + standalone[1:]), topic

    def _option(self, step: int, sentence: str, found: re.Match[str]) -> tuple[Reading, _Topic | None]:
        letter = found["named"] or found["bracketed"] or found["bare"] or found["a"]
        text = self._options.get(letter)
        if text is None:
            if _ITS_TEXT.match(sentence, found.end()):
                return Reading(), None
            return Reading(problem=_unknown(found["said"])), _Topic(step, "")
        words = re.findall(r"\w+", text.lower())[:4]
        if all(word in sentence.lower() for word in words):
            return Reading(), _topic(step, text)  # its text stands beside it
        return self._put(step, sentence, found, _topic(step, text))

    def _several(self, step: int, sentence: str, found: re.Match[str]) -> tuple[Reading, _Topic]:
        """The texts of several options in the place of their letters."""
        said = re.sub(r"(?i)(?:the\s)?(?:choices|options|answers|statements)\s", "", found.group(), count=1)
        texts = [_topic(step, self._options.get(one["letter"])).text for one in _LETTER.finditer(said)]
        if not all(texts):
            return Reading(problem=_unknown(found.group())), _Topic(step, "")
        left = iter(texts)
        standalone = f"{sentence[: found.start()]}{_LETTER.sub(lambda _: next(left), said)}{sentence[found.end() :]}"
        return Reading(standalone[:1].upper() + standalone[1:]), _Topic(step, " and ".join(texts), plural=True)

    def _spoken_of(self, step: int, *, plural: bool | None) -> _Topic | None:
        """What a pronoun stands for, the nearest first; None where that cannot be told.

        plural: None where either fits.
        """
        near = [topic for topic in reversed(self._topics) if step - 1 <= topic.step <= step]
        for topic in near:
            if not topic.text:
                return None
            if not topic.person and (plural is None or topic.plural == plural):
                return _Topic(step, topic.text, topic.plural)
        if near or plural or self._asked is None:
            return None
        return _Topic(step, self._asked)

    def _described(self, step: int) -> _Topic | None:
        return None if self._case is None else _Topic(step, self._case, person=True)

    def _subject(self, step: int, sentence: str, body: int) -> _Topic | None:
        """What a sentence that stands by itself speaks of: its subject, or what it finds to be the answer."""
        if phrase := _LEADING_PHRASE.match(sentence, body):
            body = phrase.end()
            if _EXPLETIVE.match(sentence, phrase.end()):
                return _topic(step, _phrase(phrase.group().split(" ", 1)[1]))
            if _LEANS.match(sentence, body):
                return None  # what it speaks of is what those before it did
        rest = sentence[body:]
        verb = finite_verb(rest)
        if verb is None or verb.start == 0:
            return _Topic(step, "")
        subject = _phrase(rest[: verb.start])
        if _LEANS.match(rest):
            return None if _EXPLETIVE.match(rest) else self._complement(step, rest, verb)
        if subject and _words(subject) & _ABOUT:
            return self._complement(step, rest, verb)
        return _topic(step, subject)

    def _complement(self, step: int, rest: str, verb: Finite) -> _Topic | None:
        """X of "The best treatment is X"."""
        if not verb.auxiliary or rest[verb.start : verb.end].lower() not in ("is", "are", "was", "were"):
            return None
        found = _phrase(_COMPLEMENT_END.split(rest[verb.end :].strip(), maxsplit=1)[0])
        if not found or finite_verb(found) or not re.match(r"(?:an?|the)\s|[A-Z]|[\w-]+$", found):
            return None
        return _topic(step, found)

    def _announced(self, step: int, sentence: str) -> _Topic | None:
        """What a heading or a plan says will be spoken of."""
        if letter := re.search(r"\b(?:[Cc]hoice|[Oo]ption)[\s_]?[(\[]?([A-J])\b", sentence):
            text = self._options.get(letter[1])
            return _topic(step, text) if text or sentence.rstrip(_MARKS).endswith(":") else None
        stripped = sentence.rstrip(_MARKS)
        if not _phrase(stripped):
            return None
        heading = stripped.endswith(":") and len(stripped) <= _LONGEST
        if plan := _TOPIC_OF_PLAN.match(sentence) if heading else _TOPIC_OF_PLAN.search(sentence):
            return self._named(step, re.split(r"\s(?:as|for|in|and|to|one|each|that|which)\b", plan["topic"])[0])
        return self._named(step, stripped[:-1]) if heading else None

    def _named(self, step: int, text: str) -> _Topic | None:
        """What a heading names, without what it says of it; None where it names nothing."""
        found = _phrase(text)
        if _SAID_OF_ALONE.fullmatch(found):
            return None
        if said := _SAID_OF_SUBJECT.fullmatch(found) or _SUBJECTS_OWN.fullmatch(found):
            found = said["subject"]
        if _PATIENT.fullmatch(found) or found.lower() == "patient":
            return self._described(step) or _Topic(step, "")
        return _topic(step, found) if found and not _words(found) & _ABOUT and not finite_verb(found) else None

    @cached_property
    def _question(self) -> str:
        return self._trace.question[-_QUESTION_CHARACTERS:]

    @cached_property
    def _options(self) -> dict[str, str]:
        """The options' texts by letter."""
        choices = without_letters(self._trace.choices or ())
        if not choices or all(len(choice) < 2 for choice in choices):
            pairs = [(line["letter"].upper(), line["text"]) for line in _OPTION_LINE.finditer(self._question)]
        else:
            pairs = list(zip("ABCDEFGHIJ", choices, strict=False))
        return {letter: text.strip(f"{_MARKS}.,;")[:_LONGEST] for letter, text in pairs if text.strip()}

    @cached_property
    def _case(self) -> str | None:
        """The person that the question describes, without an age: "a man with chest pain"."""
        for text in (self._question, self._trace.response[:_QUESTION_CHARACTERS]):
            for found in _DESCRIBED.finditer(text):
                what = _CLAUSE.split(found["what"], maxsplit=1)[0]
                verb = finite_verb(what)
                what = what[: verb.start].rstrip() if verb else what
                if text is self._question or found["article"].lower() != "the":
                    return f"{'an' if what[0].lower() in 'aeiou' else 'a'} {what}"
            if _OLD.search(text):
                return "a patient"
        return None

    @cached_property
    def _asked(self) -> str | None:
        """What the question asks about: X of "What is the mechanism of action of X?"."""
        text = _OPTION_LINE.sub(" ", self._question)
        for pattern in _TOPICS:
            for found in pattern.finditer(text):
                topic = _phrase(found["topic"])
                if topic and not _words(topic) & _ABOUT and not _LEANS.match(topic) and not _topic(0, topic).person:
                    return topic
        return None


def _unknown(said: str) -> str:
    return f"what {said!r} stands for could not be told from the question and the steps before"


def _other_sex(said: str, described: str) -> bool:
    """Whether "she" cannot be the man whom the question describes."""
    one, other = _words(said), _words(described.split(" with ", 1)[0])
    return bool(one & _HE and other & _SHE) or bool(one & _SHE and other & _HE)


def _topic(step: int, text: str | None) -> _Topic:
    """ "" where the text cannot stand for anything by itself."""
    text = text or ""
    if _LEANS.match(text):
        text = ""
    head = _HEAD_END.split(text, maxsplit=1)[0].strip()
    return _Topic(step, text, _is_plural(text), _PERSON.search(head) is not None)


def _phrase(text: str) -> str:
    """A noun phrase without markup and what is set apart behind it; "" where it is too long for one."""
    text = text.strip(f"{_MARKS}\n\r,;:.()–—-•")
    text = re.split(r",\s|\s\(|;\s|\s(?:which|who|that)\s", text, maxsplit=1)[0].strip(_MARKS)
    words = text.split()
    while words and _ADVERB.fullmatch(words[-1]):
        words.pop()
    text = " ".join(words)
    if not 0 < len(words) <= _MOST_WORDS or len(text) > _LONGEST or not re.search(r"[^\W\d_]{2}", text):
        return ""
    return text


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def _is_plural(text: str) -> bool:
    if not text:
        return False
    head = _HEAD_END.split(text, maxsplit=1)[0].strip()
    last = re.findall(r"[\w-]+", head.lower())[-1:]
    if " and " in f" {head.lower()} ":
        return True
    return bool(last) and _PLURAL.search(last[0]) is not None


def _after_frames(sentence: str) -> int:
    """Where a sentence begins to say something: behind "However," and "We know that"."""
    at = 0
    for _ in range(3):
        lead = _LEAD.match(sentence, at)
        begin = lead.end() if lead else at
        frame = _FRAME.match(sentence, begin)
        end = frame.end() if frame else begin
        if end == at:
            break
        at = end
    return at


def _is_pronoun(sentence: str, found: re.Match[str]) -> bool:
    """Whether a word stands for something, and not before its own noun ("This vitamin K antagonist")."""
    word = found["said"].lower()
    if word in ("it", "they", "its", "their"):
        return True
    return _verb_follows(sentence, found.end())


def _verb_follows(sentence: str, at: int) -> bool:
    """Whether a verb stands behind `at`, adverbs passed over, or what may be one that the list does not know."""
    rest = sentence[at : at + _LONGEST].lstrip(" ,")
    while adverb := _ADVERB_FIRST.match(rest):
        rest = rest[adverb.end() :]
    if _MAYBE_VERB.match(rest):
        return True
    verb = finite_verb(f"it {rest}") or finite_verb(f"they {rest}")
    return verb is not None and verb.start <= len("they ")
