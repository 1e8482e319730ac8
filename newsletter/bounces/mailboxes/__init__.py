"""Mailboxes with returned mail: a Maildir, an mbox file, a stream, an IMAP folder, POP3.

None of them is ever emptied. What was read is remembered in the store, by the names that a mailbox
gives its mails; the flag that another mail program sets does not matter.
"""

from newsletter.bounces.mailboxes.imap import ImapFolder
from newsletter.bounces.mailboxes.mailbox import MAX_BYTES, Mail, Mailbox, OpenMailbox
from newsletter.bounces.mailboxes.maildir import Maildir
from newsletter.bounces.mailboxes.mbox import Mbox, stream_mails
from newsletter.bounces.mailboxes.pop3 import Pop3Mailbox
from newsletter.bounces.mailboxes.server import MailServer

__all__ = [
    "MAX_BYTES",
    "ImapFolder",
    "Mail",
    "MailServer",
    "Mailbox",
    "Maildir",
    "Mbox",
    "OpenMailbox",
    "Pop3Mailbox",
    "stream_mails",
]
