"""Every noun of the newsletter, as frozen values.

The path, one way, is the order in which they appear here::

    fetch     a source      -> Listing of Items               sources/
    identify  Item          -> Identity (key and aliases)      identity
    diff      Listings      -> Papers first seen now           stores/
    tag       Papers        -> Matching (topics, and why)      topics
    compose   Papers        -> Issue (order, topics)           issue
    cut       Issue, Reader -> Edition (and a reason a paper)  edition
    set       Edition       -> Rendering (subject, html, text) render
    address   Rendering     -> Envelope (bytes)                message
    claim     Delivery      -> Letter, under a token           stores/
    send      Letter        -> Outcome, the server's word      transports/
    settle    Outcome       -> Delivery, done                  stores/

Nothing here reads a clock, a file or a socket.
"""

from newsletter.model.deliveries import (
    Accepted,
    Audit,
    Claim,
    Counts,
    Deferred,
    Delivery,
    DeliveryState,
    Envelope,
    IssueState,
    Letter,
    Lines,
    NotSent,
    Outcome,
    Proof,
    Refused,
    Settlement,
    Unknown,
)
from newsletter.model.issues import (
    BY_FILTER,
    EVERY_PAPER,
    OTHER,
    TOP,
    Edition,
    Issue,
    Matching,
    Part,
    Placed,
    Publication,
    Published,
    Rendering,
    Section,
    Standing,
    Verdict,
    Wave,
)
from newsletter.model.papers import (
    Announcement,
    Entry,
    Identity,
    Intake,
    Item,
    Listing,
    ListingState,
    Paper,
    SourceHealth,
    SourceReport,
)
from newsletter.model.readers import (
    All,
    AnyOf,
    Cadence,
    Caps,
    Consent,
    Expression,
    Field,
    Filter,
    Length,
    Movement,
    Not,
    Origin,
    Reader,
    Rule,
    Status,
    Subscriber,
    Summary,
    Term,
    Topic,
)
from newsletter.model.returns import Returned, ReturnEffect, ReturnKind, Suppression
from newsletter.model.runs import Heartbeat

__all__ = [
    "BY_FILTER",
    "EVERY_PAPER",
    "OTHER",
    "TOP",
    "Accepted",
    "All",
    "Announcement",
    "AnyOf",
    "Audit",
    "Cadence",
    "Caps",
    "Claim",
    "Consent",
    "Counts",
    "Deferred",
    "Delivery",
    "DeliveryState",
    "Edition",
    "Entry",
    "Envelope",
    "Expression",
    "Field",
    "Filter",
    "Heartbeat",
    "Identity",
    "Intake",
    "Issue",
    "IssueState",
    "Item",
    "Length",
    "Letter",
    "Lines",
    "Listing",
    "ListingState",
    "Matching",
    "Movement",
    "Not",
    "NotSent",
    "Origin",
    "Outcome",
    "Paper",
    "Part",
    "Placed",
    "Proof",
    "Publication",
    "Published",
    "Reader",
    "Refused",
    "Rendering",
    "ReturnEffect",
    "ReturnKind",
    "Returned",
    "Rule",
    "Section",
    "Settlement",
    "SourceHealth",
    "SourceReport",
    "Standing",
    "Status",
    "Subscriber",
    "Summary",
    "Suppression",
    "Term",
    "Topic",
    "Unknown",
    "Verdict",
    "Wave",
]
