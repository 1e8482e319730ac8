"""``newsletter topics``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import App, open_app
from newsletter.cli.addresses import readers_called
from newsletter.cli.command import Day, command, group, issue_day
from newsletter.cli.output import Output, counted, table
from newsletter.config import curated_topics
from newsletter.config.subscribers import same_mailbox
from newsletter.model import Filter, Subscriber, Verdict
from newsletter.publisher.filter_preview import FilterPreview, try_out

app = group()


@app.callback()
def topics_commands() -> None:
    """The topics that ship, and what topics and filters would have brought.

    Example: newsletter topics list
    """


@command(app, "list")
def list_topics(_config: Path, output: Output) -> int:
    """Every topic that newsletter.yaml may take by its name.

    Example: newsletter topics list
    """
    topics = curated_topics()
    document = [
        {
            "name": topic.name,
            "about": topic.about,
            "any": [rule.text for rule in topic.any],
            "none": [rule.text for rule in topic.none],
            "categories": list(topic.categories),
        }
        for topic in topics
    ]
    rows = [(topic.name, topic.about) for topic in topics]
    output.give(document, lambda: table(("topic", "about"), rows))
    return 0


SHOWN = 5
"""Titles shown of the last matches and of the near misses."""


@command(app, "test")
def try_filters(
    config: Path,
    output: Output,
    *,
    reader: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="This reader's filter.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How far back.")] = 14,
    date: Day = None,
) -> int:
    """What filters would have brought over the stored days: papers a day, matches, near misses.

    Example: newsletter topics test --as ada@example.org --days 7

    The reader's filter is taken from the file as it stands, saved or not. Without --as it is each
    topic of newsletter.yaml. Nothing is stored.
    """
    with open_app(config) as app:
        today = issue_day(date, app.clock, app.settings.timezone)
        tried = {
            name: try_out(app.preview_publisher, subscriber, today, days)
            for name, subscriber in _candidates(app, reader).items()
        }
    output.give(
        [_document(name, trials) for name, trials in tried.items()],
        lambda: "\n\n".join(_lines(name, trials) for name, trials in tried.items()),
    )
    return 0


def _candidates(app: App, email: str | None) -> dict[str, Subscriber]:
    if email is None:
        sender = app.settings.publication.sender_email
        return {name: Subscriber(sender, filter=Filter(topics=(name,))) for name in app.topic_names}
    for listed in app.listed_subscribers:
        if same_mailbox(listed.email) == same_mailbox(email):
            return {email: listed}
    return {email: readers_called(app.store, [email])[0].subscriber}


def _document(name: str, trials: Sequence[FilterPreview]) -> dict[str, object]:
    return {
        "filter": name,
        "days": [
            {
                "date": trial.day.isoformat(),
                "papers": trial.papers,
                "included": [_verdict(verdict) for verdict in trial.included],
                "near_misses": [_verdict(verdict) for verdict in trial.near_misses],
            }
            for trial in trials
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {"paper": verdict.paper, "title": verdict.title, "reason": verdict.reason}


def _lines(name: str, trials: Sequence[FilterPreview]) -> str:
    matches = [verdict for trial in trials for verdict in trial.included]
    misses = [verdict for trial in trials for verdict in trial.near_misses]
    a_day = len(matches) / len(trials) if trials else 0
    return "\n".join(
        (
            f"{name}: {a_day:.1f} papers a day over {counted(len(trials), 'day')}",
            *(f"  in    {verdict.title} ({verdict.reason})" for verdict in matches[:SHOWN]),
            *(f"  near  {verdict.title} ({verdict.reason})" for verdict in misses[:SHOWN]),
        )
    )
