"""Text from outside, made fit to show: cleaned, freed of markup and TeX, shortened, compared.

Every function here is pure, accepts any string, and never raises.
"""

from typing import TYPE_CHECKING

from newsletter.lazy import importing

if TYPE_CHECKING:
    from newsletter.text.bylines import byline as byline
    from newsletter.text.cleaning import clean as clean
    from newsletter.text.cleaning import fold as fold
    from newsletter.text.cleaning import http_url as http_url
    from newsletter.text.dates import find_day as find_day
    from newsletter.text.dates import find_month as find_month
    from newsletter.text.gist import find_gist as find_gist
    from newsletter.text.handles import handle as handle
    from newsletter.text.handles import short_title as short_title
    from newsletter.text.languages import direction as direction
    from newsletter.text.languages import language as language
    from newsletter.text.markup import strip_markup as strip_markup
    from newsletter.text.markup import unmarked as unmarked
    from newsletter.text.sentences import split_sentences as split_sentences
    from newsletter.text.shortening import ELLIPSIS as ELLIPSIS
    from newsletter.text.shortening import authors_line as authors_line
    from newsletter.text.shortening import shorten as shorten
    from newsletter.text.tex import tex_to_unicode as tex_to_unicode
    from newsletter.text.words import find_written as find_written
    from newsletter.text.words import literal_text as literal_text
    from newsletter.text.words import name_phrases as name_phrases
    from newsletter.text.words import name_text as name_text
    from newsletter.text.words import phrases as phrases
    from newsletter.text.words import spell_letters as spell_letters
    from newsletter.text.words import word_text as word_text
else:
    __getattr__ = importing(
        __name__,
        {
            "bylines": "byline",
            "cleaning": "clean fold http_url",
            "dates": "find_day find_month",
            "gist": "find_gist",
            "handles": "handle short_title",
            "languages": "direction language",
            "markup": "strip_markup unmarked",
            "sentences": "split_sentences",
            "shortening": "ELLIPSIS authors_line shorten",
            "tex": "tex_to_unicode",
            "words": (
                "find_written literal_text name_phrases name_text phrases spell_letters word_text"
            ),
        },
    )
