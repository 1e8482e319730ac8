r"""TeX in titles and abstracts, converted to Unicode only where the result is certain.

It converts accents (``\'e``), escaped signs (``\%``), font macros around text (``\emph{…}``),
ties between words (``Fig.~3``), and formulas of known macros whose indices exist in Unicode
(``M$^3$ViT``). Everything else stays as it is: ``$5 to $10``, ``R&D``, ``\framework``.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text, get_default_latex_context_db

_UNICODE = LatexNodes2Text(math_mode="text", keep_comments=True, strict_latex_spaces=False)

_STYLES = r"\\(?:text(?:bf|it|tt|sc|rm|sf|sl|up|md|normal)?|emph|mbox|uline|underline)\s?\{"

_WORDS = {
    "ldots": "…",
    "dots": "…",
    "textgreater": ">",
    "textless": "<",
    "textasciitilde": "~",
    "textendash": "–",
    "textemdash": "—",
    "textdegree": "°",
    "textregistered": "®",
    "texttrademark": "™",
}
"""Characters with a macro of their own outside formulas."""

_TEX = re.compile(
    r"(?P<formula>(?<![\\$])\$(?P<dollars>[^\s$\\]|[^\s$][^$]{0,300}[^\s$\\])\$(?P<digit>(?=\d))?(?!\$)"
    r"|\\\((?P<round>[^$]{1,300}?)\\\)|\\\[(?P<square>[^$]{1,300}?)\\\])"
    r"|(?P<letter>\{\\[\"'`^~=.]\{?(?:\\[ij]|[A-Za-z])\}?\}|\\[\"'`^~=.](?:\{(?:\\[ij]|[A-Za-z])\}"
    r"|\\[ij](?![A-Za-z])|[A-Za-z])"
    r"|\\[Hcvukrbd](?:\{(?:\\[ij]|[A-Za-z])\}|\s[A-Za-z](?![A-Za-z]))"
    r"|\{?\\(?:ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?:\{\}|\}|(?![A-Za-z]))\s?)"
    r"|\\(?P<sign>[%&#_{}$])"
    rf"|{_STYLES}(?P<styled>(?:[^{{}}\\$]|\\[%&#_$]|\$[^$]{{1,100}}\$|{_STYLES}[^{{}}\\$]*\}})*)\}}"
    r"|\{\\(?:em|bf|it|tt|sc|rm|sf|sl)\s+(?P<switched>[^{}\\$]*)\}"
    r"|\{\\(?P<symbol>[A-Za-z]+)\}"
    r"|\\url\{(?P<url>[^{}\s]*)\}|\\href\{[^{}\s]*\}\{(?P<linked>[^{}\\$]*)\}"
    rf"|\\(?P<word>{'|'.join(_WORDS)})"
    r"(?:\{\}|(?![A-Za-z]))"
    r"|(?<=[A-Za-z.)])~(?=[A-Za-z0-9($\\])|(?<=[0-9])~(?=[A-Za-z(])"
    r"|``(?P<quoted>[^`'$\\]{1,300})''"
)
_SIGNS = re.compile(r"[\\$~]|``")
_SCRIPT = re.compile(r"([\^_])\s*(?:\{([^{}]*)\}|(\\[A-Za-z]+)|([^\s{}\\]))")
_MACRO = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_MACRO_WITH_WORDS = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
_ENDING_MACRO = re.compile(r"\\[A-Za-z]+\Z")
_SPACED = re.compile(r"\\([A-Za-z]+)\s+")
_FORMULAS = ("dollars", "round", "square")
_BRACKET_SIZE = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?=[\s()\[\]|\\/.])\.?")
_OPERATOR = re.compile(r"\\operatorname\*?\s*\{")
_BEFORE_LETTER = re.compile(r"(\\[A-Za-z]+)(?=[^\W\d_A-Za-z])")
"""A macro before a letter that is not ASCII; the parser would add the letter to its name."""

_FRACTION = re.compile(r"\\frac(?![a-z])")
_SIMPLE_FRACTION = re.compile(r"\\frac\s*(?:\{(?:\w+|\\[A-Za-z]+)\}\s*){2}")
_UNCONVERTED = re.compile(r"[\\^_]")
_BARE_WORDS = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_BALANCED = re.compile(r"(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\])*+\})*+\})*+", re.DOTALL)
_ARGUMENT = re.compile(r"\s*(?:\{[^}]|[^\W_]|\\([A-Za-z]+))")

_SYMBOLS = frozenset(
    spec.macroname
    for spec in get_default_latex_context_db().iter_macro_specs()
    if isinstance(spec.simplify_repl, str) and not re.search("[%<]", spec.simplify_repl)
) - {"today"} | {"%"}  # "today" would read the clock; "%" was excluded by the search above
_DECORATIONS = re.compile(
    r"(?:math(?:rm|bf|it|sf|bb|tt|cal|scr|frak)|text(?:rm|it|bf|sc|sl)?|emph|hat|bar|tilde|vec|d?dot"
    r"|check|breve|sqrt|frac)"
)

_SUPERSCRIPT = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ⊤∗*'′∘°,",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡᵀ**′′°°ʼ",
)
_SUBSCRIPT = str.maketrans(
    "0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"
)


class _UnsureError(Exception):
    """The formula has no certain form in Unicode."""


@lru_cache(maxsize=8192)
def tex_to_unicode(text: str) -> str:
    """The text with its TeX in Unicode; uncertain TeX stays as it is."""
    if not _SIGNS.search(text):
        return text
    return unicodedata.normalize("NFC", _TEX.sub(_convert_match, text))


def _convert_match(match: re.Match[str]) -> str:
    """One piece of TeX in Unicode; as it is if uncertain."""
    try:
        return _to_unicode(match[0].strip()) if match["letter"] else _convert(match)
    except _UnsureError:
        return match[0]


def _convert(match: re.Match[str]) -> str:
    if match["formula"]:
        return _formula(match)
    if match["symbol"]:  # a symbol in braces, outside a formula
        if match["symbol"] not in _SYMBOLS:
            raise _UnsureError
        return _to_unicode(match[0]) or match[0]
    if match[0] == "~" or match["word"]:
        return _WORDS.get(match["word"], " ")
    if match["quoted"]:
        return f"“{match['quoted']}”"
    if match["styled"] is not None:
        return _TEX.sub(_convert_match, match["styled"])
    kept = (match["sign"], match["switched"], match["url"], match["linked"])
    return next(part for part in kept if part is not None)


def _formula(match: re.Match[str]) -> str:
    """A formula in Unicode, unless it has an unknown macro, an index Unicode lacks, or prose."""
    source = next(part for part in match.group(*_FORMULAS) if part).strip()
    if match["digit"] is not None and "\\" not in source:  # "$5-$10" are two prices
        raise _UnsureError
    source = _BEFORE_LETTER.sub(r"\1 ", _simplify(source))
    _check(source)
    result = _to_unicode(_SPACED.sub(_keep_space, _SCRIPT.sub(_script, source))).strip()
    if not result or _UNCONVERTED.search(result):
        raise _UnsureError
    return result


def _simplify(source: str) -> str:
    """Remove the commands for the size of brackets and the font of names."""
    source = _BRACKET_SIZE.sub("", source)
    return _OPERATOR.sub(r"\\mathrm{", source).replace("\\|", "‖").replace("\\colon", ":")


def _check(source: str) -> None:
    prose = _BARE_WORDS.search(_MACRO_WITH_WORDS.sub("", source))
    fractions = len(_FRACTION.findall(source)) != len(_SIMPLE_FRACTION.findall(source))
    known = all(_is_known(macro) for macro in _MACRO.finditer(source))
    if prose or fractions or not known or not _BALANCED.fullmatch(source):
        raise _UnsureError


def _is_known(macro: re.Match[str]) -> bool:
    """Whether it is a symbol, or a decoration (a hat, a root) with an argument."""
    if not _DECORATIONS.fullmatch(macro[1]):
        return macro[1] in _SYMBOLS
    on = _ARGUMENT.match(macro.string, macro.end())
    return on is not None and (on[1] is None or on[1] in _SYMBOLS)


def _keep_space(match: re.Match[str]) -> str:
    r"""Keep the space after a macro without arguments: ``n \log n`` becomes "n log n"."""
    return f"\\{match[1]}{{}} " if match[1] in _SYMBOLS else match[0]


def _script(match: re.Match[str]) -> str:
    """An index in superscript or subscript characters."""
    script, grouped, macro, single = match.groups()
    if macro and macro[1:] not in _SYMBOLS:
        raise _UnsureError
    content = _to_unicode(next(part for part in (grouped, macro, single) if part is not None))
    table = _SUPERSCRIPT if script == "^" else _SUBSCRIPT
    if not content or not all(ord(character) in table for character in content):
        raise _UnsureError
    # Without the braces the index would become a part of the macro's name.
    apart = "{}" if _ENDING_MACRO.search(match.string, 0, match.start()) else ""
    return apart + content.translate(table)


def _to_unicode(source: str) -> str:
    """TeX of known macros in Unicode."""
    return str(_UNICODE.latex_to_text(source))
