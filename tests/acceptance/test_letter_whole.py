"""A letter's pieces make the whole that one pass of its templates gives, and it fits."""

from dataclasses import replace

import pytest

from newsletter.edition import Budget, Table, cut
from newsletter.matchers.rules import RulesMatcher
from newsletter.model import OTHER, TOP, Edition, Issue, Standing, Summary
from newsletter.render import Personal, longdate, paper_view, set_edition, set_issue, wrap
from newsletter.render.composing import REASON_INDENT
from newsletter.templates import HTML, TEXT, compiled, environment, folders
from newsletter.topics import match
from tests.demo_letter import PAPERS, WHOLE, demo, templates
from tests.factories import paper, reader
from tests.letters import SITE, edition, issue, personal, section

GMAIL_CLIPS = 102_400
"""Bytes of HTML a letter may have."""

SKELETON = """\
{% block opening %}{% endblock %}
{%- block papers %}{% endblock %}
{%- with n = minutes %}
    {%- if papers %}{% block minutes scoped %}{% endblock %}{% endif %}
{%- endwith %}
{%- with n = left_out %}{% if n %}{% block left_out scoped %}{% endblock %}{% endif %}{% endwith %}
{%- block dateline_end %}{% endblock %}
{%- if not papers %}{% block quiet %}{% endblock %}{% endif %}
{%- block masthead_end %}{% endblock %}
{%- for name, topic, lead, cards, rows in sections %}
    {%- block heading scoped %}{% endblock %}
    {%- for paper, summary, because in cards %}
        {%- block card scoped %}{% endblock %}
        {%- block because scoped %}{% endblock %}
        {%- block card_end %}{% endblock %}
    {%- endfor %}
    {%- for paper in rows %}{% block row scoped %}{% endblock %}{% endfor %}
    {%- block closing %}{% endblock %}
{%- endfor %}
{%- with n = more %}{% if n %}{% block more scoped %}{% endblock %}{% endif %}{% endwith %}
{%- block ending %}{% endblock %}"""
"""A letter as one template, with loops; the newsletter's own templates fill its blocks."""


def in_one_pass(name: str, whole: Edition, made: Issue, to: Personal, preheader: str) -> str:
    """The whole letter, set by the template engine in one go."""
    where = folders()
    html = name == HTML
    source = "{% extends 'skeleton' %}" + (compiled(where) if html else where.read(TEXT))
    sources = {name: source, "skeleton": SKELETON}
    views = [paper_view(paper.item) for paper in made.papers]
    reason = str if html else (lambda text: wrap(text, REASON_INDENT))
    length: Summary = whole.summary
    return (
        environment(where, sources, autoescape=html)
        .get_template(name)
        .render(
            publication=SITE,
            day=made.day,
            missing=made.missing,
            preheader=preheader,
            email=to.email,
            links=to.links,
            n=len(whole.papers),
            papers=whole.papers,
            minutes=1,
            left_out=whole.left_out,
            more=len(whole.more),
            sections=[
                (
                    each.name,
                    "" if each.name in {TOP, OTHER} else each.name,
                    each.leads,
                    [
                        (
                            views[p.paper],
                            views[p.paper].summaries["lead" if each.leads else length],
                            reason(p.because),
                        )
                        for p in each.cards
                    ],
                    [views[p.paper] for p in each.rows],
                )
                for each in whole.sections
            ],
        )
    )


LED = edition(replace(section(TOP, 0, 1), leads=True), section("Reasoning", 2, rows=[3, 4]))


@pytest.mark.parametrize(
    "whole", [WHOLE, edition(), edition(section("Other", 2, 0), left_out=1), LED]
)
def test_its_pieces_join_into_what_one_pass_of_the_template_gives(whole: Edition) -> None:
    made = replace(issue(PAPERS, "Mixture of Experts", "Reasoning"), missing=("bioRxiv genomics",))
    rendering = set_edition(demo(), whole, personal())
    views = [paper_view(paper.item) for paper in PAPERS]
    preheader = demo().quiet_preheader
    if whole.papers:
        second = views[whole.papers[1]]
        preheader = second.preheader(f"Also: {second.title}", longdate(made.day))
    assert rendering.html.joined == in_one_pass(HTML, whole, made, personal(), preheader)
    assert rendering.text.joined == in_one_pass(TEXT, whole, made, personal(), preheader)


@pytest.mark.parametrize("papers", [1, 50, 332, 1000])
@pytest.mark.parametrize(
    ("summary", "theme"),
    [("short", "serif"), ("full", "serif"), ("titles", "serif"), ("short", "sans")],
)
def test_a_letter_fits_however_many_papers_there_are(
    papers: int, summary: Summary, theme: str
) -> None:
    abstract = "Large mixtures route tokens to experts & the cost falls by half. " * 20
    made = issue(
        [paper(n, f"Paper {n} on {'routing ' * 8}", abstract=abstract) for n in range(papers)],
        "Reasoning",
    )
    sheet, _ = set_issue(made, SITE, templates(theme))
    ada = reader(decided=-1)
    wants = replace(ada.subscriber, summary=summary)
    standing = Standing(replace(ada, subscriber=wants))
    matching = match(made, [wants.filter], RulesMatcher())
    fitted = cut(Table(made, matching), standing, Budget(sheet.sizes, max_items=papers))
    assert len(fitted.papers) == papers
    html = set_edition(sheet, fitted, personal()).html.joined
    assert len(html.encode()) <= GMAIL_CLIPS
    assert any(each.leads for each in fitted.sections) == (papers > 5 and summary != "titles")
    if fitted.more:
        assert personal().links.edition in html
        assert len(html.encode()) >= GMAIL_CLIPS * 3 // 4
