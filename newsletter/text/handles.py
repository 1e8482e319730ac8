"""What a subject calls a paper: its handle, or its title cut at the end of a phrase."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re

from newsletter.text.shortening import ELLIPSIS, shorten

LONGEST_HANDLE = (32, 4)  # characters and words; a longer name before a colon is a clause

_SUBTITLE = re.compile(r"(?:: |：| [-–—]+ |(?<=[?!]) )(?=\S)")
_REPORT = re.compile(r"[ :,]+(?:a |the )?(?:technical|system) report$", re.IGNORECASE)
_KINDS = re.compile(
    r"(?:a |an )?(?:(?:position|perspective|survey|review|tutorial|opinion|comment|editorial"
    r"|viewpoint|research|technical|extended abstract|case|systematic|short)[ -]?)+"
    r"(?:paper|report|note|article)?",
    re.IGNORECASE,
)
"""What a paper is, where a title begins with it and a colon."""

_NO_NAME = re.compile(
    r"(?:towards?|on|from|when|while|beyond|what|how|why|where|which|who|is|are|do|does|did|can"
    r"|could|should|would|will|if|in|not|a|an|revisiting|rethinking|understanding|exploring"
    r"|investigating)\b",
    re.IGNORECASE,
)
"""How a clause begins."""

_NOTICE = re.compile(
    r"(?:(?:author|publisher|editorial) )?(?:correction|corrigendum|erratum|addendum|retraction)"
    r"|(?:reply|response) to",
    re.IGNORECASE,
)
"""How a notice about another paper begins: it keeps its title."""

_PREPOSITIONS = (
    "for|in|on|with|via|from|by|under|through|using|at|against|across|into|towards?|over|between"
    "|among|within|without|beyond|during|based"
)
_JOINT = re.compile(f" (?=(?:{_PREPOSITIONS}) )", re.IGNORECASE)
"""Where a title can be cut: what is before a preposition can stand alone."""

_DANGLING = re.compile(
    rf"(?:^|[ ,;:]+)(?:{_PREPOSITIONS}|an?|and|as|or|of|that|the|to)$", re.IGNORECASE
)
"""The end of a title that was cut within a phrase."""

_SENTENCE = re.compile(
    r"(?:^(?:do|does|did|how|what|why|when|if)|\b(?:is|are|be|can|cannot|could|should|would|will|must))\b",
    re.IGNORECASE,
)
"""Found in a title that is a sentence or a question: cut silently, it would say something else."""

_LEAST_CUT = (20, 3)  # characters and words of a cut title, so that no "Deep Learning" is


def handle(title: str) -> str:
    """The name before the colon of a title where it is one, such as ``ClawGym II``; else empty.

    A clause, a kind of paper ("A Survey") and a long phrase are none.
    """
    name, *rest = map(_without_report, _SUBTITLE.split(_without_report(title), maxsplit=1))
    words, (longest, most) = name.split(), LONGEST_HANDLE
    is_name = (rest or len(words) == 1) and len(name) <= longest and len(words) <= most
    if not is_name or not name[:1].isalnum() or "," in name or name[-1] in "?!":
        return ""
    no_names = (_NO_NAME.match(name), _NOTICE.match(name), _KINDS.fullmatch(name))
    return "" if any(no_names) else name


def short_title(title: str, most: int) -> str:
    """A title in ``most`` characters: its handle, its main title, or what ends with a phrase."""
    if name := handle(title):
        return name
    main, *rest = map(_without_report, _SUBTITLE.split(_without_report(title), maxsplit=1))
    if rest and _KINDS.fullmatch(main):
        main = rest[0]
    if _NOTICE.match(title):
        main = title
    return main if len(main) <= most else _cut_at_phrase(main, most) or _cut_at_word(main, most)


def _without_report(title: str) -> str:
    return _REPORT.sub("", title)


def _cut_at_phrase(title: str, most: int) -> str:
    """The longest beginning of a title that ends before a preposition; empty if there is none."""
    if _SENTENCE.search(title):
        return ""
    least, words = _LEAST_CUT
    cuts = (match.start() for match in _JOINT.finditer(title))
    best = title[: max((at for at in cuts if least <= at <= most), default=0)].rstrip(",;:")
    count = sum(word.lower() not in {"a", "an"} for word in best.split())
    return "" if count < words or _DANGLING.search(best) else best


def _cut_at_word(title: str, most: int) -> str:
    """As many words of a title as fit, without a preposition or an article at the end."""
    cut = shorten(title, most)
    head = cut.removesuffix(ELLIPSIS)
    while (shorter := _DANGLING.sub("", head)) != head:
        head = shorter
    return head + ELLIPSIS if head else cut
