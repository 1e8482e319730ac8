"""Finding and compiling the letter's templates."""

import re
import shutil
from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.letter.rendering import render_issue
from newsletter.templates import (
    HTML,
    SUBJECT,
    TEXT,
    TemplateFolders,
    compile_mjml,
    find_folders,
    load_templates,
)
from tests.support.factories import paper
from tests.support.letters import SITE, edition, issue, make_letter, section

CARD, HEADING, FOOT, HEAD, MORE = (
    f"partials/{name}.mjml" for name in ("card", "heading", "foot", "head", "more")
)
OWN = Path(__file__).parents[2] / "templates"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the newsletter's own templates."""
    return Path(shutil.copytree(OWN, tmp_path / "templates"))


def change(folder: Path, name: str, old: str, new: str) -> int:
    """Replace a text in a template; return its line number."""
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def fault(folder: Path) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        load_templates(folder)
    return caught.value


def test_shipped_templates_compile() -> None:
    fragments, quarantined = render_issue(issue([paper(1, "Routing")]), SITE, load_templates())
    assert quarantined == ()
    rendering, _ = make_letter(fragments, edition(section("Other", 0)))
    assert ">Routing</a>" in rendering.html or ">Routing</span>" in rendering.html


def test_shipped_templates_need_nothing_external() -> None:
    html = compile_mjml(find_folders(), HTML)
    assert not re.search(r"@import|<link|<script|<img|url\(|src=", html)


def test_operators_template_overrides_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / SUBJECT).write_text("{{ publication.name }} of {{ day | longdate }}")
    fragments, _ = render_issue(issue([]), SITE, load_templates(tmp_path))
    assert fragments.quiet_subject == "Daily Papers of Monday, 3 August 2026"


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    error = fault(tmp_path / "gone")
    assert error.file.endswith("gone")
    assert "does not exist" in error.problem


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "link.txt", "partials", ""])
def test_nothing_outside_the_folder_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    inside = tmp_path / "templates"
    (inside / "partials").mkdir(parents=True)
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert TemplateFolders((inside,)).find(name) is None
    with pytest.raises(TemplateError, match="no such template"):
        TemplateFolders((inside,)).read(name)


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        (HTML, "<mj-section>", "<mj-sectoin>", "did you mean <mj-section>"),
        (HTML, "<mj-raw>{% endblock %}{% block more", "<mj-blink>{% block more", "not an element"),
        (HTML, "</mj-head>", "", "<mj-head> is not closed|closes nothing"),
        (HTML, 'path="partials/head.mjml"', 'path="../secret.mjml"', "to include"),
        (CARD, "{% if paper.url %}", "{% if paper.url }", "not Jinja"),
        (HEADING, "{{ name }}", "{{ nmae }}", "no variable 'nmae'"),
        (CARD, "paper.byline }}", "paper.biline }}", "biline"),
        (TEXT, "{{ name | wrap }}", "{{ name | warp }}", "warp"),
        (TEXT, "paper.title | wrap", "paper.titel | wrap", "titel"),
        (TEXT, "{{ email }}", "{{ cycler.__init__.__globals__ }}", "unsafe"),
        (FOOT, "{{ email }}", "{{ cycler.__init__.__globals__ }}", "unsafe"),
        (MORE, "<mj-text css-class", "<mj-txt css-class", "did you mean <mj-text>"),
        (HEAD, "theme.quiet", "theme.quite", "quite"),
        (SUBJECT, "publication.name", "publication.nmae", "nmae"),
    ],
)
def test_error_names_file_line_and_problem(
    folder: Path, name: str, old: str, new: str, problem: str
) -> None:
    line = change(folder, name, old, new)
    error = fault(folder)
    assert re.search(problem, error.problem)
    assert error.file == name
    assert error.line is not None
    assert error.line == line or "closes" in error.problem


@pytest.mark.parametrize(
    ("name", "around", "told"),
    [
        (CARD, "mj-text", "<mj-text> may not be inside <mj-text>"),
        (MORE, "mj-section", "<mj-section> may not be inside <mj-column>"),
    ],
)
def test_part_for_an_earlier_letter_is_an_error(
    folder: Path, name: str, around: str, told: str
) -> None:
    part = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(f"<{around}>{part}</{around}>", encoding="utf-8")
    assert (fault(folder).file, fault(folder).line, fault(folder).problem[: len(told)]) == (
        name,
        1,
        told,
    )


def test_unclosed_element_is_named(folder: Path) -> None:
    change(folder, HTML, "</mjml>", "")
    error = fault(folder)
    assert error.problem == "<mjml> is not closed."


def test_unbalanced_html_is_an_error(folder: Path) -> None:
    change(folder, HEADING, "</h2>", "")
    assert "not MJML" in fault(folder).problem


def test_missing_block_is_named(folder: Path) -> None:
    change(folder, TEXT, "{% block more %}", "{% block less %}")
    error = fault(folder)
    assert (error.file, error.problem) == (TEXT, "These blocks are missing: more.")


def test_non_utf8_template_is_reported(folder: Path) -> None:
    (folder / SUBJECT).write_bytes(b"\xff")
    assert "UTF-8" in fault(folder).problem


def test_template_includes_only_its_own_folder(folder: Path) -> None:
    (folder / "partials" / "foot.txt").write_text("A foot.")
    change(folder, TEXT, "{{ email }}", "{% include 'partials/foot.txt' %} {{ email }}")
    fragments, _ = render_issue(issue([]), SITE, load_templates(folder))
    assert "A foot." in make_letter(fragments, edition())[0].text
    change(folder, TEXT, "partials/foot.txt", "../secret.txt")
    assert "secret.txt" in fault(folder).problem


def test_fault_hit_by_some_papers_is_found_at_load(folder: Path) -> None:
    change(folder, TEXT, "{{ paper.url }}", "{{ paper.url + 1 }}")
    assert fault(folder).file == TEXT


def test_operators_theme_overrides_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "themes").mkdir()
    own = (OWN / "themes" / "sans.jinja").read_text(encoding="utf-8").replace("#0b559f", "#006633")
    (tmp_path / "themes" / "sans.jinja").write_text(own, encoding="utf-8")
    for theme, used in (("sans", True), ("serif", False)):
        fragments, _ = render_issue(issue([paper(1)]), SITE, load_templates(tmp_path, theme))
        html = make_letter(fragments, edition(section("Other", 0)))[0].html
        assert ("#006633" in html) == used


def test_missing_theme_name_is_reported_where_used(folder: Path) -> None:
    change(folder, "themes/serif.jinja", "{% set quiet", "{% set calm")
    error = fault(folder)
    assert "'quiet'" in error.problem
    assert (error.file, error.line is not None) == ("partials/head.mjml", True)


def test_theme_runs_in_the_sandbox(folder: Path) -> None:
    change(folder, "themes/serif.jinja", '"#685e55"', "cycler.__init__.__globals__")
    assert fault(folder).file == "themes/serif.jinja"


def test_self_including_part_is_named(folder: Path) -> None:
    (folder / CARD).write_text(f'<mj-include path="{CARD}" />', encoding="utf-8")
    error = fault(folder)
    assert (error.file, error.problem) == (CARD, "This includes itself.")


def test_concurrent_save_cannot_change_what_is_compiled(folder: Path) -> None:
    where = find_folders(folder)
    before = where.read(FOOT)
    change(folder, FOOT, "<mj-column>", "<mj-colunm>")
    assert where.read(FOOT) == before
    assert "colunm" not in compile_mjml(where, HTML)
    assert fault(folder).file == FOOT
