"""The words by which a response gives no answer ("I don't know", "cannot be determined", refusals): the only list.

Read by `abstaining`, in lower case with straight apostrophes, in the languages of `vocabulary`. Every pattern is
bounded. Nobody has had the languages other than English and German read by a native speaker.
"""

from __future__ import annotations

import re

_CANNOT = (
    r"(?:cannot|can't|can not|could not|couldn't|am unable to|'m unable to|are unable to|(?:am|'m|are) not able to)"
)
_TO_ANSWER = r"(?:answer|determine|give|provide|choose|select|pick|identify|find|tell|say|decide|solve|know|conclude)"
_OPTIONS = (
    r"(?:of|among|from) the (?:(?:given|provided|above|listed|available|other|answer|multiple[- ]choice) ){0,2}"
    r"(?:options|choices|answers|alternatives)"
)
_OFFERED = (
    r"listed\b|among (?:the|these|those)\b|(?:in|on) the (?:list|options|choices)"
    r"|(?:an?|one|any) (?:of the )?(?:(?:given|provided|listed|available|answer) ){0,2}(?:option|choice)"
)
# About the answer itself: they take back what was announced before.
ABOUT_THE_ANSWER = re.compile(
    r"\bi (?:\w+ly )?(?:do not|don't|dont) know (?:the |which |what (?:the |is the )?)(?:correct |right )?(?:answer"
    r"|option|choice)"
    rf"|\b(?:i|we) {_CANNOT} (?:\w+ly )?{_TO_ANSWER} (?:the |this |that |an? |which |what )"
    r"(?:(?:correct|right|definitive|definite|specific|exact|final|certain|accurate|precise|single|of the) ){0,2}"
    r"(?:answer|question|option|choice|response)"
    rf"|\b(?:none|neither) {_OPTIONS}"
    r"|\bnone of (?:these|them|the above)(?=\s*(?:[.,;:!()\"'*\]\n]|$)"
    r"| (?:is|are|match|seem|appear|fit|correct|work|choices|options))"
    rf"|\b(?:answer|result|value) is not (?:{_OFFERED})"
    r"|\b(?:options|choices|alternatives) (?:given |provided |listed )?(?:do not|don't|does not) "
    r"(?:include|contain|match|list)"
    r"|\b(?:question|problem|answer) (?:itself )?(?:cannot|can't|can not|could not) be (?:\w+ly )?"
    r"(?:answered|solved|determined|found|given|identified|inferred|chosen|selected|known|provided)"
    r"|\bquestion is (?:unanswerable|not answerable)|\b(?:no|not a) correct (?:answer|option|choice)\b(?! (?:is"
    r"|can) )"
)
REFUSES = re.compile(
    r"\b(?:i'm|i am) (?:really |very )?sorry,? (?:but )?(?:i|as an)\b|\bi must (?:\w+ly )?decline\b"
    r"|\bi (?:cannot|can't|can not|won't|will not|(?:am|'m) (?:unable|not able) to|must refuse to|refuse to) "
    r"(?:assist|help|comply|fulfil|engage|discuss|provide (?:medical|legal|financial|any))"
    r"|\bi'm (?:unable|not able) to (?:assist|help|comply|fulfil)"
    r"|\bas an ai\b[^.]{0,30}\bi (?:cannot|can't|do not|don't|am not able|am unable)"
)
_ENGLISH = (
    r"\bi (?:\w+ly )?(?:do not|don't|dont) know(?: (?:for sure|the \w+))?(?=\s*(?:[.!,;:)}\]]|$))|\bi have no idea\b"
    r"|\bi(?: am|'m) not (?:\w+ )?(?:sure|certain)(?: (?:about|of|which|what|how)[^.]{0,40})?(?=\s*(?:[.!]|$))"
    r"|\b(?:idk|unanswerable)\b"
    r"|\b(?:cannot|can't|can not|could not|couldn't) be (?:\w+ly )?"
    r"(?:determined|inferred|answered|known|deduced|concluded|solved|ascertained|established|calculated|computed"
    r"|found)"
    rf"|\b(?:i|we) {_CANNOT} (?:\w+ly )?{_TO_ANSWER}\b|\b(?:not|im)possible to (?:\w+ly )?{_TO_ANSWER}\b"
    r"|\b(?:not enough|insufficient|lack of|without (?:more|additional|further|enough"
    r"|sufficient)) (?:\w+ )?(?:information|data|context|details)\b"
    r"|\b(?:information|data|context)(?: \w+){0,2} (?:is|are) (?:not enough|insufficient|not sufficient|incomplete"
    r"|missing)"
    r"|\bno (?:definitive|definite|correct|clear) answer\b|\bis (?:undeterminable|indeterminable)\b"
    r"|\b(?:need|requires?) (?:more|additional|further) (?:information|data|context|details)\b"
)
_LATIN = (
    # Spanish, Portuguese, French, Italian, Romanian, Catalan
    r"\bno (?:lo )?sé\b(?! (?:si|que|cómo))|\bno (?:se )?puede[n]? (?:ser )?(?:determinar|determinad|saber|responder)"
    r"|\bno (?:es posible|puedo|tengo) (?:determinar|saber|responder|ayudar|suficiente)|\binformación insuficiente"
    r"|\bninguna de las (?:opciones|respuestas|anteriores)"
    r"|\bnão sei\b(?! (?:se|que|como))|\bnão (?:é possível|posso|se pode|pode ser) (?:determinar|determinad|saber"
    r"|responder|ajudar)"
    r"|\binforma(?:ção|ções) insuficiente|\bnenhuma das (?:opções|alternativas|respostas)"
    r"|\bje ne (?:le )?sais pas\b(?! (?:si|que|comment))|\bje ne peux pas (?:répondre|déterminer|aider|vous aider)"
    r"|\bon ne peut pas (?:déterminer|savoir|répondre)"
    r"|\bne peut (?:pas )?être déterminé|\bimpossible (?:de|à) (?:le )?(?:déterminer|savoir|répondre|dire)"
    r"|\baucune des (?:options|réponses|propositions)"
    r"|\bnon (?:lo )?so\b(?! (?:se|che|come))|\bnon (?:è possibile|posso|si può|può essere) (?:determinar|stabilir"
    r"|risponder|saperl|aiutar)"
    r"|\bimpossibile (?:da )?(?:determinare|stabilire|rispondere)|\bnessuna delle (?:opzioni|risposte|alternative)"
    r"|\bnu (?:știu|ştiu|stiu)\b|\bnu (?:pot|se poate) (?:determina|răspunde|stabili|spune)"
    r"|\bimposibil de (?:determinat|stabilit)|\bniciuna dintre"
    r"|\bno ho sé\b|\bno es pot (?:determinar|saber|respondre)|\bno puc (?:respondre|determinar)"
    r"|\bcap de les (?:opcions|respostes)"
    # German, Dutch, Scandinavian, Finnish, Hungarian
    r"|\bich wei(?:ß|ss) (?:es |das |die antwort )?(?:leider )?nicht\b(?!,? ob)|\bwei(?:ß|ss) ich (?:es "
    r"|das )?nicht\b"
    r"|\b(?:kann|können|lässt|läßt|lassen)\b[^.\n]{0,60}\bnicht (?:eindeutig |sicher |genau )?(?:bestimm|beantwort"
    r"|ermittel|ermitteln|feststell|festgestellt|sagen|helfen)"
    r"|\bnicht (?:bestimmbar|beantwortbar|zu beantworten)|\bkeine der (?:optionen|antworten|antwortmöglichkeiten"
    r"|möglichkeiten)|\bnicht genügend informationen|\bunzureichende informationen"
    r"|\bweet (?:ik )?(?:het )?(?:antwoord )?niet\b|\bkan\b[^.\n]{0,40}\bniet (?:bepa|beantwo|vast|zeggen|helpen)"
    r"|\bniet te bepalen|\bgeen van de (?:opties|antwoorden)|\bonvoldoende informatie"
    r"|\bjag vet inte\b|\bjeg ved (?:det )?ikke\b|\bjeg vet ikke\b|\bkan (?:jag |jeg )?(?:inte|ikke) (?:avgör"
    r"|faststäl|bestäm|besva|avgør|bestem|avgjør|fastslå|svar|hjälp|hjelp|hjælp)"
    r"|\bgår inte att (?:avgöra|säga|svara)|\binge[nt] a[vf] (?:alternativ|svar|mulighed)"
    r"|\ben tiedä\b|\bei voi(?:da)? (?:määrittää|vastata|päätellä|tietää|sanoa)|\ben (?:osaa|voi) (?:sanoa|vastata"
    r"|auttaa)|\bmikään vaihtoehdoista"
    r"|\bnem tudom\b|\bnem (?:határozható|állapítható|dönthető|válaszolható) meg|\bnem lehet (?:meghatározni"
    r"|megállapítani|megmondani|eldönteni)"
    r"|\bnem tudok (?:válaszolni|segíteni)|\begyik (?:lehetőség|válasz) sem"
    # Polish, Czech, Slovak, Croatian, Slovene; Lithuanian, Latvian, Estonian, Albanian
    r"|\bnie wiem\b|\bnie (?:można|da się) (?:\w+ )?(?:określić|ustalić|stwierdzić|odpowiedzieć)"
    r"|\bnie mogę (?:odpowiedzieć|określić|pomóc)|\bniewystarczając\w{1,3} (?:danych|informacji)|\bżadna z (?:opcji"
    r"|odpowiedzi|podanych)"
    r"|\bnev[ií]m\b|\bneviem\b|\bne znam\b|\bne vem\b|\bnelze (?:\w+ )?(?:určit|odpovědět|říci)"
    r"|\bned[áa] s[ae] určiť|\bn(?:ie je|ení) možné určit|\bnie je možné určiť"
    r"|\bnemohu (?:odpovědět|určit|pomoci)|\bnemôžem (?:odpovedať|určiť|pomôcť)|\bne mogu (?:odgovoriti|odrediti"
    r"|pomoći)|\bne može se (?:odrediti|utvrditi)|\bnije moguće (?:odrediti|utvrditi)"
    r"|\bni mogoče (?:določiti|odgovoriti)|\bž(?:ádná|iadna) z možností|\bnijed(?:na|an) od (?:opcija|ponuđenih"
    r"|odgovora)"
    r"|\bnežinau\b|\bnegaliu atsakyti|\bneįmanoma (?:nustatyti|atsakyti)|\bnegalima nustatyti|\bnezinu\b"
    r"|\bnevar noteikt|\bnav iespējams noteikt|\bnevaru atbildēt"
    r"|\bma ei tea\b|\bei ole võimalik (?:määrata|kindlaks|vastata)|\bei saa (?:vastata|määrata|kindlaks)"
    r"|\bnuk e di\b|\bnuk mund të (?:përcaktohet|përgjigjem|përcaktoj)|\bnuk është e mundur të përcakto"
    # Turkish, Azerbaijani, Vietnamese, Indonesian and Malay, Filipino, Swahili, Basque, Welsh
    r"|\bbilmiyorum\b|\bbelirlenemez|\bbelirlenemiyor|\bbelirlemek mümkün değil|\bcevap veremem|\bcevaplayamam"
    r"|\bbilmirəm\b|\bmüəyyən (?:edilə bilməz|etmək mümkün deyil)|\bcavab verə bilmərəm"
    r"|\bkhông biết\b|\bkhông thể (?:xác định|trả lời|kết luận|giúp)|\bkhông đủ (?:thông tin|dữ liệu)"
    r"|\bkhông có đáp án (?:đúng|nào)"
    r"|\bt(?:idak|ak) tahu\b|\bt(?:idak|ak) (?:dapat|bisa|boleh) (?:ditentukan|dijawab|menjawab|menentukan"
    r"|membantu)|\binformasi tidak cukup|\bmaklumat tidak mencukupi"
    r"|\bhindi ko alam\b|\bhindi (?:ko )?(?:matutukoy|matukoy|masasagot|masagot)|\bsijui\b|\bsiwezi (?:kujibu"
    r"|kusaidia)|\bhaiwez(?:i|ekani) (?:kujulikana|kujua|kubaini|kubainishwa)"
    r"|\bez dakit\b|\bezin da (?:zehaztu|jakin|erantzun)|\bezin dut erantzun|\bddim yn gwybod|\bni wn i\b"
    r"|\bni ellir (?:pennu|penderfynu)|\bni allaf ateb"
)
_OTHERS = (
    # Chinese, Japanese, Korean
    r"不知道|不清楚答案|[无無]法(?:确定|確定|判断|判斷|回答|得出|给出|給出|作答|推断|推斷|得知|提供)|不能(?:确定|確定|判断|判斷|回答)|不确定|不確定"
    r"|没有(?:正确|合适)的?(?:答案|选项)|信息不足|資訊不足|(?:抱歉|对不起|對不起)[^。\n]{0,10}(?:[无無]法|不能)"
    r"|[わ分]か(?:りません|らない)|(?:判断|決定|特定|回答|確定)(?:することは)?でき(?:ません|ない)|答えられ(?:ません|ない)|お答えできません|情報が?不足|不明です"
    r"|모르겠|모릅니다|알 수 없|(?:답|대답|답변|판단|결정|확인|확정)할 수 없|정보가 부족"
    # Slavic in Cyrillic, Kazakh, Greek
    r"|(?<!\w)не знаю(?!\w)|невозможно (?:определить|ответить|сказать|установить)|нельзя (?:определить|ответить"
    r"|сказать)|не могу (?:ответить|определить|сказать|помочь)|недостаточно (?:данных|информации)"
    r"|ни один из (?:вариантов|ответов)"
    r"|неможливо (?:визначити|відповісти|сказати)|не можу (?:відповісти|визначити|допомогти)|недостатньо (?:даних"
    r"|інформації)|жоден (?:із|з) (?:варіантів|відповідей)"
    r"|(?<!\w)не знам(?!\w)|не може да се (?:определи|утврди|каже|отговори|одговори)|не мо(?:гу|га"
    r"|жам) да (?:одговор|отговор|утврд|определ|помогн)|није могуће утврдити"
    r"|білмеймін|анықтау мүмкін емес|жауап бере алмаймын"
    r"|δεν (?:ξέρω|γνωρίζω)|δεν μπορεί να (?:προσδιοριστεί|καθοριστεί|απαντηθεί)|δεν μπορώ να (?:απαντήσω"
    r"|προσδιορίσω|βοηθήσω)|αδύνατο να (?:προσδιορ|απαντ|καθορ)|καμία από τις (?:επιλογές|απαντήσεις)"
    # Thai, Lao, Khmer, Burmese; Tamil, Gujarati, Punjabi, Kannada, Malayalam, Sinhala; Georgian, Armenian, Amharic
    r"|ไม่ทราบ|ไม่รู้|ไม่สามารถ(?:ระบุ|ตอบ|กำหนด|สรุป|บอก)|ข้อมูลไม่เพียงพอ|ບໍ່ຮູ້|ບໍ່ສາມາດ|មិនដឹង|មិនអាច(?:កំណត់"
    r"|ឆ្លើយ)|မသိပါ|မဖြေနိုင်|မဆုံးဖြတ်နိုင်"
    r"|தெரியாது|தெரியவில்லை|தீர்மானிக்க (?:முடியாது|இயலாது)|பதிலளிக்க முடியாது|ખબર નથી|નક્કી (?:કરી શકાતું"
    r"|થઈ શકતું) નથી|ਪਤਾ ਨਹੀਂ|ਨਹੀਂ ਪਤਾ|ਨਿਰਧਾਰਤ ਨਹੀਂ"
    r"|ಗೊತ್ತಿಲ್ಲ|ತಿಳಿದಿಲ್ಲ|ನಿರ್ಧರಿಸಲು ಸಾಧ್ಯವಿಲ್ಲ|അറിയില്ല|നിർണ്ണയിക്കാൻ കഴിയില്ല|දන්නේ නැ|නොදනිමි|තීරණය කළ නොහැක"
    r"|არ ვიცი|შეუძლებელია|ვერ ვუპასუხებ|չգիտեմ|հնարավոր չէ որոշել|አላውቅም|መወሰን አይቻልም"
    # Hindi, Marathi, Bengali, Telugu; Arabic, Persian, Urdu, Hebrew
    r"|नहीं पता|पता नहीं|मालूम नहीं|नहीं मालूम|(?:निर्धारित|तय) नहीं किया जा सकता|उत्तर नहीं दे सकत|माहित नाही"
    r"|ठरवता येत नाही|सांगता येत नाही"
    r"|জানি না|নির্ধারণ করা (?:যায় না|সম্ভব নয়)|తెలియదు|నిర్ణయించలే|నిర్ధారించలే"
    r"|لا أعرف|لا أعلم|لا أدري|لا يمكن(?:ني)? (?:تحديد|الإجابة|معرفة|الجزم)|لا أستطيع (?:الإجابة|تحديد|المساعدة)"
    r"|معلومات غير كافية|لا شيء من الخيارات"
    r"|نمی[\u200c ]?دانم|نمی[\u200c ]?توان(?:م)? (?:تعیین|مشخص|پاسخ)|قابل تعیین نیست|معلوم نہیں|نہیں جانتا"
    r"|تعین نہیں کیا جا سکتا"
    r"|(?:אינני|אני לא|איני) יודע|לא ניתן (?:לקבוע|לענות|לדעת)|אי אפשר (?:לקבוע|לדעת|לענות)|אין מספיק (?:מידע|נתונים)"
)
# Anything else that says that there is no answer; what was announced before or behind it counts.
GIVES_NONE = re.compile("|".join((_ENGLISH, _LATIN, _OTHERS)))
# An announced answer that is none: all there is of it.
NO_VALUE = re.compile(
    r"\W{0,4}(?:unknown|undetermined|not (?:known|given|determinable|enough information)|n/a|no answer|unclear|"
    r"unbekannt|desconocid[oa]|desconhecid[oa]|inconnue?|sconosciut[oa]|未知|неизвестно)\W{0,4}"
)
# Without one of these a text holds none of the patterns: what is searched first, since it is cheap.
HINTS = (
    "know", "idk", "determin", "answer", "inform", "none of", "neither of", "no idea", "not sure", "not certain",
    "not be ", "t be ", "cannot", "can't", "can not", "couldn't", "could not", "unable", "not able", "impossib",
    "possible to", "enough", "insuff", "lack of", "without ", "context", "data ", "data.", "details", "sorry",
    "decline", "refuse", "as an ai", "won't", "will not", "no correct", "not a correct",
    "sé", "pued", "puc", "ninguna", "sei", "não", "nenhuma", "sais", "peu", "aucune", " so", "non ", "nessuna", "nu ",
    "niciuna", "cap de", "wei", "nicht", "keine", "unzur", "niet", "geen", "vet", "ved", "inte", "ikke", "inge", "en ",
    "ei ", "mikään", "nem ", "sem", "nie", "żadna", "nev", "ne ", "nel", "ned", "nen", "není", "nem", "ni ", "ž", "nij",
    "než", "neg", "neį", "nez", "nav", "nuk", "bil", "belir", "cevap", "müəyyən", "cavab", "không", "tidak", "tak ",
    "maklumat", "hindi", "sijui", "siwezi", "haiwez", "ez", "gwybod",
)  # fmt: skip
NOT_LATIN = re.compile("[\u0370-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
