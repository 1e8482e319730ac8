"""Templates checked by the real command, and copied for editing."""

import json
import shutil
from pathlib import Path

import pytest

from newsletter.templates import find_template_errors
from newsletter.templates.linting import ELEMENTS
from tests.support.cli import Newsletter
from tests.support.preview_client import ADA, make_demo, running_preview

OWN = Path(__file__).parents[2] / "templates"
EMAIL_LINE = (OWN / "issue.txt").read_text(encoding="utf-8").partition("{{ email }}")[0].count(
    "\n"
) + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the newsletter's own templates."""
    return Path(shutil.copytree(OWN, tmp_path / "own"))


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_shipped_templates_have_no_faults() -> None:
    assert find_template_errors() == ()


def test_folder_with_a_single_file_is_enough(tmp_path: Path) -> None:
    (tmp_path / "issue.subject.txt").write_text("{{ day | longdate }}")
    assert find_template_errors(tmp_path) == ()


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "partials/more.mjml",
            'padding="26px 20px 0"',
            'paddin="1px"',
            "partials/more.mjml:1: <mj-text> has no attribute paddin; did you mean padding?",
        ),
        (
            "partials/head.mjml",
            "<mj-all font-family",
            "<mj-all font-famly",
            "partials/head.mjml:7: <mj-all> has no attribute font-famly; did you mean font-family?",
        ),
        (
            "confirm.mjml",
            "<mj-button",
            "<mj-buton",
            "confirm.mjml:16: <mj-buton> is not an element of MJML; did you mean <mj-button>?",
        ),
        (
            "partials/card.mjml",
            "{{ summary }}",
            "{{ summary | safe }}",
            "partials/card.mjml:3: '| safe' turns escaping off",
        ),
        (
            "partials/row.mjml",
            "{{ paper.title }}",
            "{% autoescape false %}{{ paper.title }}{% endautoescape %}",
            "partials/row.mjml:1: 'autoescape' may not be changed",
        ),
        (
            "issue.txt",
            "{{ email }}",
            "{{ emial }}",
            f"issue.txt:{EMAIL_LINE}: There is no variable 'emial'; did you mean email?",
        ),
        (
            "confirm.txt",
            "publication.name",
            "publicaton.name",
            "There is no variable 'publicaton'; did you mean publication?",
        ),
        (
            "issue.txt",
            "| longdate",
            "| longdat",
            "issue.txt:3: There is no filter 'longdat'; did you mean longdate?",
        ),
        (
            "partials/heading.mjml",
            "{{ name }}",
            "{% if name is strng %}{% endif %}",
            "partials/heading.mjml:1: There is no test 'strng'; did you mean string?",
        ),
        (
            "issue.txt",
            "{{ email }}",
            '{% include "partials/gone.txt" %}',
            f"issue.txt:{EMAIL_LINE}: There is no template partials/gone.txt to include.",
        ),
        (
            "themes/sans.jinja",
            "{% set quiet",
            "{% set quite",
            "There is no field 'quiet'; did you mean quite?",
        ),
        (
            "partials/card.mjml",
            "{{ paper.title }}",
            "{{ paper.titel }}{% for one in paper.links %}{{ one.lable }}{% endfor %}",
            "partials/card.mjml:1: paper has no field 'titel'; did you mean title?",
        ),
        (
            "partials/card.mjml",
            "{{ paper.title }}",
            "{% for one in paper.links %}{{ one.lable }}{% endfor %}",
            "partials/card.mjml:1: one has no field 'lable'; did you mean label?",
        ),
        (
            "confirm.mjml",
            "publication.name",
            "publication.nam",
            "confirm.mjml:3: publication has no field 'nam'; did you mean name?",
        ),
        (
            "issue.txt",
            "{{ email }}",
            "{{ links.prefrences }}",
            f"issue.txt:{EMAIL_LINE}: links has no field 'prefrences'; did you mean preferences?",
        ),
        (
            "partials/card.mjml",
            "{{ paper.title }}",
            "{{ paper.links[0].lable }}",
            "partials/card.mjml:1: issue.mjml, block card: There is no field 'lable'; did you mean",
        ),
    ],
)
def test_fault_is_reported_with_file_line_and_remedy(
    folder: Path, name: str, old: str, new: str, told: str
) -> None:
    change(folder, name, old, new)
    faults = [str(fault) for fault in find_template_errors(folder)]
    assert [fault for fault in faults if told in fault], faults


def test_all_faults_are_reported_together_once_each(folder: Path) -> None:
    change(folder, "partials/head.mjml", "<mj-section", "<mj-secton")
    change(folder, "issue.txt", "{{ email }}", "{{ emial }}")
    (folder / "partials" / "crad.mjml").write_text("")
    (folder / "notes.md").write_text("not a template")
    files = [fault.file for fault in find_template_errors(folder)]
    assert files == ["issue.txt", "partials/crad.mjml", "partials/head.mjml"]


def test_elements_have_the_attributes_of_mjml() -> None:
    assert "background-color" in ELEMENTS["mj-section"]
    assert "css-class" in ELEMENTS["mj-text"]
    assert "href" in ELEMENTS["mj-button"]
    assert "href" not in ELEMENTS["mj-section"]


@pytest.mark.slow
def test_templates_can_be_ejected_and_checked(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure(templates="own")
    written = json.loads(newsletter.run("templates", "eject", "own", "--json").stdout)
    assert "own/issue.mjml" in written
    assert not [name for name in written if "proof." in name]
    assert json.loads(newsletter.run("templates", "check", "--json").stdout)["ok"]
    change(tmp_path / "own", "partials/masthead.mjml", "<mj-section padding", "<mj-section paddin")
    done = newsletter.run("templates", "check", code=3)
    assert "partials/masthead.mjml:1: <mj-section> has no attribute paddin" in done.stdout
    before = (tmp_path / "own" / "issue.mjml").read_text()
    refused = newsletter.run("templates", "eject", "own", code=2)
    assert "exists already" in refused.stderr
    assert (tmp_path / "own" / "issue.mjml").read_text() == before
    assert "does not exist" in newsletter.run("templates", "check", "nowhere", code=3).stderr


@pytest.mark.slow
def test_preview_shows_faults_of_every_template(tmp_path: Path) -> None:
    make_demo(tmp_path)
    change(tmp_path / "own", "confirm.mjml", "<mj-button", "<mj-buton")
    with running_preview(tmp_path, "--as", ADA) as sheet:
        told = sheet.request("/templates").body
        assert 'id="letter"' in sheet.request("/").body
    assert 'class="wrong"' in told
    assert "confirm.mjml:16: &lt;mj-buton&gt; is not an element of MJML" in told
