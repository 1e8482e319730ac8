"""The invariants that an audit proves; docs/delivery.md says why each is one."""

from collections.abc import Mapping

INVARIANTS: Mapping[str, str] = {
    "I1": "every planned delivery is accepted, failed, suppressed, empty, expired, held or open",
    "I2": "at most one letter accepted for a reader",
    "I3": "no letter left without a mark before it",
    "I4": "accepted only with the receiver's 2xx or receipt, or on the operator's word",
    "I5": "done only when nothing is open",
    "I6": "one Message-ID, one letter: the same bytes under it",
    "I7": "no paper accepted twice for a reader",
    "I8": "every paper owed at the freeze is in the edition or has its reason",
    "I9": "nothing marked after a reader left",
    "I10": "the letter went to the reader it was made for",
}
"""Each invariant by its id, in a line."""
