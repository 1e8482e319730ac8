"""Text from outside, made fit to show: cleaned, freed of markup and TeX, shortened, compared.

Everything here is pure, takes any string whatever, and never raises.
"""

from newsletter.text.addresses import http_url
from newsletter.text.cleaning import clean, folded
from newsletter.text.languages import direction, language
from newsletter.text.markup import plain
from newsletter.text.shortening import ELLIPSIS, authors_line, opening, sentences, shorten
from newsletter.text.tex import display

__all__ = [
    "ELLIPSIS",
    "authors_line",
    "clean",
    "direction",
    "display",
    "folded",
    "http_url",
    "language",
    "opening",
    "plain",
    "sentences",
    "shorten",
]
