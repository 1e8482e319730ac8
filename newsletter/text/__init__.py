"""Text from outside, made fit to show: cleaned, freed of markup and TeX, shortened, compared.

Every function here is pure, accepts any string, and never raises.
"""

from newsletter.text.cleaning import clean, fold, http_url, strip_markup
from newsletter.text.languages import direction, language
from newsletter.text.shortening import ELLIPSIS, authors_line, first_sentences, first_words, shorten
from newsletter.text.tex import tex_to_unicode

__all__ = [
    "ELLIPSIS",
    "authors_line",
    "clean",
    "direction",
    "first_sentences",
    "first_words",
    "fold",
    "http_url",
    "language",
    "shorten",
    "strip_markup",
    "tex_to_unicode",
]
