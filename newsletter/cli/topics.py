"""``newsletter topics``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Day, command, command_list, find_readers, group, issue_day
from newsletter.cli.output import Output, count_of, table
from newsletter.config import curated_topics
from newsletter.config.fields import pointed
from newsletter.config.subscribers import mailbox_key
from newsletter.errors import ConfigurationError, UsageError
from newsletter.issue.composing import quote_rule, split_evidence
from newsletter.model import Filter, Subscriber, Topic, Verdict
from newsletter.papers.advice import advise
from newsletter.papers.filters import parse_rule
from newsletter.publisher.previewing import FilterPreview, preview_filters

commands = command_list()
topics_group = group(
    commands,
    "topics",
    """List the bundled topics, try out topics and filters on past papers, change topics.

    Example: newsletter topics list
    """,
)

SHOWN = 5  # how many matches, and how many near misses, are printed


@command(topics_group, "list")
def list_topics(_config: Path, output: Output) -> int:
    """List every topic that newsletter.yaml can use by its name, in groups.

    Example: newsletter topics list
    """
    topics = curated_topics()
    document = [
        {
            "name": topic.name,
            "group": topic.group,
            "about": topic.about,
            "example": topic.example,
            "phrases": list(topic.phrases),
            "any": [rule.text for rule in topic.any],
            "none": [rule.text for rule in topic.none],
            "categories": list(topic.categories),
        }
        for topic in topics
    ]
    output.result(document, _in_groups(topics))
    return 0


def _in_groups(topics: Sequence[Topic]) -> str:
    """Each group's topics below its name, with what they are about."""
    lines = table(("topic", "about"), [(f"  {t.name}", t.about) for t in topics]).splitlines()[1:]
    groups: dict[str, list[str]] = {}
    for topic, line in zip(topics, lines, strict=True):
        groups.setdefault(topic.group, []).append(line)
    return "\n\n".join("\n".join((group, *rows)) for group, rows in groups.items())


@command(topics_group, "test")
def try_filters(
    config: Path,
    output: Output,
    wish: Annotated[
        str | None,
        typer.Argument(metavar="WORDS", help="A wish in plain words, or the name of a topic."),
    ] = None,
    *,
    reader: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="Try this reader's filter.")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=366, help="How many days to look back.")
    ] = 14,
    date: Day = None,
) -> int:
    """Show what filters would have matched in past days: papers a day, matches, near misses.

    Example: newsletter topics test "medical imaging, not speech" --days 7

    With --as, a reader's filter is tried as the file has it, so you can try a change before it
    takes effect. With neither, each topic of newsletter.yaml is tried. Nothing is stored.
    """
    if wish is not None and reader is not None:
        raise UsageError("give a wish, or a reader with --as, not both")
    with open_app(config) as app:
        today = issue_day(date, app.clock, app.settings.timezone)
        tried = _candidates(app, reader) if wish is None else _try_wish(app, output, wish)
        found = preview_filters(
            app.unsynced_publisher, [*tried.values()], today, days, None if output.json else SHOWN
        )
        results = dict(zip(tried, found, strict=True))
    output.result(
        [_document(name, previews) for name, previews in results.items()],
        "\n\n".join(_lines(name, previews) for name, previews in results.items()),
    )
    if not any(found):
        output.message(f"no papers are stored for the last {count_of(days, 'day')}")
    return 0


def _try_wish(app: App, output: Output, wish: str) -> dict[str, Subscriber]:
    """The filter of a wish, or of the topic that it names.

    Raises:
        ConfigurationError: the wish can find nothing.
    """
    sender, words = app.settings.publication.sender_email, wish.strip().removeprefix("about:")
    if topic := app.known_topics.get(words):
        return {topic: Subscriber(sender, filter=Filter(topics=(topic,)))}
    rule = parse_rule(f"about: {words}")
    for advice in advise(rule.text, app.settings.paper_fields, app.matcher):
        said = pointed(advice.problem, rule.text, advice.column)
        if advice.certain:
            raise ConfigurationError(said)
        output.message(f"warning: {said}")
    return {words.strip(): Subscriber(sender, filter=Filter(include=(rule,)))}


def _candidates(app: App, email: str | None) -> dict[str, Subscriber]:
    """The filters to try: one reader's, or one for each topic of newsletter.yaml."""
    if email is None:
        sender = app.settings.publication.sender_email
        names = (topic.name for topic in app.settings.topics)
        return {name: Subscriber(sender, filter=Filter(topics=(name,))) for name in names}
    for listed in app.listed_subscribers:
        if mailbox_key(listed.email) == mailbox_key(email):
            return {email: listed}
    return {email: find_readers(app.store.each_reader(), [email])[0].subscriber}


def _document(name: str, previews: Sequence[FilterPreview]) -> dict[str, object]:
    return {
        "filter": name,
        "days": [
            {
                "date": preview.day.isoformat(),
                "papers": preview.papers,
                "included": [_verdict(verdict) for verdict in preview.included],
                "near_misses": [_verdict(verdict) for verdict in preview.near_misses],
            }
            for preview in previews
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {"paper": verdict.paper, "title": verdict.title, "reason": verdict.reason}


def _lines(name: str, previews: Sequence[FilterPreview]) -> str:
    matches = [verdict for preview in previews for verdict in preview.included]
    misses = [verdict for preview in previews for verdict in preview.near_misses]
    average = sum(each.matches for each in previews) / len(previews) if previews else 0
    return "\n".join(
        (
            f"{name}: {average:.1f} papers a day over {count_of(len(previews), 'day')}",
            *(f"  in    {verdict.title} ({_why(name, verdict)})" for verdict in matches[:SHOWN]),
            *(f"  near  {verdict.title} ({verdict.reason})" for verdict in misses[:SHOWN]),
        )
    )


def _why(name: str, verdict: Verdict) -> str:
    """The reason for a paper; of the wish that is tried, which stands above, the evidence alone."""
    before, evidence = split_evidence(verdict.reason)
    wish = quote_rule("include", f"about: {name}")
    return evidence.strip(" ()") if evidence and before == wish else verdict.reason
