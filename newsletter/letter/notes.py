"""Set a note: a short letter to one reader about their subscription, not about papers."""

from collections.abc import Mapping

from newsletter.errors import RenderError
from newsletter.letter.display import shown
from newsletter.letter.rendering import Templates, presentable, run
from newsletter.model import Publication, Rendering

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


def note(
    kind: str, templates: Templates, publication: Publication, words: Mapping[str, str]
) -> Rendering:
    """Set a note.

    Args:
        kind: one of :data:`NOTES`.
        templates: the kind's, as :func:`newsletter.templates.load_note` makes them.
        publication: the newsletter, as its letters name it.
        words: all that the kind is told, by name.

    Raises:
        RenderError: a word is missing, or the templates cannot set it.
    """
    if missing := [word for word in NOTES[kind] if word not in words]:
        raise RenderError(f"The note {kind} is not told: {', '.join(missing)}.")
    said = {word: "\n".join(map(shown, words[word].splitlines())) for word in NOTES[kind]}
    context = {"publication": presentable(publication), **said}
    return Rendering(
        subject=(" ".join(run(templates.subject, context).split()),),
        html=run(templates.html, context),
        text=run(templates.text, context),
    )
