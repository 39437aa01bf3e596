"""Where an English sentence has a finite verb: what tells "Warfarin inhibits vitamin K" from "Inhibitors of vitamin K".

A tagger would need a model; this is a list of verbs with which facts are stated in science, medicine, law and finance,
their forms by the rules of spelling, and what stands around them. A form that may be a noun ("causes", "increase") or a
participle ("reduced") counts only where its neighbours say so. Read from left to right, once: the cost is linear.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+){0,6}|[^\w\s]")
_MOST_TOKENS = 400

AUXILIARIES = word_set(
    "is are was were am has have had can could may might will would should must do does did cannot isn't aren't"
    " wasn't weren't hasn't haven't hadn't can't couldn't won't wouldn't shouldn't mustn't don't doesn't didn't"
)
# Auxiliaries that open a sentence without a subject ("- is teratogenic"), those behind which a verb must follow, and
# what follows them in a question. "Do" and "have" give orders.
_OPENING = word_set("is are was were has does isn't aren't wasn't weren't hasn't doesn't")
_MODALS = word_set("can could may might will would should must cannot can't couldn't won't wouldn't shouldn't mustn't")
_INVERTED = word_set("it they he she we you i this these those there")
# Verbs whose form in -s and whose base form are no nouns that people use.
_VERBS = word_set(
    "abolish absorb acetylate methylate equal accelerate accept accompany accumulate achieve acquire activate"
    " acquit affect aggravate allow alter amend antagonize appear apply arise ascend assert assess attenuate"
    " attract avoid become behave believe belong bind breach carry catalyze catalyse cease circulate cleave"
    " coagulate coexist coincide comprise compress confer confirm connect consider consist constitute constrict"
    " consume contain continue contradict contribute convert correlate create decide define degrade deliver"
    " demonstrate deny depend deplete depress derive descend describe destroy detect deteriorate determine"
    " develop differ differentiate diffuse dilate diminish disappear discourage discriminate disrupt dissolve"
    " dissociate distinguish diverge eliminate elicit emerge enable encode encourage enforce enhance ensure"
    " enter eradicate evaporate evolve exacerbate exceed excite exclude excrete exempt exhibit exist expand"
    " expel explain facilitate fluctuate forbid generate give govern grow happen harden hydrolyze identify imply"
    " impair improve include incur indicate induce infect inflame inhibit inherit initiate innervate insert"
    " interact interfere invade involve irritate lack lead lessen lie liquefy lower maintain metabolize migrate"
    " minimize modify modulate multiply necessitate neutralize obey oblige obstruct occlude occupy occur"
    " originate oscillate oxidize perform permit persist phosphorylate possess potentiate precede precipitate"
    " predict predispose prescribe preserve prevent proceed prohibit proliferate prolong promote protect prove"
    " provide provoke rarefy react receive recommend recur reduce refer reflect refute regenerate regulate"
    " relate relax relieve rely remain remove render repel repress require resemble resist respond restrict"
    " retain reveal say secrete seem sensitize separate serve shorten shrink signify solidify speak stabilize"
    " stem stimulate strengthen stretch suffer suggest suppress sustain synthesize terminate thicken tend think"
    " transcribe transform transmit travel treat trigger undergo underlie unify utilize vanish vary vasodilate"
    " verify violate weaken widen worsen know reach emit bear inactivate upregulate downregulate amortize"
    " depreciate accrue adjudicate annul vest entitle bar depolarize repolarize hyperpolarize mimic resolve"
    " crystallize polymerize condense mutate invalidate nullify mandate criminalize outperform decline drain"
    " perfuse irrigate ossify calcify ulcerate herniate rupture penetrate"
)
# Verbs whose form in -s, and mostly the base form too, may be a noun.
_OR_NOUN = word_set(
    "account act advance age aid aim alarm answer approach arrest attack bank benefit bleed block boost break"
    " bring call cause change charge claim climb combine come compete compound concentrate concern conduct"
    " conflict control cost counter cover cross cure cut damage deal decrease defend delay demand design dictate"
    " discharge divide display dominate double drop drive earn effect elevate end escape estimate exercise"
    " expect expire express extend face fail fall feed feel fight fill filter find fit flow fly follow force"
    " form function gain go guarantee guide handle hasten harbor harbour heal help hold host impact import"
    " increase influence inform issue invest join keep kill last launch limit line link live load lose make mark"
    " match matter mean measure mediate merge mirror move need note offer open owe own pass pay peak permit pick"
    " place play point pose precede presage present press process produce profit progress pump qualify question"
    " raise range rank reclaim record recover release repair report represent rest result return reverse rise"
    " rotate rule run scar see sell set shift show slow sound spare spread stand start state stay stop store"
    " strain stress substitute succeed supply support surround survive swell take target taste test trade trap"
    " trend turn use value view warrant waste win work yield leave lift lag balance attach attenuate bypass"
    " collapse complicate depart exhaust exploit favor favour fuse grant heat innervate mandate mask"
)
# Base forms that before a noun are hardly ever nouns, though the lists above say that they may be; and adjectives.
_HARDLY_NOUNS = word_set("cause increase decrease raise produce block")
_ALSO_ADJECTIVES = word_set("lower separate mature")
_IRREGULAR_PAST = word_set(
    "arose became began came drove fell felt found gave grew held kept knew led lost made meant rose said saw"
    " showed sold spoke stood took went won wrote underwent broke brought bore caught chose flew froze got"
)
_DOUBLED = word_set(
    "stop drop plan occur transmit permit refer incur expel repel trap prefer impair stem bar submit admit cut fit"
)
# Before a word these make a noun of it, or leave a verb without being the sentence's own.
_DETERMINERS = word_set(
    "a an the this these those its their his her our your my no any some all each every both many most several"
    " few other another such more less two three four five six first second third"
)
_ADJECTIVES = word_set(
    "common main major possible likely potential rare frequent typical other different various further known"
    " specific clinical primary secondary adverse important relevant early late acute chronic new normal"
    " abnormal high low total key best good side top general special medical legal financial direct indirect"
    " long short natural"
)
_SUBORDINATE = word_set(
    "that which who whom whose what how why when where whether if because although though while to not"
)
_PREPOSITIONS = word_set(
    "of in on at for from by with about between among during to into per versus vs via within under"
)
# Behind a form that may be a noun these say that it is one.
_NOUN_GOES_ON = word_set("of and or vs versus is are was were has have had can may will should must")
_OBJECT = word_set(
    "a an the this these those its their his her our your my no any some all each every both many most several"
    " few another such more less that up down about approximately nearly almost over"
)
_ADVERB = re.compile(r"\w{2,}ly$")
_ADVERBS = word_set(
    "also often then thus usually always never sometimes still only even further not soon itself themselves"
)
_PLURALS = word_set(
    "people patients children men women cells they we you i data bacteria criteria phenomena fungi nuclei mice"
    " feet teeth alveoli bronchi stimuli mitochondria media larvae vertebrae police dose"
)
# Ends of words that no plural has, though it ends in s.
_NO_PLURAL = re.compile(r"(?:ss|us|is)$")
_DERIVED = re.compile(r"\w{2,}(?:ifies|[^aeiou]izes|yzes)$")
_NO_VERB = word_set("prizes sizes")


class Finite(NamedTuple):
    """A finite verb: where it stands in the sentence, and whether it is an auxiliary ("is", "can")."""

    start: int
    end: int
    auxiliary: bool


def finite_verb(sentence: str) -> Finite | None:
    """The first finite verb of the main clause, as far as the list knows it; None where there is none.

    A verb needs something before it that can be its subject, but for a form in -s that is no noun: "- inhibits COX-2"
    speaks of what stands in the line above. Verbs behind "that", "which", "who", "to" … are not the sentence's own.
    """
    found = islice(_TOKEN.finditer(sentence), _MOST_TOKENS)
    tokens = [(match.group(), match.start(), match.end()) for match in found]
    words = [text.lower().replace("’", "'") for text, _, _ in tokens]
    below = False  # inside a clause that hangs on another one
    for i, word in enumerate(words):
        before, after = _before(words, i), words[i + 1] if i + 1 < len(words) else ""
        if word in _SUBORDINATE and word not in ("to", "not"):
            # "That X causes Y", "If …": the clause ends at a comma, or with its own verb.
            below = True
            continue
        if word == ",":
            below = False
            continue
        auxiliary = word in AUXILIARIES
        if not (auxiliary and (i > 0)) and not _is_finite(words, i, before, after):
            continue
        if below:
            below = False
            continue
        return Finite(tokens[i][1], tokens[i][2], auxiliary)
    return None


def lacks_subject(sentence: str, *, plural: bool = False) -> bool:
    """Whether a sentence begins with its own verb: "causes cough", "is teratogenic", "may cause cough".

    plural: whether what it stands under is a plural, so that the verb may be a base form ("cause cough"). Without one
        that is an order, or a noun.
    """
    found = [match for match in islice(_TOKEN.finditer(sentence), 8) if match.group()[0].isalnum()]
    at = next((match.start() for match in found if not _is_adverb(match.group().lower())), 0)
    words = [word for match in found if not _is_adverb(word := match.group().lower().replace("’", "'"))]
    if len(words) < 2:
        return False
    first, after = words[:2]
    if first in _OPENING:
        return after not in _INVERTED
    if first in _MODALS:
        after = next((word for word in words[1:] if word != "not"), "")
        return after in ("be", "have") or after in _VERBS or after in _OR_NOUN
    base = first in _VERBS or first in _HARDLY_NOUNS or (first in _OR_NOUN and after in _OBJECT)
    if plural and base and first not in _ALSO_ADJECTIVES and _object_follows(after):
        return True
    verb = finite_verb(sentence)
    return verb is not None and not verb.auxiliary and verb.start == at


def _before(words: list[str], i: int) -> str:
    """The word before `words[i]`, adverbs passed over; "" at the beginning and behind punctuation that parts."""
    k = i - 1
    while k >= 0 and _is_adverb(words[k]):
        k -= 1
    return words[k] if k >= 0 else ""


def _is_adverb(word: str) -> bool:
    return word in _ADVERBS or _ADVERB.match(word) is not None


def _is_finite(words: list[str], i: int, before: str, after: str) -> bool:
    word = words[i]
    base = _base_of_s(word)
    # Behind a clause between two commas: "Warfarin, which …, causes …".
    has_subject = words[:i].count(",") > 1 if before == "," else _has_subject(before)
    if base is not None:
        if before in ("to", "not", "and", "or") and not has_subject:
            return False
        if base in _VERBS:
            return before not in _DETERMINERS and before not in _PREPOSITIONS
        if not i or not any(one[0].isalnum() for one in words[:i]):  # "- causes skin necrosis"
            return _object_follows(after) and after not in _VERBS and after not in AUXILIARIES
        return has_subject and _object_follows(after)
    if word in _VERBS or word in _OR_NOUN:
        plural = before in _PLURALS or (len(before) > 3 and before.endswith("s") and not _NO_PLURAL.search(before))
        if not (has_subject and plural) or before in _SUBORDINATE or _base_of_s(before) in _VERBS:
            return False
        return word in _VERBS or (bool(after) and after not in _NOUN_GOES_ON and after.isalnum())
    if word in _IRREGULAR_PAST or _is_past(word):
        return has_subject and after in _OBJECT
    return False


def _has_subject(before: str) -> bool:
    """Whether `before`, the word before a verb, can end its subject."""
    if not before or before in _DETERMINERS or before in _ADJECTIVES or before in _PREPOSITIONS:
        return False
    if before in _SUBORDINATE or before in ("and", "or", ",", ":", ";", "-", "–", "—", "•"):
        return False
    return before == ")" or before in ('"', "”", "'", "*", "_", "`", "]", "%") or before[0].isalnum()


def _object_follows(after: str) -> bool:
    """Whether what follows a form that may be a plural leaves it a verb: something, and not "of", "and" or an end."""
    return (
        bool(after)
        and (after[0].isalnum() or after in "(\"“'*_")
        and after not in _NOUN_GOES_ON
        and after not in ("in", "for", "with", "on", "from", "by", "during", "among", "between", "at", "to")
    )


def _base_of_s(word: str) -> str | None:
    """The verb of which `word` is the form in -s; None where it is none in the list."""
    if not word.endswith("s") or len(word) < 4 or word in _NO_VERB:
        return None
    for base in (word[:-1], word[:-2] if word.endswith("es") else "", f"{word[:-3]}y" if word.endswith("ies") else ""):
        if base in _VERBS or base in _OR_NOUN:
            return base
    if _DERIVED.match(word):
        return "metabolize"
    return None


def _is_past(word: str) -> bool:
    if not word.endswith("ed") or len(word) < 5:
        return False
    stem = word[:-2]
    bases = (stem, word[:-1], f"{stem[:-1]}y" if stem.endswith("i") else "", stem[:-1] if stem[:-1] in _DOUBLED else "")
    return any(base in _VERBS or base in _OR_NOUN for base in bases)
