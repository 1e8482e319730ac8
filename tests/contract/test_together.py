"""Several processes over one database: two daemons and a ``send`` at once (R13)."""

import os
from collections import Counter
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from tests.support.cli import Newsletter
from tests.support.daemons import awake, heeds_sigterm, not_at_midnight, papers, set_up, stop, until
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"

pytestmark = not_at_midnight


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(100 if FULL else 1))
def test_two_daemons_and_a_send_at_once_are_one_issue_and_one_letter_each(
    tmp_path: Path, round_: int, database_url: str
) -> None:
    readers = 20 + round_ % 7
    with open_inbox() as inbox, serve(daily_papers(papers())) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        set_up(newsletter, origin, readers=readers, store=database_url)
        today = SystemClock().now().date().isoformat()
        with awake(newsletter) as one, awake(newsletter) as other:
            until(lambda: heeds_sigterm(one) and heeds_sigterm(other), one, other)
            newsletter.run("send", "--yes", "--date", today)
            until(lambda: len(inbox.arrivals) >= readers, one, other)
            until(lambda: newsletter.json("status", today)["state"] == "done", one, other)
            stop(one)
            stop(other)
    arrived = Counter(arrival.recipient for arrival in inbox.arrivals)
    assert (len(arrived), set(arrived.values())) == (readers, {1})
    assert len({arrival.message["Message-ID"] for arrival in inbox.arrivals}) == readers
