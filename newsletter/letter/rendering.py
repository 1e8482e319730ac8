"""Set the issue: run the templates over every paper, heading and line of the frame, once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import jinja2

from newsletter.errors import RenderError, TemplateError
from newsletter.letter.fragments import Forms, Fragment, IssueFragments, PartFragments, placeholder
from newsletter.letter.views import PaperView, longdate, paper_view, printable
from newsletter.model import BY_FILTER, OTHER, TOP, Issue, Length, Publication, Rendering

LENGTHS: tuple[Length, ...] = ("short", "full", "titles", "lead")
"""Each length a card is set in: those a reader may choose, and that of a letter's first papers."""

FRAME = (
    "opening",
    "dateline_end",
    "quiet",
    "masthead_end",
    "because",
    "card_end",
    "closing",
    "ending",
)
"""The blocks set once an issue."""

COUNTS = ("papers", "minutes", "left_out", "more")
"""The blocks that say how many; ``n`` is 0, 1, or stands for any larger number."""

BLOCKS = frozenset({*FRAME, *COUNTS, "heading", "card", "row"})
"""Every block a template for the HTML or the text part consists of."""

QUIET = "Nothing new matches what you follow; the next letter comes with the next papers."

_FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a template can raise when it meets a value it was not written for."""

_HOLE = re.compile(f"({placeholder('[a-z_]+')})")

Context = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LetterTemplates:
    """A letter's compiled templates; :func:`newsletter.templates.load_templates` makes them."""

    html: jinja2.Template
    text: jinja2.Template
    subject: jinja2.Template


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One paper in every form it is set in: per summary its card, and its row, per part."""

    html: tuple[str, ...] = ("",) * (len(LENGTHS) + 1)
    text: tuple[str, ...] = ("",) * (len(LENGTHS) + 1)
    subject: tuple[Fragment, Fragment] = (("",), ("",))
    fault: str = ""


def render_issue(
    issue: Issue, publication: Publication, templates: LetterTemplates, *, signed_by: str = ""
) -> tuple[IssueFragments, tuple[tuple[str, str], ...]]:
    """Set all pieces of an issue's letters.

    Args:
        issue: the issue; its order is the sheet's.
        publication: the newsletter, as the letters name it.
        templates: the compiled templates.
        signed_by: the fingerprint of the keyring that signs the links
            (:mod:`newsletter.letter.links`).

    Returns:
        The sheet, and the papers that could not be set as pairs of key and reason. These must be
        in nobody's edition.

    Raises:
        TemplateError: the frame, which has nothing of a paper in it, cannot be set.
    """
    publication = printable_publication(publication)
    base = _base(issue, publication)
    views = [paper_view(paper.item) for paper in issue.papers]
    leaves = [_leaf(view, templates, base) for view in views]
    faults = [(p.key, leaf.fault) for p, leaf in zip(issue.papers, leaves, strict=True)]
    quarantined = tuple(fault for fault in faults if fault[1])
    names = list(dict.fromkeys([TOP, *(topic.name for topic in issue.topics), OTHER, BY_FILTER]))
    day = longdate(issue.day)
    sheet = IssueFragments(
        publication=publication,
        day=issue.day,
        frozen_at=issue.frozen_at,
        signed_by=signed_by,
        html=_face(templates.html, base, names, [leaf.html for leaf in leaves]),
        text=_face(templates.text, base, names, [leaf.text for leaf in leaves]),
        subjects=tuple(leaf.subject for leaf in leaves),
        quiet_subject=_checked(templates.subject, None, {**base, "paper": None, "more": 0}),
        preheaders=tuple(
            (view.preheader("", day), view.preheader(f"Also: {view.title}", day)) for view in views
        ),
        quiet_preheader=QUIET,
        words={length: tuple(view.words(length) for view in views) for length in LENGTHS},
    )
    return sheet, quarantined


def printable_publication(publication: Publication) -> Publication:
    """The newsletter with what cannot be printed left out of its names."""
    return replace(
        publication,
        name=printable(publication.name),
        sender_name=printable(publication.sender_name),
        postal_address=printable(publication.postal_address),
    )


def _base(issue: Issue, publication: Publication) -> dict[str, object]:
    """What every block may name: the issue, and holes for what is the reader's own."""
    reader = ("email", "name", "preheader")
    links = ("preferences", "pause", "weekly", "unsubscribe", "edition")
    return {
        "publication": publication,
        "day": issue.day,
        "missing": tuple(printable(source) for source in issue.missing),
        **{name: placeholder(name) for name in reader},
        "links": {name: placeholder(name) for name in links},
    }


def _leaf(view: PaperView, templates: LetterTemplates, base: Context) -> _Leaf:
    """One paper set in every form, or the reason why it cannot be."""
    context = {**base, "paper": view}
    try:
        return _Leaf(
            html=tuple(_paper(templates.html, view, context)),
            text=tuple(_paper(templates.text, view, context)),
            subject=(
                _piece(_block(templates.subject, None, {**context, "more": 0})),
                _piece(_block(templates.subject, None, {**context, "more": placeholder("more")})),
            ),
        )
    except RenderError as error:
        return _Leaf(fault=str(error))


def _paper(template: jinja2.Template, view: PaperView, context: Context) -> Iterator[str]:
    for length in LENGTHS:
        card = {"summary": view.summaries[length], "lead": length == "lead"}
        yield _block(template, "card", {**context, **card})
    yield _block(template, "row", context)


def _face(
    template: jinja2.Template,
    base: Context,
    names: Sequence[str],
    leaves: Sequence[tuple[str, ...]],
) -> PartFragments:
    *cards, rows = zip(*leaves, strict=True) if leaves else [()] * (len(LENGTHS) + 1)
    frame = {**base, "because": placeholder("because")}
    return PartFragments(
        frame={name: _piece(_checked(template, name, frame)) for name in FRAME},
        counts={name: _forms(template, name, base) for name in COUNTS},
        headings={
            name: _piece(_checked(template, "heading", _headed(base, name))) for name in names
        },
        cards=dict(zip(LENGTHS, cards, strict=True)),
        rows=rows,
    )


def _headed(base: Context, name: str) -> Context:
    """What a heading may name: its words, and the topic they are of, if it is one's."""
    return {
        **base,
        "name": printable(name),
        "topic": "" if name in {TOP, OTHER, BY_FILTER} else name,
    }


def _forms(template: jinja2.Template, name: str, base: Context) -> Forms:
    none, one, many = (
        _piece(_checked(template, name, {**base, "n": n})) for n in (0, 1, placeholder(name))
    )
    return none, one, many


def _piece(text: str) -> Fragment:
    return tuple(_HOLE.split(text))


def _checked(template: jinja2.Template, name: str | None, context: Context) -> str:
    """A block of the frame: here a fault is the template's own."""
    try:
        return _block(template, name, context)
    except RenderError as error:
        raise TemplateError(str(error), file=template.name or "") from error


def render_template(template: jinja2.Template, context: Context) -> str:
    """All of a template.

    Raises:
        RenderError: it cannot be set with this context; names the template.
    """
    return _block(template, None, context)


def _block(template: jinja2.Template, name: str | None, context: Context) -> str:
    """One block of a template, or all of it; what UTF-8 cannot hold is a fault."""
    setting = template.root_render_func if name is None else template.blocks[name]
    try:
        text = "".join(setting(template.new_context(dict(context))))
        text.encode()
    except _FAULTS as error:
        place = template.name if name is None else f"{template.name}, block {name}"
        raise RenderError(f"{place}: {error}") from error
    return text


NOTES: Mapping[str, tuple[str, ...]] = {
    "confirm": ("confirm", "hours"),
    "farewell": ("email", "back", "hours"),
    "known": ("preferences",),
    "move": ("confirm", "hours"),
    "welcome": ("email", "preferences", "unsubscribe"),
    "report": ("headline", "lines"),
}
"""Every kind of note, and what it is told besides the publication.

``confirm``, ``back``, ``preferences`` and ``unsubscribe`` are addresses of pages, ``hours`` is how
long the first two hold, ``email`` is the reader's; ``known`` answers somebody who joins again,
``move`` asks at a reader's new address, ``welcome`` greets a newcomer for whom the day has no
letter, ``farewell`` tells somebody that they left by the page. ``report`` goes to the operator, its
``lines`` are what happened and what mends it, one a line. Nothing a stranger typed is among
what a confirmation says: whoever signs an address up may not be its owner.
"""


def render_note(
    kind: str, templates: LetterTemplates, publication: Publication, words: Mapping[str, str]
) -> Rendering:
    """Set a note.

    Args:
        kind: one of :data:`NOTES`.
        templates: the kind's, as :func:`newsletter.templates.load_note_templates` makes them.
        publication: the newsletter, as its letters name it.
        words: all that the kind is told, by name.

    Raises:
        RenderError: a word is missing, or the templates cannot set it.
    """
    if missing := [word for word in NOTES[kind] if word not in words]:
        raise RenderError(f"The note {kind} is not told: {', '.join(missing)}.")
    said = {word: "\n".join(map(printable, words[word].splitlines())) for word in NOTES[kind]}
    context = {"publication": printable_publication(publication), **said}
    return Rendering(
        subject=(" ".join(render_template(templates.subject, context).split()),),
        html=render_template(templates.html, context),
        text=render_template(templates.text, context),
    )
