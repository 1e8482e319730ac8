"""Find, compile and check the templates; every error names the file and the line.

The HTML part is written in MJML with Jinja inside. MJML is compiled once, and the result is the
Jinja template, so the MJML parser never sees a paper's text. Templates run in Jinja's sandbox.
"""

from typing import TYPE_CHECKING

from newsletter.lazy import importing

if TYPE_CHECKING:
    from newsletter.templates.checking import find_template_errors as find_template_errors
    from newsletter.templates.compiling import DEFAULT_THEME as DEFAULT_THEME
    from newsletter.templates.compiling import compile_mjml as compile_mjml
    from newsletter.templates.compiling import load_note_templates as load_note_templates
    from newsletter.templates.compiling import load_notes as load_notes
    from newsletter.templates.compiling import load_templates as load_templates
    from newsletter.templates.compiling import make_environment as make_environment
    from newsletter.templates.fields import template_reference as template_reference
    from newsletter.templates.finding import HTML as HTML
    from newsletter.templates.finding import SUBJECT as SUBJECT
    from newsletter.templates.finding import TEXT as TEXT
    from newsletter.templates.finding import TemplateFolders as TemplateFolders
    from newsletter.templates.finding import find_folders as find_folders
else:
    __getattr__ = importing(
        __name__,
        {
            "checking": "find_template_errors",
            "compiling": (
                "DEFAULT_THEME compile_mjml load_note_templates load_notes load_templates "
                "make_environment"
            ),
            "fields": "template_reference",
            "finding": "HTML SUBJECT TEXT TemplateFolders find_folders",
        },
    )
