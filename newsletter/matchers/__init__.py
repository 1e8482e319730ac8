"""Matchers: what matches what. By rules alone so far; meaning is another adapter's."""

from newsletter.matchers.rules import RulesMatcher

__all__ = ["RulesMatcher"]
