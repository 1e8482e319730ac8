"""From what may be HTML to plain text.

The text is never shown as HTML (everything that sets it escapes it), so what counts here is not
to lose any of it: tags are taken away one by one, in linear time, and only those that we know.
An HTML parser would swallow ``15<alpha<165`` and take minutes over 200,000 nested tags.
"""

import html
import re

from newsletter.text.cleaning import clean

_SHORT = "a|b|i|p|q|s|u"
_BLOCKS = (
    "article|aside|blockquote|body|br|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form"
    "|h[1-6]|head|header|hr|html|li|main|nav|ol|option|pre|section|select|table|tbody|td|textarea"
    "|tfoot|th|thead|title|tr|ul|jats:(?:p|sec|title|list-item)"
)
_INLINE = (
    "abbr|acronym|audio|bdi|bdo|big|button|cite|code|del|details|dfn|em|embed|font|iframe|img"
    "|input|ins|italic|kbd|label|link|math|meta|noscript|object|samp|script|small|source|span"
    "|strike|strong|style|sub|summary|sup|svg|time|tt|var|video|wbr|(?:jats|mml):[a-z-]+"
)
_ATTRIBUTES = r"""(?:"[^"]{0,2000}"|'[^']{0,2000}'|[^<>])*+"""
_TAG = re.compile(
    rf"</?(?:{_SHORT}|{_BLOCKS}|{_INLINE})(?:\s*/)?>"
    # 'a <b and c> d' is no tag: an attribute of a short one must have a value.
    rf"|<(?:{_SHORT})\s+[a-z:_-]+\s*=\s*{_ATTRIBUTES}>"
    rf"|<(?:{_BLOCKS}|{_INLINE}|!doctype)\s{_ATTRIBUTES}>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_SILENT = (
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<script\b", re.IGNORECASE), re.compile(r"</script\s*>", re.IGNORECASE)),
    (re.compile(r"<style\b", re.IGNORECASE), re.compile(r"</style\s*>", re.IGNORECASE)),
)


def plain(markup: str) -> str:
    """The text of what may be HTML, cleaned; text that is not HTML comes back as itself.

    Only tags that HTML, or the journals' JATS, knows are markup, and only entities that end in a
    semicolon, so ``15<alpha<165``, ``<think>`` and ``R&D`` stay.
    """
    for opening, closing in _SILENT:
        markup = _without(markup, opening, closing)
    return clean(_ENTITY.sub(_character, _TAG.sub(_gap, markup)))


def _without(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """The text less all that stands from an opening to its closing."""
    kept, at = [], 0
    while (start := opening.search(text, at)) and (end := closing.search(text, start.end())):
        kept.append(text[at : start.start()])
        at = end.end()
    return "".join((*kept, text[at:]))


def _gap(tag: re.Match[str]) -> str:
    """What a tag leaves behind: a paragraph's end parts words, an italic's does not."""
    return " " if _BLOCK.match(tag[0]) else ""


_BLOCK = re.compile(rf"</?(?:p|{_BLOCKS})\b", re.IGNORECASE)


def _character(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])
