"""``newsletter topics rename | merge | remove``: change topics without losing their readers."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.app.files import read_file
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Yes, command, issue_day
from newsletter.cli.output import Output, confirm, count_of, table
from newsletter.cli.topics import commands, topics_group
from newsletter.config import read_settings
from newsletter.config.models import Settings
from newsletter.config.rules import entries
from newsletter.config.topic_edits import TopicsText
from newsletter.config.yaml_file import load
from newsletter.errors import UsageError
from newsletter.model import OperatorAct, Reader, Topic
from newsletter.papers.topics import followed_topics
from newsletter.publisher.previewing import count_matches
from newsletter.readers.operating import COMMAND_LINE

__all__ = ["commands"]

DAYS = 14  # how many past days the papers of readers are counted on
SHOWN = 10  # how many readers are listed, those first whose papers change most

Name = Annotated[str, typer.Argument(metavar="NAME", help="A topic's name.")]


@command(topics_group, "rename")
def rename_topic(
    config: Path,
    output: Output,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The topic's present name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    *,
    yes: Yes = False,
) -> int:
    """Rename a topic in newsletter.yaml; its readers keep it.

    Example: newsletter topics rename Vision "Computer vision"

    Shows who follows it, and what they would get, and asks. If you have renamed the topic yourself
    and its readers have lost it, this adds the former name to it.
    """
    with open_app(config) as app:
        edit = _Edit.of(app)
        return _apply(app, output, edit.renamed(old, new), f"{old} → {new}", yes=yes)


@command(topics_group, "merge")
def merge_topics(
    config: Path,
    output: Output,
    names: Annotated[list[str], typer.Argument(metavar="NAME... INTO", help="The topics' names.")],
    *,
    yes: Yes = False,
) -> int:
    """Merge topics in newsletter.yaml into one, with all their rules and readers.

    Example: newsletter topics merge Agents "Tool use" Agents

    INTO, the last name, is one of the newsletter's topics or a new name. Shows who follows them,
    and what they would get, and asks.
    """
    *merged, into = names
    if not {*merged} - {into}:
        raise UsageError("name the topics to merge, then the one that they become")
    with open_app(config) as app:
        edit = _Edit.of(app)
        if into not in edit.topics:
            first, *merged = merged
            edit = edit.renamed(first, into)
        for name in merged:
            edit = edit.absorbed(name, into) if name != into else edit
        return _apply(app, output, edit, f"{', '.join(names[:-1])} → {into}", yes=yes)


@command(topics_group, "remove")
def remove_topic(
    config: Path,
    output: Output,
    name: Name,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="The topic its readers follow from now on.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it in its readers' choices, as a lost topic.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Remove a topic from newsletter.yaml.

    Example: newsletter topics remove Vision --to "Computer vision"

    If readers follow it, pass --to to give them another topic, or --keep to leave it in their
    choices, where it is shown as no longer offered. Nobody ends up with every paper. Shows
    who follows it, and what they would get, and asks.
    """
    with open_app(config) as app:
        edit = _Edit.of(app)
        topic = edit.topics.get(name)
        if topic is None:
            raise UsageError(f"newsletter.yaml has no topic {name!r}; see newsletter config show")
        without = replace(edit, text=edit.text.remove(name), touched=(*edit.touched, topic))
        if to is not None:
            text = without.text.add_names(to, (name, *topic.formerly))
            without = replace(without, text=text)
        elif (followers := _followers(app, without.touched)) and not keep:
            raise UsageError(
                f"{name} has {count_of(len(followers), 'reader')}: pass --to TOPIC to give them "
                "another topic, or --keep to leave it in their choices as no longer offered"
            )
        elif lines := [*_listed_lines(app, without.touched)]:
            places = "; ".join(lines)
            raise UsageError(f"{places}: remove {name} there first, or pass --to TOPIC")
        return _apply(app, output, without, f"{name} → {to or 'removed'}", yes=yes)


@dataclass(frozen=True, slots=True)
class _Edit:
    """The edited text of newsletter.yaml, and the topics that the edit has touched so far."""

    app: App
    text: TopicsText
    touched: tuple[Topic, ...] = ()

    @classmethod
    def of(cls, app: App) -> "_Edit":
        content = read_file(app.path, "name another with --config").decode("utf-8-sig")
        return cls(app, TopicsText(content, app.path.name))

    @property
    def settings(self) -> Settings:
        """The settings as they are now in the text.

        Raises:
            ConfigurationError: the edit makes the file wrong, as with a name that exists already.
        """
        text, app = self.text.text.encode(), self.app
        return read_settings(text, app.path.name, app.environment)

    @property
    def topics(self) -> dict[str, Topic]:
        """The topics by name, as they are now in the text."""
        return {each.name: each.topic for each in self.settings.topics}

    def renamed(self, old: str, new: str) -> "_Edit":
        """With another name for a topic; or with a former one, if it has its new name already."""
        topics = self.topics
        if old in topics:
            text = self.text.add_names(old, [old], new=new)
        elif new in topics:
            text = self.text.add_names(new, [old])
        else:
            raise UsageError(f"newsletter.yaml has no topic {old!r}; see newsletter config show")
        topic = topics.get(old) or replace(topics[new], formerly=(*topics[new].formerly, old))
        return replace(self, text=text, touched=(*self.touched, topic))

    def absorbed(self, name: str, into: str) -> "_Edit":
        """With the rules, phrases, categories and readers of one topic in another."""
        topics = self.topics
        if name not in topics:
            raise UsageError(f"newsletter.yaml has no topic {name!r}; see newsletter config show")
        gone, text = topics[name], self.text.remove(name)
        text = text.add_names(into, (name, *gone.formerly), [rule.text for rule in gone.any])
        text = text.with_items(into, "categories", gone.categories)
        text = text.with_items(into, "phrases", gone.phrases)
        return replace(self, text=text, touched=(*self.touched, gone, topics[into]))


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a change of topics means for one reader: papers of the last days, before and after."""

    reader: Reader
    before: int
    after: int


def _apply(app: App, output: Output, edit: _Edit, change: str, *, yes: bool) -> int:
    """Show what a change means, ask, write newsletter.yaml and record it."""
    settings = edit.settings
    effects = _effects(app, edit, settings)
    for line in _summary(edit, effects, change):
        output.message(line)
    rows = [(e.reader.subscriber.email, e.before, e.after) for e in _most_changed(effects)]
    if rows:
        output.message(table(("reader", "before", "after"), rows))
    if not (yes or confirm("Write newsletter.yaml?")):
        return 0
    _write(app.path, edit.text.text)
    act = OperatorAct(app.clock.now(), COMMAND_LINE, "changed topics", None, change)
    app.store.record_acts([act])
    output.result(_document(change, effects), f"{app.path.name}: {change}")
    output.message("Run `newsletter reload` so that a running newsletter uses it")
    return 0


def _followers(app: App, touched: Iterable[Topic]) -> list[Reader]:
    """The confirmed readers who follow one of these topics, under any name."""
    names = {name: topic.name for topic in touched for name in (topic.name, *topic.formerly)}
    return [
        reader
        for reader in app.readers()
        if reader.status == "confirmed" and followed_topics(reader.subscriber.filter.topics, names)
    ]


def _effects(app: App, edit: _Edit, settings: Settings) -> list[_Effect]:
    followers = _followers(app, edit.touched)
    wants = [reader.subscriber for reader in followers]
    today = issue_day(None, app.clock, app.settings.timezone)
    publisher = app.unsynced_publisher
    changed = replace(publisher, topics=tuple(each.topic for each in settings.topics))
    before = count_matches(publisher, wants, today, DAYS)
    after = count_matches(changed, wants, today, DAYS)
    return [_Effect(*each) for each in zip(followers, before, after, strict=True)]


def _summary(edit: _Edit, effects: Sequence[_Effect], change: str) -> Iterator[str]:
    in_file = sum(effect.reader.origin == "file" for effect in effects)
    yield (
        f"{change}: {count_of(len(effects), 'reader')} affected, {in_file} in the readers' file, "
        f"{len(effects) - in_file} in the store"
    )
    differing = sum(effect.before != effect.after for effect in effects)
    if effects:
        yield (
            f"papers of the last {DAYS} days: they change for {differing} of them, and "
            f"{sum(not e.after for e in effects)} would have got none"
        )
    for line in _listed_lines(edit.app, edit.touched):
        yield f"{line}: a former name works on; write the new one when you like"


def _listed_lines(app: App, touched: Iterable[Topic]) -> Iterator[str]:
    """The places in the readers' file that name these topics."""
    names = {name for topic in touched for name in (topic.name, *topic.formerly)}
    path = app.subscribers_file
    document = load(read_file(path, "write it"), path.name, app.environment)
    for place, entry in entries(document, "subscribers"):
        named = entry.get("topics")
        for at, name in enumerate(named if isinstance(named, list) else ()):
            if isinstance(name, str) and name.strip() in names:
                line = document.line(("subscribers", place, "topics", at))
                yield f"{path.name}:{line}: {name}"


def _most_changed(effects: Sequence[_Effect]) -> list[_Effect]:
    return sorted(effects, key=lambda e: (-abs(e.after - e.before), e.reader.id))[:SHOWN]


def _document(change: str, effects: Sequence[_Effect]) -> dict[str, Any]:
    return {
        "change": change,
        "days": DAYS,
        "readers": [
            {
                "reader": effect.reader.subscriber.email,
                "from": effect.reader.origin,
                "before": effect.before,
                "after": effect.after,
            }
            for effect in effects
        ],
    }


def _write(path: Path, text: str) -> None:
    """Put a new text in the place of a file, at once and with the same permissions."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        shutil.copymode(target, beside)
        beside.replace(target)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
