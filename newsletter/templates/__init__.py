"""Find the letter's templates and compile them, once; every error names the file and the line.

The HTML part is written in MJML with Jinja inside. MJML is compiled once, what it gives is the
Jinja template: no paper's text ever meets the MJML parser. Templates run in Jinja's sandbox.
"""

from newsletter.templates.checking import find_template_errors
from newsletter.templates.compiling import (
    DEFAULT_THEME,
    compile_issue,
    load_note_templates,
    load_templates,
    make_environment,
)
from newsletter.templates.finding import HTML, SUBJECT, TEXT, TemplateFolders, find_folders

__all__ = [
    "DEFAULT_THEME",
    "HTML",
    "SUBJECT",
    "TEXT",
    "TemplateFolders",
    "compile_issue",
    "find_folders",
    "find_template_errors",
    "load_note_templates",
    "load_templates",
    "make_environment",
]
