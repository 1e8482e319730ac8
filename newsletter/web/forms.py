"""What readers wrote into a form, as a subscriber, or what is wrong with it, field by field."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from newsletter.config.subscribers import WEEKDAYS, one_subscriber
from newsletter.config.yaml_file import Value
from newsletter.errors import InvalidFileError
from newsletter.model import Subscriber
from newsletter.web.browser import Form

MOST_RULES = 100
"""Rules in one list; more belong into a topic of the newsletter's."""

LISTS = ("include", "exclude")
PLAIN = ("min_upvotes", "max_items", "cadence", "day", "at", "timezone", "summary")


class WrongFieldsError(Exception):
    """A form that cannot be taken.

    Attributes:
        problems: what is wrong, by the field's name.
    """

    def __init__(self, problems: Mapping[str, Sequence[str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(text for texts in problems.values() for text in texts))


def wanted(form: Form, email: str, topics: Collection[str]) -> Subscriber:
    """The subscriber a form describes, under this address.

    Raises:
        WrongFieldsError: all that is wrong with it.
    """
    try:
        return one_subscriber(_entry(form, email), topics)
    except InvalidFileError as error:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for each in error.errors:
            found[_field(each.where)].append(each.problem)
        raise WrongFieldsError(found) from error


def _entry(form: Form, email: str) -> dict[str, Value]:
    entry: dict[str, Value] = {"email": email}
    for name in PLAIN:
        if text := form.one(name):
            entry[name] = text
    if chosen := form.all("topics"):
        entry["topics"] = [*chosen]
    for name in LISTS:
        rules = [line.strip() for line in form.one(name).splitlines() if line.strip()]
        if len(rules) > MOST_RULES:
            raise WrongFieldsError(
                {name: [f"{len(rules)} rules; {MOST_RULES} is the most. Join some with “or”"]}
            )
        if rules:
            entry[name] = [*rules]
    return entry


def _field(where: str) -> str:
    """``include`` of ``subscribers.0.include.2``."""
    _, _, *rest = where.split(".")
    return rest[0] if rest else "email"


def filled(subscriber: Subscriber) -> Form:
    """The form that describes a subscriber as they are."""
    wants = subscriber.filter
    plain = {
        "min_upvotes": str(wants.min_upvotes or ""),
        "max_items": str(wants.max_items or ""),
        "cadence": subscriber.cadence or "",
        "day": WEEKDAYS[subscriber.day],
        "at": subscriber.at or "",
        "timezone": subscriber.timezone or "",
        "summary": subscriber.summary,
        "include": "\n".join(rule.text for rule in wants.include),
        "exclude": "\n".join(rule.text for rule in wants.exclude),
        "email": subscriber.email,
    }
    return Form({**{name: [text] for name, text in plain.items()}, "topics": wants.topics})
