"""The words by which an answer is announced ("the answer is", "La respuesta correcta es", "因此答案是"): the only list.

Read by `announcing`, in any text, whatever language the rest is in. Every pattern is bounded.
"""

from __future__ import annotations

import re

BOX = "\ue000"  # stands for \boxed{…} while a text is read

ADJECTIVES = (
    r"(?:(?:final|correct|best|right|only|single|likely|most|appropriate|suitable|accurate|probable|required|desired|"
    r"numerical|closest|overall)\s+){0,4}"
)
NOUN = r"(?:answer|solution|choice|option|ans|conclusion|verdict|pick)(?:\s(?:choice|option|letter|value))?"
OF = r"(?:\s(?:to|for|of|among|from)\s[^:.=]{1,60}?)?"
_SAYS = (
    r"(?:\s?(?:is|are|was|lies|would be|should be|must be|will be|equals|=|≈)(?![a-z])\s?[:：]?|['’]s(?=\s)|\s?[:：])"
)
_VALUE_NEXT = rf"(?=[(\[\"'“*$]{{0,3}}(?:[A-J](?![^\W\d_])|-?\d|{BOX}))"
_COLON = r"[:：]"

_ENGLISH = (
    rf"(?:(?:the|my|our|your|this|a)\s)?{ADJECTIVES}{NOUN}(?:\s(?:therefore|thus|then|hence|here))?{OF}"
    rf"(?:{_SAYS}|\s?$|\s(?={BOX})|\s[-–—]\s{_VALUE_NEXT})",
    # An option by its letter alone: "we choose a and b such that" announces nothing.
    r"(?:i|we)(?:'d|'ll|\swould|\swill|\sshould|\scan|\smust)?\s(?:choose|pick|select|go with|answer)(?:\swith)?\s"
    rf"(?=(?:the\s)?(?:option|choice|answer)\s|[(\[]|(?-i:[A-J])(?![\w'’])|-?\d|{BOX})",
    r"(?:that|this|which)\s(?:only\s)?leaves(?:\s(?:us\swith|only))?\s|(?:we\sare|i\sam)\sleft\swith\s(?:only\s)?",
)
# Nouns with what may stand before and behind them, and the verb; a colon serves all.
_OTHERS = (
    # Chinese, Japanese, Korean
    rf"(?:本题|本題|最终|最終|最后|最後|正确|正確|标准){{0,3}}的?(?:答案|选项|選項|答)(?:应该|應該|应|應)?"
    rf"(?:就?是|为|為|选|選|{_COLON})\s?[:：]?",
    r"[故应應]?[选選][择擇项項]?(?:答案)?\s?[:：]?(?=\s?[（(]?[A-J](?![A-Za-z]))",
    rf"(?:最終的な|正しい)?(?:答え|解答|正解|正答|選択肢|回答)\s?(?:[はが]|{_COLON})",
    rf"(?:올바른\s|최종\s)?(?:정답|답|답변)\s?(?:[은는이]|{_COLON})",
    # Spanish, Portuguese, French, Italian, Romanian
    r"(?:la\s|el\s|a\s|o\s|il\s|le\s)?(?:(?:mejor|melhor|bonne|meilleure|migliore)\s)?"
    r"(?:respuesta|opci[oó]n|resposta|opció|opção|alternativa|réponse|risposta|opzione|soluci[oó]n|solução|soluzione)"
    r"(?:\s(?:correct[aoe]?|corrett?[ao]|finale?|certa|giusta|exacte|esatta|definitiva|m[aá]s\s\w{1,14}|mais\s\w{1,14}))"
    rf"{{0,2}}\s?(?:(?:es|est|è|és?|ser[ií]a|sera|será|serait|sarebbe)(?!\w)|{_COLON})\s?[:：]?",
    rf"r[aă]spuns(?:ul)?(?:\s(?:corect|final))?\s?(?:este(?!\w)|e(?!\w)|{_COLON})",
    # German, Dutch, Scandinavian, Finnish, Hungarian
    r"(?:(?:die|meine|unsere)\s)?(?:(?:richtige|korrekte|endgültige|beste|finale)\s)?(?:antwort|lösung)"
    rf"(?:\s(?:ist|lautet|wäre)(?!\w)|\s?{_COLON})\s?[:：]?|(?:richtig|korrekt)\sist\s(?:antwort\s|option\s)?{_VALUE_NEXT}",
    rf"(?:het\s)?(?:(?:juiste|goede|correcte|beste)\s)?antwoord(?:\sis(?!\w)|\s?{_COLON})",
    rf"(?:det\s)?(?:(?:rätta?|korrekta?e?|riktige|rigtige|slutliga)\s)?svar(?:et)?(?:\s(?:är|er)(?!\w)|\s?{_COLON})",
    rf"(?:(?:oikea|lopullinen)\s)?vastaus(?:\son(?!\w)|\s?{_COLON})|(?:a\s)?(?:helyes\s)?válasz(?:\saz?\s|\s?{_COLON})",
    # Slavic
    r"(?:(?:правильный|верный|окончательный|итоговый|правильна|остаточна|тачан|коначан)\s)?(?:ответ|відповідь|одговор)"
    rf"\s?(?:[:—–-]|(?:это|является|є|је)(?!\w)|{_VALUE_NEXT})\s?[:—–-]?",
    rf"(?:правильн(?:ым|ою)\s)?(?:ответом|відповіддю)\s(?:является|будет|є)(?!\w)|(?:(?:правилният|верният|точниот)\s)?"
    rf"(?:отговор(?:ът)?|одговор(?:от)?)\s?(?:е(?!\w)|{_COLON})|(?:дұрыс\s)?жауа[пб]ы?\s?(?:{_COLON}|[-–—]\s|{_VALUE_NEXT})",
    rf"(?:(?:poprawn|prawidłow|ostateczn)[aąy]\s)?odpowied(?:ź|zią|z)\s?(?:(?:to|jest)(?!\w)|{_COLON})",
    rf"(?:(?:správná|konečná|správna)\s)?odpov[eě]ď\s?(?:je(?!\w)|{_COLON})|(?:tačan\s)?odgovor\s?(?:je(?!\w)|{_COLON})",
    rf"(?:teisingas\s)?atsakymas\s?(?:yra(?!\w)|{_COLON}|[-–—]\s)|(?:pareizā\s)?atbilde\s?(?:ir(?!\w)|{_COLON})",
    rf"(?:õige\s)?vastus\s?(?:on(?!\w)|{_COLON})|përgjigj(?:ja|e)(?:\se\ssaktë)?\s?(?:është(?!\w)|{_COLON})",
    # Greek, Turkish, Vietnamese, Malay, Filipino, Swahili; Basque, Welsh
    rf"(?:η\s)?(?:σωστή\s)?απάντηση\s?(?:είναι(?!\w)|{_COLON})",
    rf"(?:(?:doğru|düzgün|son|nihai)\s)?(?:cevap|yanıt|cavab)(?:ı|ımız|imiz)?\s?(?:{_COLON}|,?\s{_VALUE_NEXT})",
    rf"(?:đáp án|câu trả lời|phương án)(?:\s(?:đúng|chính xác|cuối cùng)){{0,2}}\s?(?:là(?!\w)|{_COLON})",
    rf"(?:jawaban|jawapan)(?:nya)?(?:\s(?:yang|benar|betul|tepat|akhir)){{0,2}}(?:nya)?\s?(?:(?:adalah|ialah)(?!\w)|{_COLON})",
    rf"(?:ang\s)?(?:(?:tamang|huling)\s)?sagot\s?(?:ay(?!\w)|{_COLON})|erantzuna?(?:\szuzena)?\s?(?:{_COLON}|{_VALUE_NEXT})"
    rf"|(?:yr\s)?ateb(?:\scywir)?\s?(?:yw(?!\w)|{_COLON})",
    rf"jibu(?:\s(?:sahihi|la\smwisho))?\s?(?:ni(?!\w)|{_COLON})",
    # Thai, Lao, Khmer, Burmese, the languages of India, Georgian, Armenian, Amharic, Arabic, Persian, Urdu, Hebrew
    rf"คำตอบ(?:ที่ถูกต้อง|สุดท้าย)?\s?(?:คือ|{_COLON})|ຄ[ໍຳ]າ?ຕອບ(?:ທີ່ຖືກຕ້ອງ)?\s?(?:ແມ່ນ|ຄື|{_COLON})"
    rf"|ចម្លើយ(?:ត្រឹមត្រូវ)?\s?(?:គឺ|{_COLON})|အဖြေ(?:မှန်)?(?:သည်|က|မှာ)?\s?(?:{_COLON}|{_VALUE_NEXT})",
    r"(?:பதில்|விடை|જવાબ|ઉત્તર|ਜਵਾਬ|ਉੱਤਰ|ಉತ್ತರ(?:ವು)?|ഉത്തരം|පිළිතුර|პასუხი(?:ა|\sარის)?|պատասխան(?:ը|ն\sէ)?|መልሱ?)"
    rf"\s?(?:{_COLON}|{_VALUE_NEXT})",
    rf"(?:(?:सही|अंतिम|बरोबर)\s)?(?:उत्तर|जवाब|विकल्प)\s?(?:{_COLON}|(?:है|आहे)\s?{_COLON}|{_VALUE_NEXT})",
    rf"(?:(?:সঠিক|চূড়ান্ত)\s)?উত্তর\s?(?:হলো?|{_COLON}|{_VALUE_NEXT})|సమాధానం\s?(?:{_COLON}|{_VALUE_NEXT})",
    rf"(?:الإجابة|الاجابة|الجواب|الخيار)(?:\s(?:الصحيحة|الصحيح|النهائية|النهائي))?\s?(?:هي(?!\w)|هو(?!\w)|{_COLON})",
    rf"(?:پاسخ|جواب)(?:\s(?:صحیح|درست|نهایی))?\s?(?:{_COLON}|{_VALUE_NEXT})|(?:صحیح|درست)\sجواب\s?(?:{_COLON}|{_VALUE_NEXT})",
    rf"התשובה(?:\s(?:הנכונה|הסופית))?\s?(?:היא(?!\w)|{_COLON})",
)
ANNOUNCE = re.compile("|".join((*_ENGLISH, *_OTHERS)), re.IGNORECASE)
# The other way round: "C ist richtig", "C가 정답입니다".
REVERSED = re.compile(
    r"(?:(?:l['’])?(?:option|opci[oó]n|opção|opzione|alternativa|antwort|antwoord|вариант|选项|選項)\s?)?"
    r"([(（]?[A-J][)）]?)\s?"
    r"(?:(?:es|ist|est|è|é|является)\s(?:(?:la|die|das|a|o|l[ae])\s)?"
    r"(?:(?:opci[oó]n|respuesta|réponse|bonne réponse|risposta|resposta|alternativa|richtige antwort|richtig|korrekt|"
    r"правильным ответом|правильный ответ)\s?)?(?:correct[ae]?|corrett?a|exacte|esatta)?"
    r"|(?:是|为|為)?(?:正确|正確)的?(?:答案|选项|選項)?|(?:이|가)\s?정답|が正解)",
    re.IGNORECASE,
)
# Without one of these no text announces anything by words: what is searched first, since it is cheap.
HINT = re.compile(
    r"answer|solution|choice|option|ans\b|conclusion|verdict|pick|choose|select|go with|leaves|left with|"
    r"respuesta|opci|resposta|op[çc]|alternativa|r[eé]ponse|risposta|opzione|solu|r[aă]spuns|antwo|lösung|richtig|korrekt|"
    r"svar|vasta?us|válasz|odpov|odgov|cevap|cavab|yanıt|đáp|trả lời|phương án|jawa[bp]|jibu|sagot|erantzun|ateb|"
    r"atsakym|atbild|përgjigj|[\u0370-\u1fff\u3000-\ud7ff]",
    re.IGNORECASE,
)

# Both in front of an announcement ("Donc la réponse est B") and inside it ("La réponse est donc B").
_THEREFORE = (
    r"therefore|thus|hence|then|por (?:lo )?tanto|entonces|portanto|logo|então|donc|alors|quindi|perciò|dunque|"
    r"per tant|daher|also|deshalb|somit|demnach|folglich|dus|daarom|därför|derfor|siksi|siis|tehát|ezért|așadar|deci|"
    r"zatem|więc|proto|tedy|dlatego|поэтому|следовательно|отже|тому|следователно|άρα|επομένως|jadi|dolayısıyla|kaya|beraz|felly|"
    r"因此|所以|لذلك|بنابراین|لہذا|לכן|इसलिए|अतः|সুতরাং|எனவே|ดังนั้น"
)
CONNECTIVE = re.compile(
    rf"(?:so|{_THEREFORE}|finally|in conclusion|to conclude|in summary|consequently|accordingly|overall|as a result|"
    r"based on (?:this|these|the)[^,.:]{0,60},|and|now|conclusion|it follows that|"
    r"we (?:can )?(?:conclude|get|find|have|see) that|así que|ainsi|par conséquent|prin urmare|итак|таким образом|"
    r"vì vậy|do đó|oleh karena itu|oleh itu|bu nedenle|bu yüzden|kwa hivyo|故|综上所述|综上|∴|"
    r"したがって|よって|따라서|그러므로)(?![a-z])\s?[:,，、：]?\s?",
    re.IGNORECASE,
)
# What may stand between the announcement and the answer.
FILLER = re.compile(
    rf"(?:(?:{_THEREFORE})(?!\w)|simply|just|clearly|approximately|about|exactly|indeed|actually|most likely|"
    r"probably|equal to|=|≈|as follows|[:：]"
    r"|(?:(?:l[ae]|el|il|a|o|die|der|das|the|η|là)\s)?(?:option|choice|answer|letter|letra|lettre|lettera|buchstabe|"
    r"opci[oó]n|opção|opzione|alternativa|antwort|antwoord|вариант|đáp án|선택지|选项|選項|ข้อ|विकल्प|الخيار)"
    r"(?:\s?(?=[(A-J\d])|_)"
    r"|l['’](?:option|opzione|opció|alternativa)\s?(?=[(A-J\d])"
    r"|(?:l[ae]|el|il|a|o|die|der|das|η)\s(?=(?-i:[(\[]?[A-JΑ-Ε](?![^\W\d_]))))\s?",
    re.IGNORECASE,
)
# What may stand behind it and is part of the announcement.
PARTICLES = re.compile(r"\s?(?:\bda|입니다|이다|예요|です|である|だ|हैं?|আছে|est la bonne|است|ہے|'d[iıuü]r)$")
NOT_AN_ANSWER = re.compile(
    r"(?:not|n't|in|found|obtained|given|correct|incorrect|clear|obvious|that|to be|calculated|based|"
    r"derived|supported|written|put|placed|enclosed|within|presented|expressed|formatted|"
    r"nicht|kein\w{0,2}|não|pas|non|не|niet|inte|ikke|nie|tidak|bukan|không|ไม่|ليست?|לא|δεν)(?!\w)"
    r"|(?:right|wrong)\W{0,3}$|.{0,120}(?:아닙니다|아니다|ではない|ではありません|じゃない|नहीं|değil|নয়|不是)",
    re.IGNORECASE | re.DOTALL,
)
# What takes an option away: a step with it does not name the option as the answer.
REJECTS = re.compile(
    r"\b(?:incorrect|wrong|false|untrue|ruled? out|ruling out|eliminat(?:es?|ed|ing)|(?:be )?excluded?|implausible|"
    r"(?:not|n't) (?:a |an |the )?(?:correct|right|best|answer|true|valid|likely|appropriate|relevant|suitable)|"
    r"unlikely|falsch|incorrect[ao]|incorrecte|errónea|falsa?|sbagliata|неверн\w{1,4}|неправильн\w{1,4})\b|错误|不正确|排除|誤り|틀린",
    re.IGNORECASE,
)
# What a closing sentence must not hold for a letter in it to be its answer.
DENIES = re.compile(
    rf"{REJECTS.pattern}|\b(?:not|no|never|none|neither|nor|without|unclear|unknown|cannot|nicht|kein\w{{0,2}}|não|pas|non|не|"
    r"niet|inte|ikke|nie|tidak|bukan|không|hindi|değil)\b|n't\b|ไม่|ليس|לא|नहीं|না|不|아니",
    re.IGNORECASE,
)
# Things that have a letter for a name: "vitamin B", "angle C".
NAMED_BY_LETTER = re.compile(
    r"\b(?:vitamins?|hepatitis|influenza|groups?|types?|class|factors?|stage|grade|protein|strain|plan|points?|case|figure|"
    r"vert(?:ex|ices)|sets?|events?|matri(?:x|ces)|variables?|angles?|sides?|lines?|persons?|company|cit(?:y|ies)|town|"
    r"trains?|machines?|teams?|box|urn|bag|part|section|chapter|article|appendix|phase|level|column|row|node|region|"
    r"player|student|country|planet|product|project|store|factory|pipe|tank|car|vitamina|hépatite|gruppe|tipo|"
    r"of|by|from|with|and|or)\W{1,3}$",
    re.IGNORECASE,
)
# What makes the announcement behind it a mere thought.
SUPPOSED = re.compile(
    r"(?:\b(?:if|whether|suppose|assume|assuming|unless|why|wenn|falls|si|se|если)\s(?:that\s)?|如果|若|假设|もし)$",
    re.IGNORECASE,
)
# A text that also derives: what stands behind these is reasoning.
DERIVES = re.compile(
    r"\b(?:because|since|therefore|thus|hence|however|so that|which|given that|as (?:it|the|this|they|we)|if|"
    r"giving|gives|yields?|porque|weil|parce que|perché|потому что)\b"
    r"|,\sso\b|因为|因為|所以|なぜなら",
    re.IGNORECASE,
)
# A conclusion that also argues; in one around a box "the number which" and "if" only say what is meant.
ARGUES = re.compile(
    r"\b(?:because|since|given that|so that|however|giving|gives|yields?|porque|weil|parce que|perché|потому что)\b"
    r"|[,;]\s(?:and\s)?(?:so|which|thus|hence|therefore|meaning|as)\b|因为|因為|所以|なぜなら",
    re.IGNORECASE,
)
