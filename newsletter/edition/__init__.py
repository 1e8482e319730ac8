"""One reader's own edition of an issue, and for every paper the one reason it is in or out.

Both are read off the same bitmasks (:mod:`newsletter.edition.judging`), so what :func:`explain`
says is what :func:`cut` did.
"""

from newsletter.edition.cutting import MAX_HTML, Budget, Sizes, cut, opening_length
from newsletter.edition.explaining import explain
from newsletter.edition.table import REACH, Table

__all__ = ["MAX_HTML", "REACH", "Budget", "Sizes", "Table", "cut", "explain", "opening_length"]
