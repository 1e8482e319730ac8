"""The send journal: a second record of the sent letters, outside the store.

A store restored from an older backup has forgotten letters that readers have received, and would
send them again. The journal prevents that: for each issue it keeps two files in a folder of its
own, with a line of JSON for each entry. ``DATE.waves`` has the papers in each reader's letter,
``DATE.letters`` the marked letters and their outcomes, ``readers`` who left or came back. Lines are
appended after the store's own commit, so the journal is never ahead of a store that was not
restored. It contains no addresses: readers are identified by keyed hashes. ``newsletter store
restored`` recovers from it.
"""

from newsletter.stores.journal.records import (
    JournaledLetter,
    JournaledWave,
    ReaderEntries,
    Restoration,
    combined,
)
from newsletter.stores.journal.send_journal import Journaled, SendJournal

__all__ = [
    "Journaled",
    "JournaledLetter",
    "JournaledWave",
    "ReaderEntries",
    "Restoration",
    "SendJournal",
    "combined",
]
