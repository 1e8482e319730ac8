"""Markup, made plain: HTML, JATS (the markup of journals) and MathML as text that one would type.

The result is never shown as HTML, because everything that shows it escapes it. So what counts is
not to lose any text: known tags are removed one by one, in linear time. An HTML parser would
swallow ``15<alpha<165`` and take minutes over 200,000 nested tags.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import html
import re
from collections.abc import Callable, Sequence

from newsletter.text.cleaning import clean

_SHORT = "a|b|i|p|q|s|u"
_BLOCKS = (
    "article|aside|address|blockquote|body|br|caption|center|dd|dir|div|dl|dt|fieldset|figcaption"
    "|figure|footer|form|frameset|h[1-6]|head|header|hr|html|legend|li|list-item|main|menu|nav"
    "|noframes|ol|optgroup|option|pre|section|select|table|tbody|td|textarea|tfoot|th|thead|title"
    "|tr|ul|jats:(?:p|sec|title|list-item)"
)
_INLINE = (
    "abbr|acronym|applet|area|audio|bdi|bdo|big|bold|button|canvas|cite|code|col|colgroup|del"
    "|details|dfn|em|embed|ext-link|font|frame|iframe|img|inf|inline-formula|input|ins|italic|kbd"
    "|label|link|mark|math|meta|monospace|named-content|nobr|noscript|object|param|picture"
    "|rp|rt|ruby|samp|sc|scp|script|small|source|span|strike|strong|style|styled-content|sub"
    "|summary|sup|svg|tex-math|time|tt|underline|var|video|wbr|xref|(?:jats|mml|ce|xhtml|o):[a-z-]+"
    "|m(?:i|n|o|s|text|space|row|frac|sqrt|root|style|error|padded|phantom|fenced|enclose|sub|sup"
    "|subsup|under|over|underover|multiscripts|table|tr|td)|semantics|annotation(?:-xml)?"
)
_ATTRIBUTES = r"""(?:"[^"]{0,2000}"|'[^']{0,2000}'|[^<>])*+"""
_TAG = re.compile(
    rf"<(?P<close>/?)(?P<name>{_SHORT}|{_BLOCKS}|{_INLINE})(?:\s*/)?>"
    # 'a <b and c> d' is text: a short tag counts only if its attribute has a value.
    rf"|<(?:{_SHORT})\s+[a-z:_-]+\s*=\s*{_ATTRIBUTES}>"
    rf"|<(?:{_BLOCKS}|{_INLINE}|!doctype)\s{_ATTRIBUTES}>"
    r"|<!\[CDATA\[|\]\]>",
    re.IGNORECASE,
)
_CUT_TAG = re.compile(
    rf"<(?:/[a-z:]{{0,12}}|(?:{_SHORT}|{_BLOCKS}|{_INLINE})\s+[a-z:_-]+\s*=\s*[\"'][^<>]*?)"
    r"(?=(?:…|\.\.\.)?\s*\Z)",
    re.IGNORECASE,
)
"""The end of a text that was cut within a tag."""

_OPENED = re.compile(r"(?<![^\s(>])<(?:[bi]>(?=[^\s<>])|p>(?=\s*(?-i:[A-Z])))", re.IGNORECASE)
"""Behind it, the text was cut before the closing tag; ``a<b>c`` and ``<s>`` are text."""

_BLOCK = re.compile(rf"</?(?:p|{_BLOCKS})\b(?!-)", re.IGNORECASE)
_PAIRED = frozenset("abiqsu")
_CLOSING = re.compile(r"</([abiqsu])\s*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_ESCAPED_AGAIN = re.compile(
    r"</(?:a|b|i|p|u|bold|div|em|italic|li|math|mml:math|scp|span|strong|sub|sup)>|<br ?/?>"
    r"|&(?:amp|lt|gt|quot|nbsp|#\d{1,7}|#x[0-9a-f]{1,6});|\]\]>",
    re.IGNORECASE,
)
"""What is left in a text whose markup was escaped twice."""

_ESCAPED_AT_MOST = 4
_SIGNS = {"+/-": "plusmn", "degrees": "deg", "degree": "deg", "micro": "micro", "sim": "sim"}
_GREEK = (
    "[Aa]lpha|[Bb]eta|[Gg]amma|[Dd]elta|[Ee]psilon|[Zz]eta|[Ee]ta|[Tt]heta|[Ii]ota|[Kk]appa|[Ll]ambda"
    "|[Mm]u|[Nn]u|[Xx]i|[Pp]i|[Rr]ho|[Ss]igma|[Tt]au|[Uu]psilon|[Pp]hi|[Cc]hi|[Pp]si|[Oo]mega"
)
_BRACED = re.compile(rf"(?<![$^_}}])\{{({_GREEK}|{'|'.join(map(re.escape, _SIGNS))})\}}")
"""How bioRxiv writes signs: ``{Delta}``; a text with backslashes has them from TeX."""

_WITHOUT_TEXT = tuple(
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (
        ("<!--", "-->"),
        (r"<script\b", r"</script\s*>"),
        (r"<style\b", r"</style\s*>"),
        (r"<annotation\b", r"</annotation\s*>"),  # the TeX beside a formula in MathML
    )
)


def strip_markup(markup: str) -> str:
    """The cleaned text of a string that may be HTML, with one space between its paragraphs.

    Only the tags of HTML, JATS and MathML are removed, and only entities that end in a semicolon
    are decoded. So ``15<alpha<165``, ``<think>`` and ``R&D`` stay. Markup that was escaped once
    more, or twice, is removed as well.
    """
    return clean(unmarked(markup))


def unmarked(markup: str) -> str:
    """The text of a string that may be HTML, not cleaned: an empty line parts its paragraphs."""
    for _ in range(_ESCAPED_AT_MOST):
        if "<" in markup or "&" in markup or "]]>" in markup:
            markup = _strip_once(markup)
        if not _ESCAPED_AGAIN.search(markup):
            break
    if "{" not in markup or "\\" in markup:
        return markup
    return _BRACED.sub(lambda sign: html.unescape(f"&{_SIGNS.get(sign[1], sign[1])};"), markup)


_MARKDOWN = re.compile(
    # opening marks stand before a word and not behind one, closing marks behind it: 2**3 has none
    r"(?<![\w*])\*\*\*?(?=[\w(+\"“])(?P<bold>[^*]{1,200}?)(?<=[\w).%\"”!?:;,])\*\*\*?(?!\*)"
    r"|(?<![\w*\\])\*(?=[A-Za-z\"“])(?P<italics>[^*]{1,100}?)(?<=[\w).\"”!?])\*(?![\w*])"
    r"|(?<![\w_])_(?=[A-Za-z])(?P<lined>[^_]{1,60}?)(?<=[\w.!?])_(?![\w_])"
    r"|(?<![\w_])__(?=[A-Za-z])(?P<strong>[^_]{1,99} [^_]{1,99}?)(?<=[\w.!?])__(?![\w_])"
    r"|(?<![\w`])`(?=\S)(?P<code>[^`]{1,60}?)(?<=\S)`(?![\w`])"
    r"|!?\[(?P<link>[^\[\]]{1,200})\]\(https?://[^\s()]{1,300}\)"
)
_ELEMENT = re.compile(
    r"<(?P<name>b|i|u|tt|em|strong|italic|bold|code|p)>(?P<text>[^<>]{1,300})</(?P=name)>"
)
"""Markup that a text has beside its Markdown; an opening tag alone is text, as ``<s>`` is."""

_MARK = re.compile(r"!?\[|[*_`]")  # trying _MARKDOWN only there saves most of the time
_MARKS = ("**", " *", "(*", " _", "(_", "`", "](")


def plain_markdown(text: str) -> str:
    """The text without the marks of Markdown for bold, italics, code and links, and without HTML's.

    Names stay as they are: ``__init__``, ``file_name``, ``2**3``, ``A* and D*``.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if "</" in text:
        text = _ELEMENT.sub(r"\g<text>", _SCRIPT.sub(_script_element, text))
    if not any(mark in text for mark in _MARKS) and text[:1] not in {"*", "_"}:
        return text
    parts: list[str] = []
    at = 0
    for start in _MARK.finditer(text):
        found = _MARKDOWN.match(text, start.start()) if start.start() >= at else None
        if found:
            parts += (text[at : found.start()], found[found.lastgroup or 0])
            at = found.end()
    return "".join((*parts, text[at:]))


def _strip_once(markup: str) -> str:
    if cut := _CUT_TAG.match(markup, max(0, markup.rfind("<"))):
        markup = markup[: cut.start()] + markup[cut.end() :]
    for opening, closing in _WITHOUT_TEXT:
        markup = _remove_between(markup, opening, closing)
    markup = _SCRIPT.sub(_script_element, _FORMULA.sub(_formula, markup))
    closed = {name.lower() for name in _CLOSING.findall(markup)}

    def replacement(tag: re.Match[str]) -> str:
        if (tag["name"] or "").lower() in _PAIRED - closed and not _OPENED.match(
            tag.string, tag.start()
        ):
            return tag[0]  # 'a<b>c' is no bold text
        return "\n\n" if _BLOCK.match(tag[0]) else ""

    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), _TAG.sub(replacement, markup))


def _remove_between(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """Remove everything from each opening to its closing; an unclosed opening stays."""
    kept, at = [], 0
    while (start := opening.search(text, at)) and (end := closing.search(text, start.end())):
        kept.append(text[at : start.start()])
        at = end.end()
    return "".join((*kept, text[at:]))


_SCRIPT = re.compile(
    r"<(?:(?:jats|ce|xhtml):)?(?P<kind>sub|sup|inf)(?:\s[^<>]*)?>"
    r"(?P<text>(?:[^<>]|</?(?:i|b|em|strong|italic|bold)>){1,80})"
    r"</(?:(?:jats|ce|xhtml):)?(?P=kind)\s*>",
    re.IGNORECASE,
)
_RAISED = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_LOWERED = dict(
    zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
_DECIMAL = re.compile(r"[-+−]?\d*[.,]\d+")


def _script_element(element: re.Match[str]) -> str:
    """An index in HTML. Words (``5<sup>th</sup>``) stay on the line, as one would type them."""
    text = strip_markup(element["text"])
    raised = element["kind"].lower() == "sup"
    if raised and _DECIMAL.fullmatch(text):
        return "^" + text
    return _in_unicode(text, _RAISED if raised else _LOWERED) or text


def _in_unicode(text: str, table: dict[str, str]) -> str:
    """The text in raised or lowered characters; empty if it has others, or is a word."""
    is_word = len(text) > 1 and any(character.isalpha() for character in text)
    if is_word or not all(character in table for character in text):
        return ""
    return "".join(table[character] for character in text)


_FORMULA = re.compile(
    r"<(?:\w{1,9}:)?math\b[^<>]*>(?:(?!</?(?:\w{1,9}:)?math\b).)*+</(?:\w{1,9}:)?math\s*>",
    re.DOTALL | re.IGNORECASE,
)
_PIECE = re.compile(
    r"<(?P<close>/?)(?:\w{1,9}:)?(?P<name>[a-z-]+)[^<>]*?(?P<empty>/?)>|[^<]+|<", re.IGNORECASE
)
_INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064")
_ACCENTS = {
    "¯": "\u0304",
    "‾": "\u0304",
    "^": "\u0302",
    "ˆ": "\u0302",
    "~": "\u0303",
    "˜": "\u0303",
    "→": "\u20d7",
    "˙": "\u0307",
    ".": "\u0307",
}


def _formula(formula: re.Match[str]) -> str:
    """A formula in MathML (W3C MathML 3, chapter 3) on one line: ``N₂``, ``x/(y+1)``, ``T_eff``."""
    open_elements: list[tuple[str, list[str]]] = [("math", [])]
    for piece in _PIECE.finditer(formula[0]):
        if piece["name"] is None:
            text = html.unescape(piece[0]).translate(_INVISIBLE).strip()
            open_elements[-1][1].extend([text] if text else [])
        elif not piece["close"]:
            open_elements.append((piece["name"].lower(), []))
        if (piece["close"] or piece["empty"]) and len(open_elements) > 1:
            name, children = open_elements.pop()
            open_elements[-1][1].append(_element(name, children))
    return "".join(part for _, children in open_elements for part in children)


def _element(name: str, children: Sequence[str]) -> str:
    if name == "mspace":
        return " "
    write = _ELEMENTS.get((name, len(children)))
    return write(*children) if write else "".join(children)


def _group(text: str) -> str:
    """The text in brackets, unless it is one name or number."""
    return text if re.fullmatch(r"[\w.]*|\(.*\)", text) else f"({text})"


def _lower(base: str, index: str) -> str:
    return base + (_in_unicode(index, _LOWERED) or (index and f"_{_group(index)}"))


def _raise(base: str, index: str) -> str:
    if index in {"′", "*", "∗", "†", "°", "∘"}:
        return base + index
    return base + (_in_unicode(index, _RAISED) or (index and f"^{_group(index)}"))


def _over(base: str, mark: str) -> str:
    accent = _ACCENTS.get(mark)
    return base + accent if accent and len(base) == 1 else _raise(base, mark)


_ELEMENTS: dict[tuple[str, int], Callable[..., str]] = {
    ("msub", 2): _lower,
    ("msup", 2): _raise,
    ("msubsup", 3): lambda base, low, high: _raise(_lower(base, low), high),
    ("munder", 2): _lower,
    ("mover", 2): _over,
    ("munderover", 3): lambda base, low, high: _raise(_lower(base, low), high),
    ("mfrac", 2): lambda above, below: f"{_group(above)}/{_group(below)}",
    ("msqrt", 1): lambda inside: f"√{_group(inside)}",
    ("mroot", 2): lambda inside, degree: f"{_in_unicode(degree, _RAISED)}√{_group(inside)}",
}
"""How an element with so many children is written; others are their children's text."""
