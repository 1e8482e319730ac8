r"""TeX as people write it in titles and abstracts, shown in Unicode where that is sure.

Sure are accents (``\'e``), escaped signs (``\%``), font macros around text (``\emph{…}``), and
formulas whose every macro is known and whose every index exists in Unicode (``M$^3$ViT``).
Everything else stays as it is written: ``$5 to $10``, ``R&D``, ``\framework``.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text, get_default_latex_context_db

_UNICODE = LatexNodes2Text(math_mode="text", keep_comments=True, strict_latex_spaces=False)

_TEX = re.compile(
    r"(?P<formula>(?<![\\$])\$(?P<dollars>[^\s$\\]|[^\s$][^$]{0,300}[^\s$\\])\$(?P<digit>(?=\d))?(?!\$)"
    r"|\\\((?P<round>[^$]{1,300}?)\\\)|\\\[(?P<square>[^$]{1,300}?)\\\])"
    r"|(?P<letter>\{\\[\"'`^~=.]\{?(?:\\[ij]|[A-Za-z])\}?\}|\\[\"'`^~=.](?:\{(?:\\[ij]|[A-Za-z])\}"
    r"|\\[ij](?![A-Za-z])|[A-Za-z])"
    r"|\\[Hcvukrbd](?:\{(?:\\[ij]|[A-Za-z])\}|\s[A-Za-z](?![A-Za-z]))"
    r"|\{?\\(?:ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?:\{\}|\}|(?![A-Za-z]))\s?)"
    r"|\\(?P<sign>[%&#_{}$])"
    r"|\\(?:text(?:bf|it|tt|sc|rm|sf|sl|up|md|normal)?|emph|mbox|uline|underline)"
    r"\s?\{(?P<styled>(?:[^{}\\$]|\$[^$]{1,100}\$)*)\}"
    r"|\{\\(?:em|bf|it|tt|sc|rm|sf|sl)\s+(?P<switched>[^{}\\$]*)\}"
    r"|\{\\(?P<symbol>[A-Za-z]+)\}"
    r"|\\url\{(?P<url>[^{}\s]*)\}"
    r"|``(?P<quoted>[^`'$\\]{1,300})''"
)
_SCRIPT = re.compile(r"([\^_])\s*(?:\{([^{}]*)\}|(\\[A-Za-z]+)|([^\s{}\\]))")
_MACRO = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_MACRO_WITH_WORDS = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
_SPACED = re.compile(r"\\([A-Za-z]+)\s+")
_FRACTION = re.compile(r"\\frac(?![a-z])")
_SIMPLE_FRACTION = re.compile(r"\\frac\s*(?:\{(?:\w+|\\[A-Za-z]+)\}\s*){2}")
_LEFT_OVER = re.compile(r"[\\^_]")
_BARE_WORDS = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_BALANCED = re.compile(r"(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\])*+\})*+\})*+", re.DOTALL)
_ARGUMENT = re.compile(r"\s*(?:\{[^}]|[A-Za-z0-9]|\\([A-Za-z]+))")

_SYMBOLS = frozenset(
    spec.macroname
    for spec in get_default_latex_context_db().iter_macro_specs()
    if isinstance(spec.simplify_repl, str) and not re.search("[%<]", spec.simplify_repl)
) - {"today"} | {"%"}  # the one would read the clock, the other is left out as a pattern is
_SHAPES = re.compile(
    r"(?:math(?:rm|bf|it|sf|bb|tt|cal|scr|frak)|text(?:rm|it|bf|sc|sl)?|emph|hat|bar|tilde|vec|d?dot"
    r"|check|breve|sqrt|frac)"
)

_RAISED = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ⊤∗*'′∘°,",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡᵀ**′′°°ʼ",
)
_LOWERED = str.maketrans(
    "0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"
)


class _UnsureError(Exception):
    """A formula that Unicode cannot show for sure."""


@lru_cache(maxsize=8192)
def display(text: str) -> str:
    """The text as people should see it: TeX in Unicode where that is sure, else as written."""
    if "\\" not in text and "$" not in text and "``" not in text:
        return text
    return unicodedata.normalize("NFC", _TEX.sub(_shown, text))


def _shown(match: re.Match[str]) -> str:
    """One piece of TeX in Unicode, or as written."""
    try:
        return _converted(match[0].strip()) if match["letter"] else _set(match)
    except _UnsureError:
        return match[0]


def _set(match: re.Match[str]) -> str:
    if match["formula"]:
        return _formula(match)
    if match["symbol"]:
        return _symbol(match)
    if match["quoted"]:
        return f"“{match['quoted']}”"
    if match["styled"] is not None:
        return _TEX.sub(_shown, match["styled"])
    kept = (match["sign"], match["switched"], match["url"])
    return next(part for part in kept if part is not None)


def _symbol(match: re.Match[str]) -> str:
    r"""A sign in brackets, outside a formula: ``{\epsilon}``.

    Raises:
        _UnsureError: it is none we know.
    """
    if match["symbol"] not in _SYMBOLS:
        raise _UnsureError
    return _converted(match[0]) or match[0]


def _formula(match: re.Match[str]) -> str:
    """A formula in Unicode.

    Raises:
        _UnsureError: it holds a macro we do not know, an index that Unicode lacks, or prose.
    """
    source = next(part for part in match.group("dollars", "round", "square") if part).strip()
    if match["digit"] is not None and "\\" not in source:  # "$5-$10" are two prices
        raise _UnsureError
    _check(source)
    shown = _converted(_SPACED.sub(_spaced, _SCRIPT.sub(_script, source))).strip()
    if not shown or _LEFT_OVER.search(shown):
        raise _UnsureError
    return shown


def _check(source: str) -> None:
    prose = _BARE_WORDS.search(_MACRO_WITH_WORDS.sub("", source))
    fractions = len(_FRACTION.findall(source)) != len(_SIMPLE_FRACTION.findall(source))
    known = all(_is_known(macro) for macro in _MACRO.finditer(source))
    if prose or fractions or not known or not _BALANCED.fullmatch(source):
        raise _UnsureError


def _is_known(macro: re.Match[str]) -> bool:
    """Whether it is a symbol, or a shape such as a hat with something to put it on."""
    if not _SHAPES.fullmatch(macro[1]):
        return macro[1] in _SYMBOLS
    on = _ARGUMENT.match(macro.string, macro.end())
    return on is not None and (on[1] is None or on[1] in _SYMBOLS)


def _spaced(match: re.Match[str]) -> str:
    r"""Keep the space after a macro that takes nothing: ``n \log n`` is read "n log n"."""
    return f"\\{match[1]}{{}} " if match[1] in _SYMBOLS else match[0]


def _script(match: re.Match[str]) -> str:
    """An index, raised or lowered."""
    script, grouped, macro, single = match.groups()
    if macro and macro[1:] not in _SYMBOLS:
        raise _UnsureError
    content = _converted(next(part for part in (grouped, macro, single) if part is not None))
    table = _RAISED if script == "^" else _LOWERED
    if not content or not all(ord(character) in table for character in content):
        raise _UnsureError
    return content.translate(table)


def _converted(source: str) -> str:
    """TeX whose macros are known, in Unicode."""
    return str(_UNICODE.latex_to_text(source))
