r"""TeX in titles and abstracts, shown as the plain text that a person would type.

Formulas become Unicode (``M$^3$ViT`` is M³ViT), as do accents, escaped signs, fonts, quotes,
dashes, links and footnotes. Citations and references are dropped; of a macro that nobody knows
(``\method``) its name stays. Formulas that lost dollars and backslashes on the way (``10^{19}``,
``mathcal{L}``, ``3times``) are read too. What is no TeX stays: ``$5 to $10``, ``R&D``,
``snake_case``, ``C:\new``.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata
from collections.abc import Callable

from newsletter.text.formulas import (
    ACCENTS,
    DECORATIONS,
    LATER_ARGUMENT,
    SWITCHES,
    SYMBOLS,
    formula,
    spoken,
)
from newsletter.text.kept import kept
from newsletter.text.markup import plain_markdown

_MARKS = ("\\", "$", "{", "~", "`", "''", "--", "times", "^", "x201")
"""Every text with TeX has one of these; most texts have none."""


def _braces(depth: int) -> str:
    """A pattern of an argument in braces, with so many levels of braces within."""
    within = f"|{_braces(depth - 1)}" if depth else ""
    return rf"\{{(?:[^{{}}\\]|\\.{within})*+\}}"


_BRACED = _braces(4)
_ACCENT = (
    r"\\(?:[\"'`^~=.]|[Hcvukrbd](?:(?=\{)|\s(?=[A-Za-z](?![A-Za-z]))))"
    r"(?:\{\\?[A-Za-z]\}|\\[ij](?![A-Za-z])|[A-Za-z])"
)
_START = re.compile(r"\\|\$|~|\{|_|\^|--|https?://")
"""Where TeX may begin. Trying :data:`_TEX` only there saves most of the time."""

_TEX = re.compile(
    r"(?P<path>(?:(?<=\W[A-Za-z]:)|(?<=^[A-Za-z]:)|\\\\\w[\w.-]*+)\\[\w.\\-]++(?!\{))"
    r"|(?P<address>https?://(?:[^\s\\${}]|\\[_%#&~])+)"
    r"|\$\$(?P<display>[^$]{1,300})\$\$"
    r"|(?<!\\)\$(?P<dollars>[^$]{0,300}[^$\\])\$(?P<next>(?=[^\W_]))?"
    r"|\\\((?P<round>[^$]{1,300}?)\\\)|\\\[(?P<square>[^$]{1,300}?)\\\]"
    r"|\\begin\{(?P<kind>equation|align|gather|displaymath|math)\*?\}(?P<environment>.{1,300}?)"
    r"\\end\{(?P=kind)\*?\}"
    rf"|(?P<accent>\{{{_ACCENT}\}}|{_ACCENT})"
    r"|\{?\\(?P<letter>ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?:\{\}|\}|(?![A-Za-z]))\s?"
    r"|\\(?P<sign>[%&#_{}$])|(?P<space>\\[,;:> ]|\\\\(?=\s|\Z))"
    r"|(?P<nothing>\\[-!@](?=\w)|(?<=\.)\\@)"
    r"|\\u(?P<code>(?![dD][89a-fA-F])[0-9a-fA-F]{4})(?![0-9a-fA-F])"
    r"|\\{1,2}(?P<macro>[A-Za-z]+)\*?(?:(?:\[[^\[\]{}]{0,80}\]){1,2}(?=\{))?"
    rf"(?:(?P<arguments>(?:\s?{_BRACED})(?:{_BRACED})*)|(?P<unclosed>\{{)?(?P<after>\s?))"
    rf"|(?=\{{\\[A-Za-z])(?P<group>{_BRACED})"
    rf"|(?<=[\w)\]}}])(?P<script>(?:[_^]{_BRACED})+)"
    r"|(?P<dash>(?:(?<=[\w$)\]”’%×])|(?<=\w[\"']))(?:---(?=\s?\w|[,.;:)])|(?<!xn)--(?=[\w$(“]))"
    r"|(?<=\s)---(?=\s|\w)|(?<=\s)--(?=\s|(?:an?|the|and|which|where)\s)|(?<=[a-z]{3})--(?=\s[a-z]))"
    r"|(?<=[\w)\]}])(?P<power>\^(?:-?\d{1,3}(?![\d.]*\d)|[A-Za-z](?![\w^])|[*†‡]))"
    r"|(?P<tie>(?<=[A-Za-z.)\]}$])~(?=[A-Za-z0-9($\\])|(?<=[0-9])~(?=[A-Za-z(]))"
)
_FORMULAS = ("display", "dollars", "round", "square", "environment")
_QUOTED = re.compile(
    r"(?<!`)``(?!`)([^`]{1,300}?)(?:''(?!')|[\"”])"
    r"|(?<![\w'])''(?=[\w<])([^']{1,200}?(?:'\w[^']{0,99}?)?)''(?!')|(?<![\w\"])\"([^\"']{1,99})''(?!')"
)
_SINGLE_QUOTED = re.compile(r"(?<![\w`])`(?=\w)([^`']{1,99}?)'(?!\w)")
_BARE_WORDS = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}|\A\d(?:[^=<>]*\s[A-Z]{1,3}|.*\s)\Z")
_WITH_WORDS = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
_MATH_MARK = re.compile(r"[\^_]|\A\s*[<>=]")
_NUMBER = re.compile(r"[+-]?[\d.,]*\d|.")
_BASE = re.compile(
    r"(?:(?<![\w/.{}-])[A-Za-z]{1,4}|\\[A-Za-z]+(?:\{[^{}]*\})?|[_^]\{[^{}]*\}|[^\Wa-zA-Z_]|[)\]])\Z"
)
"""What an index outside of a formula may belong to; ``file_name_{i}`` is none."""

_NAMES = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau"
    "|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Pi|Sigma|Phi|Psi|Omega|ell|sum|prod|int|nabla"
)
_SIGNS = "times|sim|approx|pm|cdot|leq|geq|rightarrow|leftarrow|infty|neq|propto"
_LOST_SIGN = re.compile(
    rf"([\d}}])(?:(?P<sign>{_SIGNS})(?![a-z])|(?:\^\{{?circ|\\deg)(?![A-Za-z])\}}?)"
)
_PRODUCT = re.compile(r"(?:(?<=\d)|(?<=_\w)) times (?=\d|\w_\w\b)")
_LOST_CODE = re.compile(r"(?<=[a-z])x(201[0-9])(?=[a-z])")
_BRACES = re.compile(r"\{(?:(?<=\w\{)()\}|(?<![\w\\^_}{$]\{)([A-Z]{2,}s?)\}(?![\w{_^]))")
"""Braces around nothing, ``REVEAL{}``, and around an acronym, ``{BERT}``."""

_LOST = re.compile(
    r"(?<![A-Za-z_\\/])(?:(?P<font>math(?:rm|bf|bb|cal|it|sf|tt|frak|scr)|text(?:bf|it|rm|sc|tt)?|emph|frac"
    rf"|sqrt|operatorname|boldsymbol)(?=\{{)|(?P<name>{_NAMES})(?=[_^]\{{))"
    rf"|(?<![A-Za-z_^\\])\{{(?P<braced>{_SIGNS}|{_NAMES})\}}"
    r"|(?<=[\w)}])\{(?P<joined>[,=<>+-])\}(?=[\w.])"
)
"""TeX that lost its dollars and backslashes on the way."""

_DROPPED = "\ufdd0"  # a noncharacter; no cleaned text has it
_AROUND_DROPPED = re.compile(
    rf"\s*[(\[]\s*{_DROPPED}(?:[,;\s]*{_DROPPED})*\s*[)\]]|\A{_DROPPED}\s*"
    rf"|\.\s*{_DROPPED}(?=\.)|\s*{_DROPPED}"
)
_REFERENCE = re.compile(
    r"[a-zA-Z]*cite[a-zA-Z]*|(?:eq|auto|page|name|[cC])?ref|label|[vh]space|color|begin|end|footnotemark"
)
_SPACED = frozenset({"ion", "qty", "SI"})  # \ion{H}{ii}, \qty{5}{m}
_MATH = re.compile(
    r"math[a-z]+|[dtc]?frac|sqrt|binom|pmod|operatorname|boldsymbol|unicode|bm|textsu(?:per|b)script"
)


_CITED = re.compile(
    r"\s(?:of|from|in|by|see|following)\s+\\cite[a-z]*\{[^{}]*\}(?=\s*[,.;)])"
)  # what a citation leaves behind, as in "the benchmark of, on a synthetic"


@kept(1024)
def tex_to_unicode(text: str) -> str:
    """The text with its TeX and Markdown as plain text; a text without them as it is."""
    return plain_markdown(_without_tex(text))


def _without_tex(text: str) -> str:
    if not any(mark in text for mark in _MARKS):
        return text
    shown = _LOST_SIGN.sub(lambda lost: lost[1] + SYMBOLS[lost["sign"] or "degree"], text)
    if " times " in shown:
        shown = _PRODUCT.sub(" × ", shown)
    if "x201" in shown:
        shown = _LOST_CODE.sub(lambda lost: chr(int(lost[1], 16)), shown)
    if "{" in shown:
        shown = _BRACES.sub(r"\1\2", _LOST.sub(_restore, shown))
    if "\\cite" in shown:
        shown = _CITED.sub("", shown)
    shown = _convert(shown)
    return text if shown == text else unicodedata.normalize("NFC", shown)


def _restore(lost: re.Match[str]) -> str:
    if lost["joined"]:
        return lost["joined"]
    return SYMBOLS[lost["braced"]] if lost["braced"] else "\\" + lost[0]


def _convert(text: str) -> str:
    parts: list[str] = []
    at = 0
    for start in _START.finditer(text):
        match = _TEX.match(text, start.start()) if start.start() >= at else None
        if match and (shown := _READERS[match.lastgroup or ""](match)) is not None:
            parts += (text[at : match.start()], shown)
            at = match.end()
    text = "".join((*parts, text[at:]))
    if "``" in text or "''" in text:
        text = _QUOTED.sub(r"“\1\2\3”", text)
    if "`" in text:
        text = _SINGLE_QUOTED.sub(r"‘\1’", text)
    return _AROUND_DROPPED.sub("", text) if _DROPPED in text else text


def _formula(match: re.Match[str]) -> str | None:
    source = next(part for part in match.group(*_FORMULAS) if part)
    if source == "--":
        return "–"
    return None if _is_prose(match, source) else formula(source) or " "


def _is_prose(match: re.Match[str], source: str) -> bool:
    """Whether the dollars are those of prices, as in ``$5-$10`` or "$5 or less, not A$"."""
    words = _BARE_WORDS.search(_WITH_WORDS.sub("", source))
    spaces = len(source) - len(source.strip())
    if "\\" in source.replace("\\%", "") or (_MATH_MARK.search(source) and spaces != 1):
        return bool(words and spaces)
    one_letter = re.fullmatch(r"\s\S\s", source)
    glued = match["next"] is not None and not _NUMBER.fullmatch(source)
    return bool(words or glued or (spaces and not one_letter))


def _accented(found: str) -> str:
    mark, letter = re.findall(r"[^{}\\\s]", found)
    return unicodedata.normalize("NFC", letter + ACCENTS[mark])


def _script(match: re.Match[str]) -> str:
    """An index outside of a formula, unless it may be a part of a file's name or a placeholder."""
    text = match.string
    before, after = text[max(0, match.start() - 40) : match.start()], text[match.end() :][:2]
    is_name = not _BASE.search(before) or re.match(r"\.\w|[/_{]", after)
    if match[0][0] == "_" and is_name:
        return match[0]
    return formula(f"{match[0]}x")[:-1] if after[:1].isalnum() else formula(match[0])


def _macro(match: re.Match[str]) -> str | None:
    r"""A macro outside of formulas and its arguments: ``\emph{text}``, ``\ours``, ``\cite{x}``."""
    name, arguments, after = match["macro"], match["arguments"], match["after"] or ""
    if arguments:
        shown = _with_arguments(name, match[0], arguments)
        if shown or (name.startswith(("text", "emph")) and name not in SYMBOLS):
            return shown
    if SWITCHES.fullmatch(name):
        return after if name == "xspace" else ""
    if name in SYMBOLS or name == "deg":  # arXiv writes {\deg} for a degree
        return SYMBOLS.get(name, "°") + after
    before = match.string[max(0, match.start() - 1) : match.start()]
    if match["unclosed"]:
        return " " * (before not in {"", " "}) + after
    is_name = len(name) > 1 and not before.isalpha() and before not in {*"\\/:._"}
    if not is_name:
        return None
    words = spoken(name)
    before = match.string[max(0, match.start() - 2) : match.start()]
    begins = before == ". " or (not before and match.end() < len(match.string))
    return (words.capitalize() if begins and words != name else words) + after


def _with_arguments(name: str, written: str, arguments: str) -> str:
    """What a macro shows of its arguments; the address of a link is not shown."""
    if _REFERENCE.fullmatch(name):
        return _DROPPED
    if _MATH.fullmatch(name) or name in DECORATIONS:
        return formula(written)
    first, *more = re.findall(_BRACED, arguments)
    if name == "url":
        return str(first[1:-1])
    if LATER_ARGUMENT.fullmatch(name) and more:
        first, *more = more
    if name in _SPACED:
        more = [" " + each[1:-1] for each in more]
    if name == "texorpdfstring":
        more = []
    shown = _convert("".join((first[1:-1], *more)))
    return f" ({shown})" if name == "footnote" and shown else shown


_READERS: dict[str, Callable[[re.Match[str]], str | None]] = {
    **dict.fromkeys((*_FORMULAS, "next"), _formula),
    **dict.fromkeys(("arguments", "after"), _macro),
    "path": lambda match: match[0],
    "address": lambda match: re.sub(r"\\(.)", r"\1", match[0]),
    "accent": lambda match: _accented(match[0]),
    "letter": lambda match: SYMBOLS[match["letter"]],
    "sign": lambda match: match["sign"],
    "group": lambda match: _convert(match["group"][1:-1]),
    "script": _script,
    "dash": lambda match: "—" if len(match[0]) > len("--") else "–",
    "power": lambda match: formula(f"^{{{match[0][1:]}}}"),
    "code": lambda match: chr(int(match["code"], 16)),
    "space": lambda _: " ",
    "tie": lambda _: " ",
    "nothing": lambda _: "",
}
"""How each piece of TeX becomes plain text, by the group of its pattern; None: it is no TeX."""
