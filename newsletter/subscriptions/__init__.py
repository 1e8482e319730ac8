"""What readers do about their own subscription: join, confirm, follow, pause, leave, be forgotten.

Each is one call over the store; who may make it is proved by a signed link (:mod:`tokens`). Time
and the way letters leave by are arguments.
"""

from newsletter.subscriptions.choosing import (
    Record,
    choose,
    export,
    follow,
    pause,
    weeks_from,
)
from newsletter.subscriptions.joining import WORDS, ask_move, confirm, join, move
from newsletter.subscriptions.leaving import (
    bid_farewell,
    erase,
    leave,
    leaving,
    not_erased,
    say_why,
)
from newsletter.subscriptions.reception import (
    Note,
    Reception,
    feed,
    is_erased,
    preferences,
    way_out,
    whose,
)

__all__ = [
    "WORDS",
    "Note",
    "Reception",
    "Record",
    "ask_move",
    "bid_farewell",
    "choose",
    "confirm",
    "erase",
    "export",
    "feed",
    "follow",
    "is_erased",
    "join",
    "leave",
    "leaving",
    "move",
    "not_erased",
    "pause",
    "preferences",
    "say_why",
    "way_out",
    "weeks_from",
    "whose",
]
