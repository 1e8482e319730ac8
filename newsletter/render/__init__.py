"""From a cut edition to a letter in pieces: everything readers share is set once an issue.

:func:`set_issue` runs the templates: once for each paper and length of summary, each heading, each
line of the frame. What comes of it is a :class:`Sheet`, which is frozen with the issue. From then
on a reader's letter is a choice of its pieces without a template engine: what is personal (address,
links, counts) goes into holes the templates left. :func:`set_edition` puts it together as it is
read; :func:`compose` does so from a :class:`Forme`, in whose pieces it is sent.
"""

from newsletter.render.composing import Composed, Personal, compose, set_edition
from newsletter.render.display import FILTERS, longdate, shown, wrap
from newsletter.render.forme import Forme
from newsletter.render.notes import NOTES, note
from newsletter.render.setting import Templates, set_issue
from newsletter.render.sheet import Face, Sheet
from newsletter.render.views import Link, PaperView, paper_view

__all__ = [
    "FILTERS",
    "NOTES",
    "Composed",
    "Face",
    "Forme",
    "Link",
    "PaperView",
    "Personal",
    "Sheet",
    "Templates",
    "compose",
    "longdate",
    "note",
    "paper_view",
    "set_edition",
    "set_issue",
    "shown",
    "wrap",
]
