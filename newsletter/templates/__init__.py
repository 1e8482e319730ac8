"""Find the letter's templates and compile them, once; every error names the file and the line.

The HTML part is written in MJML with Jinja inside. MJML is compiled once, what it gives is the
Jinja template: no paper's text ever meets the MJML parser. Templates run in Jinja's sandbox.
"""

from newsletter.templates.compiling import THEME, compiled, environment, load, load_note
from newsletter.templates.finding import HTML, SUBJECT, TEXT, Folders, folders

__all__ = [
    "HTML",
    "SUBJECT",
    "TEXT",
    "THEME",
    "Folders",
    "compiled",
    "environment",
    "folders",
    "load",
    "load_note",
]
