"""Advice for operators and readers on rules that are valid, but find nothing or too much."""

from collections.abc import Collection, Iterator

from newsletter.config.fields import pointed
from newsletter.config.yaml_file import Document, SettingPath, Value
from newsletter.errors import ConfigurationError, FilterError
from newsletter.model import Advice, Subscriber
from newsletter.papers.advice import advise, not_given
from newsletter.ports import Matcher

_RULES = {"topics": ("any", "none"), "subscribers": ("include", "exclude")}
"""The lists of rules that an entry of each section has."""


def check_rules(
    document: Document,
    fields: Collection[str],
    matcher: Matcher | None = None,
    *,
    certain: bool = False,
) -> list[ConfigurationError]:
    """The advice on every rule of a file, with its line; with ``certain`` only on dead rules.

    ``fields`` are those that the newsletter's sources give; the ``matcher`` judges wishes in plain
    words. Rules that cannot be parsed are left out, because validation reports them.
    """
    return [
        document.error_at(path, pointed(advice.problem, text, advice.column))
        for path, text in _rules(document)
        for advice in rule_advice(text, fields, matcher)
        if advice.certain or not certain
    ] + ([] if certain or "category" in fields else [*_dead_categories(document)])


def rule_advice(text: str, fields: Collection[str], matcher: Matcher | None = None) -> list[Advice]:
    """The advice on a rule; none if it cannot be parsed."""
    try:
        return advise(text, fields, matcher)
    except FilterError:
        return []


def rule_warnings(
    subscriber: Subscriber, fields: Collection[str], matcher: Matcher
) -> Iterator[str]:
    """What a subscriber's rules find otherwise than they may ask for, with the place in each."""
    for rule in (*subscriber.filter.include, *subscriber.filter.exclude):
        for advice in rule_advice(rule.text, fields, matcher):
            yield pointed(advice.problem, rule.text, advice.column)


def entries(document: Document, section: str) -> Iterator[tuple[int, dict[str, Value]]]:
    """Every entry of a section that is a mapping, with its index; validation reports the others."""
    listed = document.value.get(section) if isinstance(document.value, dict) else None
    for place, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict):
            yield place, entry


def _rules(document: Document) -> Iterator[tuple[SettingPath, str]]:
    for section, names in _RULES.items():
        for place, entry in entries(document, section):
            for name in names:
                texts = entry.get(name)
                for at, text in enumerate(texts if isinstance(texts, list) else ()):
                    if isinstance(text, str):
                        yield (section, place, name, at), text


def _dead_categories(document: Document) -> Iterator[ConfigurationError]:
    for place, entry in entries(document, "topics"):
        if entry.get("categories"):
            path = ("topics", place, "categories")
            yield document.error_at(path, not_given("category", "this"))
