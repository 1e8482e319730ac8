"""What is wrong with a letter, or could be better, read off its bytes."""

from newsletter.proof.linting.checks import findings
from newsletter.proof.linting.finding import Finding, Weight
from newsletter.proof.linting.spam import spam_finding

__all__ = ["Finding", "Weight", "findings", "spam_finding"]
