"""``newsletter sources``: lines of newsletter.yaml for feeds, and lists of feeds."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.files import read_file
from newsletter.app.wiring import open_app
from newsletter.cli.command import command, command_list, group
from newsletter.cli.output import Output, count_of
from newsletter.config.sources import FeedSource, kind_of_address
from newsletter.config.subscriptions import (
    Lines,
    Subscriptions,
    problem_of,
    read_opml,
    source_line,
    write_opml,
)
from newsletter.errors import SourceError, UsageError
from newsletter.sources import SourceClient
from newsletter.sources.feed_finding import FoundFeed, find_feeds

commands = command_list()
sources_group = group(
    commands,
    "sources",
    """Find the feed behind a page's address; import and export lists of feeds (OPML).

    Example: newsletter sources find https://example.org/blog
    """,
)


@command(sources_group, "import")
def import_sources(
    config: Path,
    output: Output,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A list of feeds (OPML).")],
) -> int:
    """Print the lines of newsletter.yaml for a list of feeds, to paste below `sources:`.

    Example: newsletter sources import feeds.opml

    Feeds of arXiv, bioRxiv and medRxiv become sources of these kinds. Entries that are left out
    follow as comments, with their line and the reason.
    """
    body = read_file(file, "give a list of feeds that a feed reader exported (OPML)")
    found = read_opml(body, _configured_feeds(config) if config.exists() else ())
    if not found.sources and not found.left_out:
        raise UsageError(f"{file}: it has no feeds; export a list of feeds (OPML) and try again")
    output.result(
        {
            "sources": found.sources,
            "left_out": [
                {"line": each.line, "name": each.name, "why": each.why} for each in found.left_out
            ],
        },
        "\n".join(_listed(found)),
    )
    counts = f"{count_of(len(found.sources), 'source')}, {len(found.left_out)} left out"
    output.message(f"{file}: {counts}; paste the lines into {config.name}")
    return 0


def _listed(found: Subscriptions) -> Iterator[str]:
    yield "sources:"
    yield from map(source_line, found.sources)
    for each in found.left_out:
        yield f"  # line {each.line}: {each.name}: {each.why}"


def _configured_feeds(config: Path) -> list[str]:
    with open_app(config) as app:
        return [one.url for one in app.settings.sources if isinstance(one, FeedSource)]


@command(sources_group, "export")
def export_sources(config: Path, output: Output) -> int:
    """Print the configured feeds as a list that feed readers can import (OPML).

    Example: newsletter sources export > feeds.opml
    """
    with open_app(config) as app:
        name, sources = app.settings.name, app.settings.sources
    feeds = [(one.display_name, one.url) for one in sources if isinstance(one, FeedSource)]
    document = {"feeds": [{"name": feed, "url": url} for feed, url in feeds]}
    output.result(document, write_opml(name, feeds).rstrip())
    if others := len(sources) - len(feeds):
        output.message(
            f"{count_of(others, 'source')} of other kinds left out: such a list has feeds only"
        )
    return 0


@command(sources_group)
def find(
    config: Path,
    output: Output,
    address: Annotated[str, typer.Argument(metavar="URL", help="A page or a feed.")],
    *,
    private: Annotated[
        bool, typer.Option("--private", help="The address is on your own network.")
    ] = False,
) -> int:
    """Print the lines of newsletter.yaml for the feeds behind a page's address.

    Example: newsletter sources find https://example.org/blog

    The feeds are those that the page links; if it links none, the usual places are tried. Exit
    code 4: there is no feed.
    """
    if problem := problem_of(address):
        raise UsageError(f"{address}: {problem}")
    own = kind_of_address(address)
    if own is not None:
        output.result({"sources": [own], "failures": []}, f"sources:\n{source_line(own)}")
        return 0
    with open_app(config) as app:
        client = SourceClient(app.client, allow_private_addresses=private, retry_for=0)
        feeds, failures = asyncio.run(find_feeds(client, address, app.clock.now()))
    if not feeds:
        raise SourceError(
            "; ".join(failures)
            or f"{address}: the page links no feed, and there is none in the usual places"
        )
    found = list(_settings_of(feeds, private=private))
    pairs = zip(feeds, found, strict=True)
    lines = [f"{source_line(lines)}  # {count_of(feed.entries, 'paper')}" for feed, lines in pairs]
    output.result(
        {"sources": found, "failures": failures},
        "\n".join(("sources:", *lines, *(f"  # {failure}" for failure in failures))),
    )
    return 0


def _settings_of(feeds: Iterable[FoundFeed], *, private: bool) -> Iterator[Lines]:
    for feed in feeds:
        named = {"name": feed.name} if feed.name else {}
        allowed = {"allow_private_addresses": True} if private else {}
        yield kind_of_address(feed.url) or {"kind": "feed", **named, "url": feed.url, **allowed}
