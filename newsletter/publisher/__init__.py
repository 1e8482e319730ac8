"""The use cases: gather the listings, draft and freeze the issue, preview it, say why, publish.

They know ports and the pure rooms below, never an adapter.
"""

from newsletter.publisher.desk import Desk
from newsletter.publisher.drafting import last_decided
from newsletter.publisher.gathering import gather
from newsletter.publisher.previewing import Proof, preview, rehearse
from newsletter.publisher.publishing import freeze, publish, waiting
from newsletter.publisher.reasons import why
from newsletter.publisher.reporting import IssueReport, report
from newsletter.publisher.trying import Trial, try_out

__all__ = [
    "Desk",
    "IssueReport",
    "Proof",
    "Trial",
    "freeze",
    "gather",
    "last_decided",
    "preview",
    "publish",
    "rehearse",
    "report",
    "try_out",
    "waiting",
    "why",
]
