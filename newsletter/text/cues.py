"""What the words of a sentence in an abstract show: that it says what was done, or a result.

The patterns read English in lower case. Each looks at a bounded stretch of text.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re

from newsletter.text.patterns import pattern

SHORTEST = 45  # characters of a sentence that says something

_STUDY = """
    (?:working |position |technical |systematic |scoping |white )?(?:paper|report|review|survey)
    work|(?:case |pilot |cohort |present |current )?study|article|thesis|dissertation|letter|note
    tutorial
    chapter|manuscript|research|investigation|contribution|perspective|essay|preprint|project
    meta-analysis|trial|brief|monograph|proposal|exposition|lecture|dataset|benchmark
"""
_MADE = """
    propos(?!ed? that)|introduc|present|develop|design|devis|unveil|launch|put forward
    releas(?!ing)|open-sourc
"""
_WE_MADE = pattern(r"\bwe\b(?:[\s,]{1,2}[^\s,]{1,30}){0,4}?[\s,]{1,2}(?:MADE)", MADE=_MADE)
_WE = pattern(
    r"""
    \bwe\s+(?!(?:WAITING)\b)[a-z]{3,}
    \bwe\s+(?:can|are able to|were able to|have)\s+(?:\w+ly\s+)?(?:MADE|[a-z]+ed\b|shown?\b|found\b)
    \bi\s(?:\w+ly\s)?(?:[a-z]+ed|show|propose|argue|find|study|introduce|present|develop)\b
    """,
    MADE=_MADE,
    WAITING="""
    are|were|can|cannot|could|may|might|must|should|will|would|need|live|know|lack|hope|believe
    expect
    anticipate|have|had|often|usually|still|now|understand|conclude|recommend|highlight|refer|call
    term
    discuss|speculate|suggest|envision|do|did|want|face|witness|encounter|interact|perceive|think
    """,
)
_PAPER = pattern(
    r"""
    (?:\A|[,;:] |\bso |\band )this\s(?:STUDY)\s(?!(?:IDLE)\b)\w
    \Athe (?:present |current )?(?:STUDY)\s(?:\w+ly\s)?(?!(?:is|has|was)\b)[a-z]+(?:s|ed)\b
    \bthis (?:is|was) an?\s(?:\w+\s){0,4}(?:STUDY)\b
    """,
    STUDY=_STUDY,
    IDLE=r"""
    is|are|can|has|will|of|was|could|may|opens?|highlights?|underscores?|sheds?|paves?|bridges?|lays?
    contributes? to|(?:provides?|offers?|gives?) (?:\w+ ){0,2}insights?
    """,
)
_AIM = pattern(
    r"""
    \b(?:this|the present|the current|our)\s(?:STUDY)(?:'s)?(?:\s\w+)?\s(?:aim|goal|purpose)
    \b(?:aim|goal|purpose|objective|focus)s?\b.{0,40}\s(?:is|was|were|are)\sto\b
    """,
    STUDY=_STUDY,
)
_HERE = pattern(
    r"""
    \b(?:in|by|of)\s(?:this|the present|the current|our)\s(?:STUDY)\b
    \A(?:and )?here(?:in)?\b|\Anow,? we\b
    """,
    STUDY=_STUDY,
)
_TOPIC = re.compile(
    r"\b(?:we|paper|work|study|article|report|research|survey|review)\s(?:\w+ly\s|also\s|first\s)?"
    r"(?:consider|stud|address|focus|investigat|explor|tackl|examin|revisit|review|survey|ask|delv)"
    r"|\b(?:paper|work|study|article|report|research|survey|review)\s(?:\w+ly\s)?aim"
    r"|\bpresents? (?:our|the) (?:work|efforts?|results?|study) on\b"
)
"""What only names the subject, where another sentence says what was made of it."""

_PASSIVE = pattern(
    r"""
    \b(?:is|are|was|were|been|being)\s(?:\w+ly\s|also\s|then\s|here\s)?(?:(?:STEM)ed|DONE)\b
    \bour\s(?:\w+\s){0,3}(?:approach|method|model|framework|system|algorithm|theory|technique)\b
    \b(?:an?|the)\s(?:new|novel)\s.{0,80}\b(?:is|are|was|were)\b
    """,
    STEM="""
    (?:re-)?(?:propos|introduc|present|develop|design|construct|creat|formulat|devis|describ|deriv)
    investigat|examin|analy[sz]|explor|evaluat|demonstrat|establish|report|perform|review|compar|us
    studi|identifi|quantifi|clarifi|appli|verifi|classifi|modifi|estimat|test|collect|train|observ
    measur|consider|discuss|obtain|conduct|characteri[sz]|comput|calculat|simulat|determin|assess
    extend|generali[sz]|outlin|address|recruit|enroll?|randomi[sz]|includ|isolat|sequenc
    synthesi[sz]
    fabricat|prepar|select|modell?|treat|solv|offer|provid|releas|adopt|employ|prov
    """,
    DONE="shown|found|proven|given|built|made|carried out",
)
_LATER = re.compile(
    r"(?:furthermore|moreover|additionally|in addition|besides|finally|lastly|second|third|also"
    r"|we (?:also"
    r"|further|additionally|finally)|as an? (?:additional|further|second)|beyond|to further"
    r"|on top|code"
    r"|overall|in (?:summary|conclusion)|together|taken together|collectively|these|results"
    r"|our results"
    r"|our findings|experiments|extensive|the results|it is (?:concluded|suggested))\b"
)
"""How a sentence begins that comes after the one which says what was done."""

_NOT = re.compile(
    r"\b(?:previous|prior|earlier|past|companion) (?:paper|work|article|study|studies)\b"
    r"|\bwe hope\b"
)
_VAGUE = re.compile(
    r"\b(?:this|these|those|such|the|that) (?:\w+ )?(?:gaps?|problems?|issues?|challenges?"
    r"|questions?"
    r"|limitations?|needs?|goals?|shortcomings?)(?: [a-z]+)?\s?[.:]$"
)
_LONGEST_VAGUE = 60  # characters of an end that _VAGUE finds

_PLACE_WORDS = (
    "availab",
    "releas",
    "http",
    "sourc",
    "github",
    "hugg",
    "publ",
    "shar",
    "access",
    "page",
)
_PLACE = re.compile(
    r"https?://|\bgithub\.com|\bhuggingface\.co|\bproject page\b"
    r"|\b(?:codes?|codebase|data|datasets?|models?|weights|demos?|website|checkpoints?|scripts?"
    r"|implementation|materials?|resources)\b.{0,60}\b(?:is|are|be|been|made)\s(?:\w+\s){0,3}"
    r"(?:available|released|open-?sourced|accessible|found)\b"
    r"|\A(?:[^,]{3,80}, )?we\s(?:will |plan to |also |further |\w+ly ){0,3}(?:releas|open-?sourc"
    r"|publish|shar|provid|mak)(?:e|ed)\b.{0,60}\b(?:codes?|codebase|weights|checkpoints?|prompts"
    r"|scripts|publicly available)\b"
    r"|\Aby (?:\w+ly )?(?:releasing|open-?sourcing|sharing)\b"
    r"|\bwe (?:will |plan to )(?:\w+ly )?(?:release|open-?source|publish|share)\b"
)


def done_score(text: str, part: str = "", name: str = "") -> int:
    """How surely a sentence says what the authors did; above 0 if it does.

    ``part`` is that of a structured abstract, ``name`` what the title calls the paper's own thing.
    """
    low = text.lower()
    score = _author_score(low)
    may_be_here = "this " in low or "present " in low or low.startswith(("here", "now"))
    if may_be_here and _HERE.search(low):
        score = (score or 2 * bool(_PASSIVE.search(low))) + 3
    if name and name in text and (score or text.startswith(name)):
        score += 2
    return _judged(score, low, part)


def passive_score(text: str, part: str = "") -> int:
    """How surely a sentence says what was done, without saying who did it."""
    low = text.lower()
    return _judged(2 * bool(_PASSIVE.search(low)), low, part)


def _judged(score: int, low: str, part: str) -> int:
    """The score, less where the sentence adds to another one, or says little."""
    if part:
        score += _PART_SCORES[part]
    if score <= 0:
        return 0
    if _TOPIC.search(low) and score >= _TOPIC_SCORE - 1:
        score = _TOPIC_SCORE
    if _LATER.match(low):
        score -= 3
    if (not part and len(low) < SHORTEST) or _VAGUE.search(low[-_LONGEST_VAGUE:]):
        score -= 4
    return score - 8 * bool(_NOT.search(low) or tells_place(low))


_TOPIC_SCORE = 5
_PART_SCORES = {"": 0, "aim": 5, "method": 1, "before": 0, "result": 0, "after": -4, "other": -8}


def _author_score(low: str) -> int:
    """Whether the authors, or the paper, do something in a sentence."""
    has_we = "we " in low
    if has_we and _WE_MADE.search(low):
        return 6
    if ("this " in low or low.startswith("the ")) and _PAPER.search(low):
        return 6
    if (has_we or "i " in low) and _WE.search(low):
        return 4
    return 4 * bool(any(word in low for word in _AIM_WORDS) and _AIM.search(low))


_AIM_WORDS = ("aim", "goal", "purpose", "objective", "focus")


def tells_place(low: str) -> bool:
    """Whether a sentence, in lower case, says where code or data are."""
    return any(word in low for word in _PLACE_WORDS) and _PLACE.search(low) is not None


_OTHERS = re.compile(
    r"(?:(?:The )?(?i:previous|prior|earlier|existing|past|conventional|traditional|current)\s"
    r"[^,]{0,40}?\b(?:works?|methods|approaches|studies|research|techniques|models|algorithms"
    r"|literature|results|benchmarks|systems)\b"
    r"|(?!(?:The|Our|We|This|These|It|They|Here|Experiments|Results|Simulations?|Participants|Newly"
    r"|Both)\b)[A-Z][a-z]+(?: (?:and|&) [A-Z][a-z]+| et al\.?)? (?:\(?\[?\d+\)?\]? )?"
    r"(?:showed|proved|introduced|conjectured|proposed|established|asked)\b)"
)


def tells_of_others(text: str) -> bool:
    """Whether a sentence begins with what others did: "Gao showed …", "Previous work …"."""
    return _OTHERS.match(text) is not None


_RESULT = pattern(
    r"\b(?:WORDS)",
    WORDS=r"""
    outperform|surpass|exceed|state[- ]of[- ]the[- ]art|sota\b|superior|comparable|competitive
    reveal|significant
    (?<!\bto )(?<!\bfor )(?:improv|achiev(?!ab)|attain|boost|reduc|increas|decreas|speed-?up)
    (?<!\bto )(?<!\bfor )demonstrat
    (?<!\bto )(?<!\bfor )(?:accelerat|enhanc)
    (?:reach|yield|rais|drop|deliver|match|beat|win|retain|recover|preserv|cut|gain)(?:e?s|ed|ing)\b
    (?:halv|doubl|tripl)(?:es?|ed|ing)\b
    (?:show|confirm|indicat|prov)(?:e?s|ed|ing)\b|correlat|associated with|led to|leads to|up to
    found (?:that|to)
    (?:fast|slow|high|low|great|larg|small|strong|few)er\b|better|worse|rises?\b|rose\b|fell\b
    won\b|caus(?:ed|ing)
    (?:results?|experiments?|findings|evaluations?|analys[ie]s|simulations?|data)\b.{0,60}\b(?:suggest|impl|support)
    we\s(?:\w+\s)?(?:found|find|show|observ|prov|detect|discover|uncover|obtain|giv|deriv)
    result(?:ed|s|ing) in\b
    """,
)
_EFFECT = re.compile(
    r"\b(?:between|range|than|only|most|more|less|percent|median|mean|average|score|error|accura|rate"
    r"|precision|perform|estimat|predict|rank|identif|detect|explain|account|consistent|total|cover"
    r"|compar|require)|\d\s?[%×]|\b\d+\.\d+\b"
)
"""What makes a result of a sentence with a number."""

_MEASURED = re.compile(
    r"\d\s?[%×]|\b(?:error|accura|score|precision|recall|f1|auc|rmse|mae|iou|correlation)"
)
_BEST = re.compile(r"\b(?:outperform|surpass|state[- ]of[- ]the[- ]art|sota\b|exceed|best\b)")
_NUMBER = re.compile(
    # no year, no part of a name (GPT-4, PI(4,5)P2); the version of one is taken out before
    r"[0-9](?<![\w.][0-9])(?<!\w[-(][0-9])(?:(?<=1)(?!9\d\d\b)|(?<=2)(?!0\d\d\b)|(?<=[03-9]))"
    r"[\d.,]{0,30}(?:\s?[%×‰]|-fold|x\b|(?![\w-]{0,30}[A-Za-z]\b))"
)
_RELATION = re.compile(r"[=<>≈≤≥∼~×]\s?\d")
_MANY_TIMES = re.compile(r"\b(?:two|three|four|five|six|seven|eight|nine|ten)(?:-?fold|\stimes)\b")
_VERSION = re.compile(r"\b[A-Z][\w-]*[A-Za-z] [1-9]\.\d\b(?!\s?[%×])")
_CLOSING = re.compile(
    r"(?:these|overall|together|taken|collectively|this work|our work|in (?:summary|conclusion)) "
)
_OUTLOOK = re.compile(
    r"\b(?:future|pave|potential(?:ly)?|promis(?:e|ing)|may|might|could|should|hope|aim to"
    r"|highlight|underscor|opens?\b(?! ?-?source)|insights?|implications?|call for|discuss)"
)
"""What closes an abstract without telling a result."""

_TIED = re.compile(
    r"(?:This|That) (?:then |also |further |\w+ly )*(?:allow|enabl|lead|yield|result|improv|reduc"
    r"|give|provid|mak|show|open|suggest|rais|is|was|not)"
    r"|(?:These|Those|Such|This) (?:\w+ly |often |also )*(?!(?:results?|findings?|papers?|study"
    r"|studies|work|article|approach|methods?|algorithms?|framework|models?|system|benchmark"
    r"|dataset|experiments?|evaluations?|analys[ie]s|outcomes?|observations?|evidence|advances?"
    r"|gains?|improvements?|scheme|comparison|technique)\b)\w+(?:[ -]\w+)? "
    r"|They |Both (?!\w+ and)|The (?:former|latter)\b"
    r"|[^.]*\b(?:(?:issues|problems|challenges) mentioned|aforementioned)\b"
)
"""How a sentence begins that names something of the one before it."""

A_RESULT = 2
"""The least weight of a sentence with a result."""


def has_number(text: str) -> bool:
    """Whether a text has a quantity: a number that is no year and no part of a name (``GPT-4``)."""
    if any(map(text.__contains__, "0123456789")):
        text = _VERSION.sub("", text)
        if _NUMBER.search(text) or _RELATION.search(text):
            return True
    return ("fold" in text or " times" in text) and _MANY_TIMES.search(text) is not None


def result_weight(text: str, part: str = "", *, is_next: bool = True) -> int:
    """How much of a result a sentence has: from ``A_RESULT`` on it has one, from 4 in numbers.

    One that is not shown ``is_next`` to the sentence before it weighs less if it is tied to that.
    """
    weight = _result_weight(text, part)
    if is_next or not _TIED.match(text):
        return weight
    return max(min(weight, A_RESULT), weight - 2)


def _result_weight(text: str, part: str) -> int:
    low, number = text.lower(), has_number(text)
    result = _RESULT.search(low)
    weight = 6 if result and number else 3 * bool(result)
    if result:
        weight += bool(_BEST.search(low))
    elif number and _EFFECT.search(low):
        weight = 4 if _MEASURED.search(low) else 2
    if part == "result":
        weight += 2 + number
    if not weight:
        return 0
    if not number:
        end = result.end() if result else 0
        weight -= 2 * bool(_OUTLOOK.search(low, 0, end + _NEAR)) + bool(_CLOSING.match(low))
    return weight - bool("we " in low and _WE_MADE.search(low))


_NEAR = 40  # characters behind a result in which it is only hoped for


def has_verb(text: str) -> bool:
    """Whether the beginning of a sentence already says that something was done, or came of it."""
    low = text.lower()
    is_result = _EFFECT.search(low) and has_number(text)
    return bool(is_result) or any(
        verb.search(low) for verb in (_WE, _PAPER, _AIM, _PASSIVE, _RESULT)
    )
