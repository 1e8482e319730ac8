"""The sentences of a text: where each ends, and the part of a structured abstract it stands in."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
from collections.abc import Iterator

_CLOSED = r"[\"')\]”’⁰¹²³⁴-⁹⁻]*"  # the number of a note too
_STARTERS = (
    "The|This|These|Those|There|Then|Thus|They|That|We|Our|Here|Hence|How|However|In|It|Its|If|A"
    "|An|As|At"
    "|And|But|By|To|For|From|On|Of|One|Or|So|Such|Some|Since|Specifically|Second|Similarly"
    "|Results?|Recent"
    "|Recently|With|When|While|What|Which|Without|Additionally|Also|Although|All|Along|Among|Both"
    "|Because"
    "|Based|Background|Beyond|Can|Code|Compared|Conclusions?|Data|Despite|Due|During|Each|Even"
    "|Experiments"
    "|Existing|Extensive|Finally|First|Findings|Further|Furthermore|Given|Importantly|Instead"
    "|Methods?"
    "|Many|Moreover|Most|Notably|Objectives?|Overall|Rather|Through|Therefore|Together|Under"
    "|Using|Unlike"
    "|Building|Drawing|Inspired|Leveraging|Motivated"
)
_END = re.compile(
    r"[.!?。！？](?:(?<=[。！？])[”’」』）]*"
    # before a capital, a number, a Greek letter, or a name like vLLM
    rf"|{_CLOSED}(?=\s+[\"'(\[“‘$]*(?:[A-Z0-9À-ÞΑ-ω∀-⋿]|[a-z]{{1,4}}[A-Z]))"
    # the space was lost: "of the art.We propose"
    rf"|(?<=[a-z)%\d].)(?=(?:{_STARTERS})\b))"
)
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|vs|cf|resp|approx|[Ff]igs?|[Ee]qs?|Eqns?|[Ss]ecs?|Tabs?|[Rr]efs?|[Nn]os?|Dr"
    r"|Prof|Mrs?|Ms"
    r"|St|Mt|w\.r\.t|a\.k\.a|s\.t|i\.i\.d|viz|ca|ver|[Vv]ol|pp|Ch|Chap|Thm|Prop|Def|Lem|Cor|Alg"
    r"|App|Jan|Feb"
    r"|Aug|Sept?|Oct|Nov|Dec|Gen|Gov|Sen|Rep|incl|esp|max|min|avg|Bros|Ph)\.[\"')\]”’]*$"
)
"""What ends in a dot and goes on, whatever comes next."""

_MAYBE = re.compile(r"\b(?:etc|al|spp?|var|Inc|Ltd|Co|Corp|Jr|Sr|a\.m|p\.m|[A-Z])\.[\"')\]”’]*$")
"""What ends a sentence only before a word that often begins one."""

_STARTS = re.compile(rf"\s*[\"'(\[“‘]*(?:{_STARTERS})\b")
_LONGEST_ABBREVIATION = 16


def sentence_ends(text: str) -> Iterator[int]:
    """Where each sentence of a text of one line ends; the last end is that of the text.

    Abbreviations, initials and decimals do not end one. Linear in the length of the text.
    """
    for match in _END.finditer(text):
        end = match.end()
        tail = text[max(0, end - _LONGEST_ABBREVIATION) : end]
        if _ABBREVIATION.search(tail) or (_MAYBE.search(tail) and not _STARTS.match(text, end)):
            continue
        yield end
    yield len(text)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text of one line; one does not end within parentheses."""
    found: list[str] = []
    start = depth = 0
    for end in sentence_ends(text):
        piece = text[start:end].strip()
        start = end
        if depth > 0 and piece.count(")") > piece.count("("):
            found[-1] += f" {piece}"
            depth = 0
        elif piece:
            found.append(piece)
            depth = piece.count("(") - piece.count(")")
    return found


_HEADINGS = {
    "aim": "aim aims objective objectives purpose goal goals hypothesis question questions",
    "before": "background introduction context rationale importance motivation",
    "method": "method methods methodology materials patients design setting participants approach"
    " intervention interventions outcome outcomes measure measures exposure exposures source"
    " sources procedure procedures subjects experimental data",
    "result": "result results findings observations",
    "after": "conclusion conclusions interpretation discussion significance implications relevance"
    " limitations highlight highlights message",
    "other": "availability contact supplementary implementation registration funding keywords"
    " information trial code",
    "": "and of the or main key study research statement summary clinical primary abstract",
}
_PARTS = {word: part for part, words in _HEADINGS.items() for word in words.split()}
"""What a word in a heading says about the part below it; empty if nothing."""

_WORDS = tuple(_PARTS)
_LONGEST_PART = max(map(len, _PARTS))
_RANK = ("before", "aim", "result", "method", "after", "other")
_FIRST = (
    "The|This|These|We|In|To|An?|Our|It|There|For|As|At|On|With|Although|Despite|While|Using|All"
)
_HEADING = re.compile(
    rf"(?i:(?=(?:{'|'.join(_PARTS)})(?:[^a-z]|\Z|(?-i:[A-Z]))))"
    r"(?P<name>[A-Z][A-Za-z&/,() -]{2,60}?)(?:\s?[:–—]\s*|\.?\Z|\.\s"
    # without a colon: "METHODS Patients", "Results The", "BackgroundThe"
    rf"|(?<=[A-Z]{{4}})\s(?=[A-Z][a-z])|(?:\s|(?<=[a-z]))(?=(?:{_FIRST})\b)"
    r"|(?<=\b(?i:results))(?=[A-Z][a-z])|(?<=\b(?i:methods))(?=[A-Z][a-z])"
    r"|(?<=\b(?i:background))(?=[A-Z][a-z])|(?<=\b(?i:conclusions))(?=[A-Z][a-z]))"
)


def parts_of(text: str) -> Iterator[tuple[str, str]]:
    """The sentences, each with its part of a structured abstract ("Methods: …"), without headings.

    The parts are ``aim``, ``before``, ``method``, ``result``, ``after`` and ``other``; empty where
    an abstract has none.
    """
    part = ""
    for piece in split_sentences(text):
        is_heading = piece[:_LONGEST_PART].lower().startswith(_WORDS)
        heading = _HEADING.match(piece) if is_heading else None
        if heading and (found := _part(heading["name"])):
            part = found
            piece = capital(piece[heading.end() :])  # noqa: PLW2901 - the rest of it
        if piece:
            yield piece, part


def _part(name: str) -> str | None:
    words = [_PARTS.get(word) for word in re.findall("[a-z]+", name.lower())]
    return None if None in words else next((part for part in _RANK if part in words), None)


def capital(text: str) -> str:
    """The text with a capital, unless its first word has some already: ``vLLM``."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].islower() else text
