"""Run the templates: once an issue for its letters, and for each note to one person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import jinja2
from markupsafe import Markup

from newsletter.errors import RenderError, TemplateError
from newsletter.letter.fragments import (
    Forms,
    Fragment,
    IssueFragments,
    PartFragments,
    placeholder,
    split_at_placeholders,
)
from newsletter.letter.inbox import paper_names
from newsletter.letter.views import (
    CorrectionView,
    PaperView,
    correction_view,
    longdate,
    paper_view,
    printable,
)
from newsletter.model import BY_FILTER, OTHER, TOP, TOP_TEN, Issue, Length, Publication, Rendering

LENGTHS: tuple[Length, ...] = ("short", "brief", "full", "titles", "lead")
"""Each length a card is rendered in: those a reader may choose, and that of the lead papers."""

FRAME = (
    "opening", "dateline_end", "index", "quiet", "popular", "loosen", "masthead_end", "because",
    "card_end", "closing", "corrections", "corrections_end", "ending", "machine", "foot",
)  # fmt: skip
"""The blocks rendered once an issue, and again for weekly letters."""

COUNTS = ("papers", "minutes", "left_out", "more", "unmatched")  # rendered for 0, for 1, for more
BLOCKS = frozenset(
    {*FRAME, *COUNTS, "heading", "card", "like", "row", "more_in", "correction"}
)  # a part's template has them all, but for the optional ones
OPTIONAL_BLOCKS = frozenset({"like"})  # own templates of earlier versions lack it

QUIET = "Nothing new matches your topics and filters. The next email comes with new papers."

NOTES: Mapping[str, tuple[str, ...]] = {
    "confirm": ("confirm", "hours", "choices"),
    "farewell": ("email", "back", "hours", "data"),
    "broadcast": ("subject", "body", "preferences", "unsubscribe"),
    "added": ("email", "preferences", "unsubscribe", "schedule", "contact"),
    "known": ("preferences",),
    "lost": ("topics", "preferences", "unsubscribe"),
    "move": ("confirm", "hours"),
    "waiting": ("email", "preferences"),
    "welcome": ("email", "preferences", "unsubscribe"),
    "report": ("headline", "lines"),
}
"""Every kind of note, with the variables its templates get besides the publication.

``confirm`` asks a new reader to confirm, ``known`` answers a reader who signs up again, ``move``
asks at a reader's new address, ``welcome`` greets a new reader for whom the day has no letter,
``waiting`` answers one who waits for the operator's approval, ``added`` greets one whom the
operator has added, ``farewell`` confirms an unsubscription, ``lost`` names topics that there are
no longer, ``broadcast`` is what the operator wrote to all readers, and ``report`` tells the
operator what happened.

The variables ``confirm``, ``back``, ``preferences``, ``data`` and ``unsubscribe`` are addresses of
pages, ``hours`` is how long the first two are valid, ``email`` is the reader's, ``schedule`` says
when letters come, ``choices`` also on which topics, and ``contact`` is the editor's address.
Nothing typed by a stranger is among them: an address may be signed up by somebody who does not own
it.
"""

ISSUE_LINKS = ("preferences", "pause", "weekly", "unsubscribe", "edition")
"""The reader's own links that the templates of an issue may use."""

BROADCAST_LINKS = ("preferences", "unsubscribe")
"""The placeholders of a note to all readers."""

_RENDER_FAILURES = (
    jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What a template can raise when it meets a value it was not written for."""

Context = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LetterTemplates:
    """A letter's compiled templates; :func:`newsletter.templates.load_templates` makes them."""

    html: jinja2.Template
    text: jinja2.Template
    subject: jinja2.Template


@dataclass(frozen=True, slots=True)
class _RenderedPaper:
    """For each part one paper's cards in every length, its row, and what its cards ask.

    Or why it has none.
    """

    html: tuple[str, ...] = ("",) * (len(LENGTHS) + 2)
    text: tuple[str, ...] = ("",) * (len(LENGTHS) + 2)
    subject: tuple[Fragment, Fragment] = (("",), ("",))
    weekly_subject: tuple[Fragment, Fragment] = (("",), ("",))
    error: str = ""


_NOTHING = _RenderedPaper()


def render_issue(
    issue: Issue,
    publication: Publication,
    templates: LetterTemplates,
    *,
    signed_by: str = "",
    trends: Mapping[int, str] = {},
    asks: bool = True,
) -> tuple[IssueFragments, tuple[tuple[str, str], ...]]:
    """Render all fragments of an issue's letters; those of its short papers are empty.

    ``trends`` has, by a paper's index, how its upvotes have grown. With ``asks`` each card asks its
    reader whether they like it.

    Returns:
        The fragments, in the order of the issue's papers, and the papers that could not be
        rendered as pairs of key and reason. The caller must keep these out of every edition.

    Raises:
        TemplateError: a block without a paper in it cannot be rendered.
    """
    publication = _printable_publication(publication)
    context = _issue_context(issue, publication)
    views = _view_papers(issue, trends)
    papers = [
        _render_paper(view, templates, {**context, "number": paper.number}, asks=asks)
        if view
        else _NOTHING
        for view, paper in zip(views, issue.papers, strict=True)
    ]
    corrections = [correction_view(correction) for correction in issue.corrections]
    names, day = _section_names(issue), longdate(issue.day)
    fragments = IssueFragments(
        publication=publication,
        day=issue.day,
        frozen_at=issue.frozen_at,
        signed_by=signed_by,
        html=_render_part(
            templates.html, context, names, [paper.html for paper in papers], corrections
        ),
        text=_render_part(
            templates.text, context, names, [paper.text for paper in papers], corrections
        ),
        subjects=tuple(paper.subject for paper in papers),
        weekly_subjects=tuple(paper.weekly_subject for paper in papers),
        quiet_subject=_frame_block(templates.subject, None, context, paper=None, names="", more=0),
        preheaders=tuple((view.preheader(day) if view else "",) for view in views),
        names=tuple(paper_names(view.title if view else "") for view in views),
        quiet_preheader=QUIET,
        words={
            length: tuple(view.words(length) if view else 0 for view in views) for length in LENGTHS
        },
        sealed=True,
        machine_written=tuple(index for index, view in enumerate(views) if view and view.brief),
    )
    errors = [(paper.key, done.error) for paper, done in zip(issue.papers, papers, strict=True)]
    return fragments, tuple((key, error) for key, error in errors if error)


def _section_names(issue: Issue) -> list[str]:
    """Every heading that a letter of the issue may have, each once."""
    topics = [topic.name for topic in issue.topics]
    return list(dict.fromkeys([TOP, TOP_TEN, *topics, OTHER, BY_FILTER]))


def _view_papers(issue: Issue, trends: Mapping[int, str]) -> list[PaperView | None]:
    """The issue's papers as templates get them, None for a short one.

    They name the source that listed them first, unless all have the same.
    """
    short = frozenset(issue.short)
    sources = ["".join(paper.item.sources[:1]) for paper in issue.papers]
    several = len({*sources} - {""}) > 1
    return [
        None
        if index in short
        else paper_view(paper.item, issue.day, source if several else "", trends.get(index, ""))
        for index, (paper, source) in enumerate(zip(issue.papers, sources, strict=True))
    ]


def render_note(
    kind: str, templates: LetterTemplates, publication: Publication, variables: Mapping[str, str]
) -> Rendering:
    """Render a note, a short letter to one person, with at least the variables of its kind.

    Raises:
        RenderError: a variable is missing, or a template fails.
    """
    if missing := [name for name in NOTES[kind] if name not in variables]:
        raise RenderError(f"The note {kind} needs: {', '.join(missing)}.")
    context = {
        "publication": _printable_publication(publication),
        **{name: "\n".join(map(printable, variables[name].splitlines())) for name in NOTES[kind]},
    }
    return Rendering(
        subject=(" ".join(_render_block(templates.subject, None, context).split()),),
        html=_render_block(templates.html, None, context),
        text=_render_block(templates.text, None, context),
    )


def render_broadcast(
    templates: LetterTemplates,
    publication: Publication,
    *,
    subject: str,
    html: str,
    text: str,
) -> Rendering:
    """Render a note to all readers around its body, with placeholders for the reader's own links.

    ``html`` is taken as it is: it must be made by a writer of safe HTML.

    Raises:
        RenderError: a template fails.
    """
    context = {
        "publication": _printable_publication(publication),
        "subject": printable(subject),
        **{name: placeholder(name) for name in BROADCAST_LINKS},
    }
    return Rendering(
        subject=(" ".join(_render_block(templates.subject, None, context).split()),),
        html=_render_block(templates.html, None, {**context, "body": Markup(html)}),  # noqa: S704 - safe by its writer
        text=_render_block(templates.text, None, {**context, "body": text}),
    )


def _printable_publication(publication: Publication) -> Publication:
    return replace(
        publication,
        name=printable(publication.name),
        sender_name=printable(publication.sender_name),
        postal_address=printable(publication.postal_address),
    )


def _issue_context(issue: Issue, publication: Publication) -> Context:
    """What every block may name: the issue, and placeholders for what is the reader's own."""
    reader = ("email", "name", "preheader", "index")
    return {
        "publication": publication,
        "day": issue.day,
        "weekly": False,
        "missing": tuple(map(printable, issue.missing)),
        **{name: placeholder(name) for name in reader},
        "links": {name: placeholder(name) for name in ISSUE_LINKS},
    }


def _render_paper(
    view: PaperView, templates: LetterTemplates, context: Context, *, asks: bool
) -> _RenderedPaper:
    context = {**context, "paper": view}
    try:
        return _RenderedPaper(
            html=tuple(_blocks_of_paper(templates.html, view, context, asks=asks)),
            text=tuple(_blocks_of_paper(templates.text, view, context, asks=asks)),
            subject=_subjects(templates.subject, context),
            weekly_subject=_subjects(templates.subject, {**context, "weekly": True}),
        )
    except RenderError as error:
        return _RenderedPaper(error=str(error))


def _subjects(template: jinja2.Template, context: Context) -> tuple[Fragment, Fragment]:
    """The subject of a letter that a paper leads: of that paper alone, and with more."""
    several = {name: placeholder(name) for name in ("names", "more")}
    return (
        split_at_placeholders(_render_block(template, None, {**context, "names": "", "more": 0})),
        split_at_placeholders(_render_block(template, None, {**context, **several})),
    )


def _blocks_of_paper(
    template: jinja2.Template, view: PaperView, context: Context, *, asks: bool
) -> Iterator[str]:
    rendered: dict[tuple[str, bool], str] = {}  # where two lengths have the same words
    for length in LENGTHS:
        summary, lead = card = view.summaries[length], length == "lead"
        if card not in rendered:
            values = {**context, "summary": summary, "lead": lead}
            rendered[card] = _render_block(template, "card", values)
        yield rendered[card]
    yield _render_block(template, "row", context)
    asks = asks and "like" in template.blocks
    yield _render_block(template, "like", context) if asks else ""


def _render_part(
    template: jinja2.Template,
    context: Context,
    names: Sequence[str],
    papers: Sequence[tuple[str, ...]],
    corrections: Sequence[CorrectionView],
) -> PartFragments:
    def block(name: str, /, **more: object) -> Fragment:
        return split_at_placeholders(_frame_block(template, name, context, **more))

    def heading(name: str) -> Fragment:
        topic = "" if name in {TOP, TOP_TEN, OTHER, BY_FILTER} else name
        return block("heading", name=printable(name), topic=topic)

    def more_in(name: str) -> Fragment:
        return block("more_in", name=printable(name), n=placeholder("more"))

    def forms(name: str) -> Forms:
        return block(name, n=0), block(name, n=1), block(name, n=placeholder(name))

    *cards, rows, likes = zip(*papers, strict=True) if papers else [()] * (len(LENGTHS) + 2)
    frame, weekly = (
        {name: block(name, because=placeholder("because"), weekly=weekly) for name in FRAME}
        for weekly in (False, True)
    )
    return PartFragments(
        frame=frame,
        weekly={name: block for name, block in weekly.items() if block != frame[name]},
        counts={name: forms(name) for name in COUNTS},
        headings={name: heading(name) for name in names},
        more_in={name: more_in(name) for name in names},
        cards=dict(zip(LENGTHS, cards, strict=True)),
        rows=rows,
        likes=tuple(map(split_at_placeholders, likes)) if any(likes) else (),
        corrections=tuple(
            _frame_block(template, "correction", context, correction=each) for each in corrections
        ),
    )


def _frame_block(
    template: jinja2.Template, name: str | None, context: Context, /, **more: object
) -> str:
    """A block without a paper in it: if it fails, the template is at fault."""
    try:
        return _render_block(template, name, {**context, **more})
    except RenderError as error:
        raise TemplateError(str(error), file=template.name or "") from error


def _render_block(template: jinja2.Template, name: str | None, context: Context) -> str:
    """One block of a template, or all of it where ``name`` is None; raises RenderError."""
    render = template.root_render_func if name is None else template.blocks[name]
    try:
        text = "".join(render(template.new_context(dict(context))))
        text.encode()  # a lone surrogate must fail here, for this paper alone
    except _RENDER_FAILURES as error:
        place = template.name if name is None else f"{template.name}, block {name}"
        raise RenderError(f"{place}: {error}") from error
    return text
