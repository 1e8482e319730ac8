"""What is known of a paper's upvotes from before."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from newsletter.issue.trends import find_trends
from tests.support.factories import paper
from tests.support.letters import issue

MONDAY = date(2026, 8, 17)


@pytest.mark.parametrize(
    ("upvotes", "days", "trend"),
    [
        (98, {3: 58, 0: 98}, "up 40 since Friday"),
        (98, {6: 20, 3: 58}, "up 78 since Tuesday"),
        (98, {1: 58, 0: 98}, "up 40 since yesterday"),
        (58, {1: 50, 0: 58}, "second day"),
        (900, {1: 860, 0: 900}, "second day"),
        (12, {2: 12, 1: 12, 0: 12}, "third day"),
        (12, {3: 12}, ""),
        (98, {7: 20}, ""),
        (98, {0: 98}, ""),
        (0, {1: 0, 0: 0}, ""),
        (None, {}, ""),
        (8, {3: 12, 0: 8}, "second day"),
    ],
)
def test_trend_says_what_grew_and_since_when(
    upvotes: int | None, days: dict[int, int], trend: str
) -> None:
    papers = [paper(1, upvotes=upvotes), paper(2, upvotes=upvotes)]
    counts = {MONDAY - timedelta(days=back): count for back, count in days.items()}
    made = issue([*papers, replace(papers[1], muted=True)], day=MONDAY)
    found = find_trends(made, {1: counts, 2: counts}, cutoff=1)
    assert found == ({0: trend} if trend else {})
