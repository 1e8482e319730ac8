"""Find the letter's templates and compile them, once; every error names the file and the line.

The HTML part is written in MJML with Jinja inside. MJML is compiled once, what it gives is the
Jinja template: no paper's text ever meets the MJML parser. Templates run in Jinja's sandbox.
"""

from newsletter.templates.compiling import compiled, environment, load
from newsletter.templates.finding import HTML, SUBJECT, TEXT, Folders, folders
from newsletter.templates.noting import NoteTemplates, load_notes

__all__ = [
    "HTML",
    "SUBJECT",
    "TEXT",
    "Folders",
    "NoteTemplates",
    "compiled",
    "environment",
    "folders",
    "load",
    "load_notes",
]
