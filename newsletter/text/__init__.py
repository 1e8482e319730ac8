"""Text from outside, made fit to show: cleaned, freed of markup and TeX, shortened, compared.

Every function here is pure, accepts any string, and never raises.
"""

from newsletter.text.bylines import byline
from newsletter.text.cleaning import clean, fold, http_url
from newsletter.text.dates import find_day, find_month
from newsletter.text.gist import find_gist
from newsletter.text.handles import handle, short_title
from newsletter.text.languages import direction, language
from newsletter.text.markup import strip_markup, unmarked
from newsletter.text.sentences import split_sentences
from newsletter.text.shortening import ELLIPSIS, authors_line, shorten
from newsletter.text.tex import tex_to_unicode
from newsletter.text.words import (
    find_written,
    literal_text,
    name_phrases,
    name_text,
    phrases,
    spell_letters,
    word_text,
)

__all__ = [
    "ELLIPSIS",
    "authors_line",
    "byline",
    "clean",
    "direction",
    "find_day",
    "find_gist",
    "find_month",
    "find_written",
    "fold",
    "handle",
    "http_url",
    "language",
    "literal_text",
    "name_phrases",
    "name_text",
    "phrases",
    "short_title",
    "shorten",
    "spell_letters",
    "split_sentences",
    "strip_markup",
    "tex_to_unicode",
    "unmarked",
    "word_text",
]
