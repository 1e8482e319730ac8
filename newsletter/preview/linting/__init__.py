"""What is wrong with a letter, or could be better, read off its bytes."""

from newsletter.preview.linting.checks import findings
from newsletter.preview.linting.finding import Finding, Weight
from newsletter.preview.linting.spam import spam_finding

__all__ = ["Finding", "Weight", "findings", "spam_finding"]
