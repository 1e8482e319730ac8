"""What a person chose to see."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal, TypeVar, get_args
from urllib.parse import urlencode

View = Literal["html", "text", "headers", "source"]
Width = Literal["desktop", "phone"]
Scheme = Literal["light", "dark"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letter, and how it is shown.

    Attributes:
        day: the issue's day.
        email: whose letter; empty for that of somebody who wants everything.
        theme: its theme.
        anew: with all papers of the day, as if nothing had ever been sent.
        view: which side of it.
        width: how wide the screen.
        scheme: whether that is a light or a dark one.
    """

    day: date
    email: str
    theme: str
    anew: bool = False
    view: View = "html"
    width: Width = "desktop"
    scheme: Scheme = "light"

    @property
    def letter(self) -> tuple[date, str, str, bool]:
        """What the letter's bytes depend on."""
        return self.day, self.email, self.theme, self.anew

    @property
    def query(self) -> str:
        """The choice as the end of an address."""
        fields = {name: str(value) for name, value in asdict(self).items()}
        return urlencode(fields | {"anew": "1" if self.anew else ""})


def choice_of(query: Mapping[str, str], default: Choice, themes: tuple[str, ...]) -> Choice:
    """The choice in an address; what is not there or makes no sense is as in ``default``."""
    try:
        day = date.fromisoformat(query.get("day", ""))
    except ValueError:
        day = default.day
    theme = query.get("theme", "")
    return Choice(
        day=day,
        email=query.get("email", default.email),
        theme=theme if theme in themes else default.theme,
        anew=bool(query.get("anew", "")),
        view=_one_of(get_args(View), query.get("view"), default.view),
        width=_one_of(get_args(Width), query.get("width"), default.width),
        scheme=_one_of(get_args(Scheme), query.get("scheme"), default.scheme),
    )


def _one_of(choices: Sequence[T], value: str | None, default: T) -> T:
    return next((choice for choice in choices if choice == value), default)
