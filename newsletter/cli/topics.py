"""``newsletter topics``."""

import typer

from newsletter.cli.options import CONFIG, Config, Json, Quiet, Verbose
from newsletter.cli.output import Voice, table
from newsletter.config import curated_topics

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def topics_commands() -> None:
    """The topics that ship with the newsletter.

    Example: newsletter topics list
    """


@app.command("list")
def list_topics(
    *,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Every topic that newsletter.yaml may take by its name.

    Example: newsletter topics list
    """
    del config
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
    voice = Voice(json, quiet, verbose)
    rows = [(topic.name, topic.about) for topic in topics]
    voice.give(document, lambda: table(("topic", "about"), rows))
    return 0
