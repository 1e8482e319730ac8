"""The use cases: gather the listings, draft and freeze the issue, preview it, say why, publish.

A tick does each at its time. They know ports and the pure rooms below, never an adapter.
"""

from newsletter.publisher.desk import Desk, keyring
from newsletter.publisher.drafting import anyone
from newsletter.publisher.gathering import gather
from newsletter.publisher.greeting import FirstLetter, bring, greet, left_open
from newsletter.publisher.notifying import tell_operator
from newsletter.publisher.pressroom import Pressroom
from newsletter.publisher.previewing import Proof, anew, preview, proofs, rehearse
from newsletter.publisher.publishing import freeze, in_question, publish, take_over, waiting
from newsletter.publisher.reasons import why, why_anew
from newsletter.publisher.reporting import IssueReport, report, so_far
from newsletter.publisher.ruling import STOPPED, cancel, hold, release, resolve
from newsletter.publisher.ticking import Deliver, Rota, deliver_open, look
from newsletter.publisher.trying import Trial, try_out

__all__ = [
    "STOPPED",
    "Deliver",
    "Desk",
    "FirstLetter",
    "IssueReport",
    "Pressroom",
    "Proof",
    "Rota",
    "Trial",
    "anew",
    "anyone",
    "bring",
    "cancel",
    "deliver_open",
    "freeze",
    "gather",
    "greet",
    "hold",
    "in_question",
    "keyring",
    "left_open",
    "look",
    "preview",
    "proofs",
    "publish",
    "rehearse",
    "release",
    "report",
    "resolve",
    "so_far",
    "take_over",
    "tell_operator",
    "try_out",
    "waiting",
    "why",
    "why_anew",
]
