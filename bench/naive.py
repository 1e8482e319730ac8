"""The naive renderer: a letter as one template with loops, rendered in one pass."""

from newsletter.letter.compiling import REASON_INDENT, shown_reason
from newsletter.letter.inbox import BETWEEN, index_entries, topic_counts
from newsletter.letter.links import Links
from newsletter.letter.views import paper_view, wrap
from newsletter.model import BY_FILTER, OTHER, TOP, Edition, Issue, Publication, Summary
from newsletter.templates import HTML, TEXT, compile_mjml, find_folders, make_environment

SKELETON = """\
{% block opening %}{% endblock %}
{%- if papers %}
    {%- block papers %}{% endblock %}
    {%- with n = minutes %}{% block minutes scoped %}{% endblock %}{% endwith %}
    {%- with n = left_out %}
        {%- if n %}{% block left_out scoped %}{% endblock %}{% endif %}
    {%- endwith %}
{%- endif %}
{%- block dateline_end %}{% endblock %}
{%- if index %}{% block index %}{% endblock %}{% endif %}
{%- if not papers %}{% block quiet %}{% endblock %}{% endif %}
{%- block masthead_end %}{% endblock %}
{%- for name, topic, lead, cards, rows, rest in sections %}
    {%- block heading scoped %}{% endblock %}
    {%- for paper, summary, because, number in cards %}
        {%- block card scoped %}{% endblock %}
        {%- block like scoped %}{% endblock %}
        {%- if because %}{% block because scoped %}{% endblock %}{% endif %}
        {%- block card_end %}{% endblock %}
    {%- endfor %}
    {%- for paper in rows %}{% block row scoped %}{% endblock %}{% endfor %}
    {%- with n = rest %}{% if n %}{% block more_in scoped %}{% endblock %}{% endif %}{% endwith %}
    {%- block closing %}{% endblock %}
{%- endfor %}
{%- with n = more %}{% if n %}{% block more scoped %}{% endblock %}{% endif %}{% endwith %}
{%- block ending %}{% endblock %}
{%- block foot %}{% endblock %}"""
"""A letter as one template with loops, whose blocks the newsletter's own templates fill."""


def in_one_pass(
    name: str,
    whole: Edition,
    made: Issue,
    publication: Publication,
    links: Links,
    *,
    preheader: str,
    minutes: int,
) -> str:
    """Render the whole letter in one pass.

    Args:
        name: the name of the HTML or the text template.
        whole: the reader's edition.
        made: the issue of the edition.
        publication: the newsletter.
        links: the reader's links.
        preheader: the line that mail programs show beside the subject.
        minutes: how long it takes to read.
    """
    where = find_folders()
    html = name == HTML
    source = "{% extends 'skeleton' %}" + (compile_mjml(where, HTML) if html else where.read(TEXT))
    sources = {name: source, "skeleton": SKELETON}
    views = [paper_view(paper.item, made.day) for paper in made.papers]
    reason = str if html else (lambda text: wrap(text, REASON_INDENT))
    length: Summary = whole.summary
    names = (*(topic.name for topic in made.topics), OTHER, BY_FILTER)
    counts, without = topic_counts(whole, {name: place for place, name in enumerate(names)})
    index = BETWEEN.join(index_entries(counts, without, "today"))
    return (
        make_environment(where, sources, autoescape=html)
        .get_template(name)
        .render(
            publication=publication,
            day=made.day,
            missing=made.missing,
            preheader=preheader,
            index=str(index) if html else wrap(index),
            weekly=False,
            email=whole.to.email,
            links=links,
            n=len(whole.papers),
            papers=whole.papers,
            minutes=minutes,
            left_out=whole.left_out,
            more=len(whole.more) + len(whole.waiting) - sum(each.more for each in whole.sections),
            sections=[
                (
                    each.name,
                    "" if each.name in {TOP, OTHER, BY_FILTER} else each.name,
                    each.leads,
                    [
                        (
                            views[paper],
                            views[paper].summaries["lead" if each.leads else length],
                            reason(shown_reason(because, leads=each.leads)),
                            made.papers[paper].number,
                        )
                        for paper, because in zip(each.cards, each.because, strict=False)
                    ],
                    [views[paper] for paper in each.rows],
                    each.more,
                )
                for each in whole.sections
            ],
        )
    )
