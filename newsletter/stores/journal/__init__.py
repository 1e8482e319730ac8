"""The witness: what has left, written down outside the store.

A store restored from an older backup has forgotten letters that readers have got. The witness has
not: two files for each issue, in a folder of its own, each a line of JSON after the other.
``DATE.waves`` says which papers stood in whose letter, ``DATE.letters`` which letters were marked
and what became of them; ``readers`` tells who left, or came back. Lines are appended after the
store's own commit, so that the witness is never ahead of a store that was not restored. It names
nobody: readers stand under keyed hashes.
"""

from newsletter.stores.journal.history import Journaled, Noted, Restoration, SeenWave
from newsletter.stores.journal.journal import SendJournal
from newsletter.stores.journal.records import Named

__all__ = ["Journaled", "Named", "Noted", "Restoration", "SeenWave", "SendJournal"]
