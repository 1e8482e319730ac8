"""Readers by the addresses a person types: capital letters do not matter."""

from collections.abc import Sequence

from newsletter.config.subscribers import same_mailbox
from newsletter.errors import UsageError
from newsletter.model import Reader
from newsletter.ports import Store


def readers_called(store: Store, emails: Sequence[str]) -> list[Reader]:
    """The readers at these addresses, in that order.

    Raises:
        UsageError: one of them is nobody's.
    """
    wanted = {same_mailbox(email) for email in emails}
    named = ((same_mailbox(one.subscriber.email), one) for one in store.each_reader())
    known = {mailbox: one for mailbox, one in named if mailbox in wanted}
    for email in emails:
        if same_mailbox(email) not in known:
            raise UsageError(
                f"there is no reader {email}; `newsletter subscribers list` names them"
            )
    return [known[same_mailbox(email)] for email in emails]
