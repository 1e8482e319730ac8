"""Find, compile and check the templates; every error names the file and the line.

The HTML part is written in MJML with Jinja inside. MJML is compiled once, and the result is the
Jinja template, so the MJML parser never sees a paper's text. Templates run in Jinja's sandbox.
"""

from newsletter.templates.checking import find_template_errors
from newsletter.templates.compiling import (
    DEFAULT_THEME,
    compile_mjml,
    load_note_templates,
    load_templates,
    make_environment,
)
from newsletter.templates.fields import template_reference
from newsletter.templates.finding import HTML, SUBJECT, TEXT, TemplateFolders, find_folders

__all__ = [
    "DEFAULT_THEME",
    "HTML",
    "SUBJECT",
    "TEXT",
    "TemplateFolders",
    "compile_mjml",
    "find_folders",
    "find_template_errors",
    "load_note_templates",
    "load_templates",
    "make_environment",
    "template_reference",
]
