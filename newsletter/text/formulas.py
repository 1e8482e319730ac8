r"""Formulas of TeX as plain Unicode text: ``\frac{a+b}{c}`` is (a+b)/c, ``x_{ij}`` is xᵢⱼ.

An index that Unicode lacks keeps its mark (``T_eff``, ``n^(2/3)``). Of an unknown macro, the name
or the argument is shown. So every formula has a readable form; no macro is ever executed.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata

from pylatexenc.latex2text import get_default_latex_context_db

SYMBOLS = {
    spec.macroname: spec.simplify_repl.strip() or spec.simplify_repl[:1]
    for spec in get_default_latex_context_db().iter_macro_specs()
    if isinstance(spec.simplify_repl, str) and not re.search("[%<]", spec.simplify_repl)
}
"""Macros without arguments, and the character or name that each stands for."""

del SYMBOLS["today"], SYMBOLS["hspace"]
SYMBOLS |= {
    "%": "%",
    "|": "‖",
    "ne": "≠",
    "neq": "≠",
    "prime": "′",
    "colon": ":",
    "bmod": "mod",
    "iff": "⇔",
    "implies": "⇒",
    "degree": "°",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "ie": "i.e.",
    "eg": "e.g.",
    "etal": "et al.",
    "item": "•",
    "upmu": "μ",
    "neg": "¬",
    "models": "⊨",
    "triangle": "△",
    "ddagger": "‡",
    "coloneqq": ":=",
    "S": "§",
    "copyright": "©",
    "pounds": "£",
    "euro": "€",
} | dict.fromkeys(("\\", " ", ",", ";", ":", ">", "space", "newline", "qquad", "quad"), " ")
SWITCHES = re.compile(
    r"em|bf|it|tt|sc|rm|sf|sl|cal|bfseries|itshape|ttfamily|tiny|scriptsize|footnotesize|small"
    r"|normalsize|large|Large|noindent|centering|displaystyle|textstyle|limits|nolimits|left|right"
    r"|middle|[bB]igg?[lrm]?|math(?:bin|rel|op|ord|open|close)|smash|protect|xspace|[!/@-]"
)
"""Macros that say how the rest looks; nothing of them is shown."""

LATER_ARGUMENT = re.compile(
    "textcolor|colorbox|href|hyperlink|hyperref|foreignlanguage|overset|underset|stackrel"
)
"""Macros whose first argument (a color, an address) is not shown, only the second."""

ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    "H": "\u030b",
    "c": "\u0327",
    "v": "\u030c",
    "u": "\u0306",
    "k": "\u0328",
    "r": "\u030a",
    "b": "\u0331",
    "d": "\u0323",
}
"""Accents over a letter of ordinary text."""

DECORATIONS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0304",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "vec": "\u20d7",
    "dot": "\u0307",
    "ddot": "\u0308",
    "check": "\u030c",
    "breve": "\u0306",
    "not": "\u0338",
}
_DOUBLE_STRUCK = str.maketrans("CHNPQRZABDEFGIJKLMOSTUVWXY1", "ℂℍℕℙℚℝℤ𝔸𝔹𝔻𝔼𝔽𝔾𝕀𝕁𝕂𝕃𝕄𝕆𝕊𝕋𝕌𝕍𝕎𝕏𝕐𝟙")
_SUPERSCRIPT = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ⊤∗*'′∘°†‡⋆",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡᵀ**′′°°†‡⋆",
)
_SUBSCRIPT = str.maketrans(
    "0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"
)
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)
_FRACTION = re.compile("[dtc]?frac|nicefrac")
_FORMS = {"begin": " ", "end": " ", "binom": "({} choose {})", "pmod": " (mod {})"}
_EMPTY_BRACKET = re.compile(r"\\(?:left|right)\s*\.")
_WORD = re.compile(r"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*|.", re.DOTALL)
_FACTOR = re.compile(r"\w*(?:\([^()]*\)|\w|[^\w\s+−–/-])")
_FONTS = ("math", "text", "bold", "operatorname", "bm", "mbox", "pmb")
_MAX_DEPTH = 20
"""Groups within groups; what is deeper is shown without its braces and marks."""


def formula(source: str) -> str:
    """The formula between two dollars as plain text, composed (NFC)."""
    text = _Reader(_EMPTY_BRACKET.sub("", source)).sequence()
    return unicodedata.normalize("NFC", " ".join(text.split()))


class _Reader:
    """Reads the tokens of one formula from left to right."""

    def __init__(self, source: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(source)
        self._at = 0
        self._depth = 0

    def sequence(self, end: str = "") -> str:
        """Everything up to ``end``, or to the end of the formula."""
        parts = []
        while (taken := self._take()) and taken != end:
            parts.append(self._atom(taken))
        return "".join(parts)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _atom(self, read: str) -> str:
        self._depth += 1
        text = self._read(read) if self._depth <= _MAX_DEPTH else read.strip("\\{}^_")
        self._depth -= 1
        return text

    def _read(self, piece: str) -> str:
        if piece == "{":
            return self.sequence("}")
        if piece in {"^", "_"}:
            return self._script(piece)
        if piece[0] == "\\" and piece != "\\":
            return self._macro(piece[1:].rstrip("*") or "*")
        return {"}": "", "$": "", "~": " ", "&": " ", "'": "′", "\\": ""}.get(piece, piece)

    def _argument(self) -> str:
        while self._peek().isspace():
            self._at += 1
        token = self._take()
        return self._atom(token) if token else ""

    def _script(self, mark: str) -> str:
        """An index in superscript or subscript characters; a word, or what Unicode lacks, as _x."""
        content = self._argument().strip()
        table = _SUPERSCRIPT if mark == "^" else _SUBSCRIPT
        is_word = re.fullmatch("[A-Za-z]{3,}", content)
        if not is_word and all(ord(character) in table for character in content):
            return content.translate(table)
        glued = content.isalnum() and self._peek()[:1].isalnum()
        alone = _WORD.fullmatch(content) and not glued
        return f"{mark}{content}" if alone else f"{mark}({content})"

    def _macro(self, name: str) -> str:
        if _FRACTION.fullmatch(name):
            return f"{_factor(self._argument())}/{_factor(self._argument())}"
        if form := _FORMS.get(name):
            return form.format(self._argument(), *(self._argument() for _ in form.split("{}")[2:]))
        if name == "sqrt":
            return self._root()
        if name in {"mathbb", "mathds"}:
            return self._argument().translate(_DOUBLE_STRUCK)
        if name in {"textsuperscript", "textsubscript"}:
            return self._script("^" if name == "textsuperscript" else "_")
        return self._other_macro(name)

    def _other_macro(self, name: str) -> str:
        if SWITCHES.fullmatch(name):
            return ""
        if name in SYMBOLS:
            return self._symbol(SYMBOLS[name])
        if LATER_ARGUMENT.fullmatch(name):
            self._argument()
        elif name not in DECORATIONS and self._peek() != "{" and not name.startswith(_FONTS):
            return self._symbol(spoken(name))
        argument = unicodedata.normalize("NFC", self._argument())
        if name == "unicode":
            return _character(argument)
        return argument + DECORATIONS.get(name, "") if len(argument) == 1 else argument

    def _symbol(self, symbol: str) -> str:
        """A symbol without the space after its macro, or a name (log) apart from other letters."""
        before = self._tokens[self._at - 2][-1] if self._at > 1 else ""
        if len(symbol) > 1:
            after = SYMBOLS.get(self._peek()[1:], self._peek())[:1]
            return " " * before.isalnum() + symbol + " " * after.isalnum()
        operand = "".join(self._tokens[self._at + 1 : self._at + 2])
        skips = operand.isalnum() if symbol.isalpha() else symbol != ":"
        if self._peek().isspace() and before not in {" ", "^", "_"} and skips:
            self._at += 1
        return symbol

    def _root(self) -> str:
        degree = ""
        if self._peek() == "[":
            self._at += 1
            degree = self.sequence("]")
        sign = {"3": "∛", "4": "∜"}.get(degree, degree.translate(_SUPERSCRIPT) + "√")
        on = self._argument().strip()
        return sign + (on if len(on) == 1 or on.isdecimal() else f"({on})")


def spoken(name: str) -> str:
    r"""An author's own macro as words: ``\ourmethod`` is "our method"; others are their names."""
    own = _OWN.fullmatch(name)
    return f"our {(own['thing'] or own['named'] or 'method').lower()}" if own else name


_OWN = re.compile(
    r"[oO]urs|[oO]ur(?P<thing>[A-Za-z]{3,})|(?P<named>method|model|system|dataset|benchmark|framework)[nN]ame"
)


def _factor(text: str) -> str:
    """One side of a fraction, in parentheses if it has more than one part."""
    text = text.strip()
    return text if _FACTOR.fullmatch(text) else f"({text})"


def _character(number: str) -> str:
    r"""The character that ``\unicode{x2014}`` means; the number itself if there is none."""
    try:
        return chr(int(number.replace("x", "0x", 1), 0))
    except (ValueError, OverflowError):
        return number
