"""The data types of the newsletter, as frozen dataclasses.

One paper passes through them in this order::

    fetch     a source      -> Listing of Items               sources/
    identify  Item          -> Identity (key and aliases)     papers/
    compare   Listings      -> Papers first seen now          stores/
    compose   Papers        -> Issue (order, topics)          issue/
    match     Issue         -> Matching (topics, and why)     papers/
    select    Issue, Reader -> Edition (with reasons)         issue/
    render    Edition       -> Rendering, or its fragments    letter/
    address   fragments     -> Envelope (bytes)               letter/
    claim     Delivery      -> Letter, under a token          stores/
    send      Letter        -> Outcome, the server's answer   transports/
    settle    Outcome       -> Delivery, in its next state    stores/

Nothing here reads a clock, a file or a socket. Import the names from here: what a module of this
package does not define itself (``date``, ``Literal``) is not part of it.
"""

# Star imports, so that a new name is written once: in the module that defines it.
from newsletter.model.cadences import *  # noqa: F403
from newsletter.model.coverage import *  # noqa: F403
from newsletter.model.deliveries import *  # noqa: F403
from newsletter.model.issues import *  # noqa: F403
from newsletter.model.matches import *  # noqa: F403
from newsletter.model.papers import *  # noqa: F403
from newsletter.model.readers import *  # noqa: F403
from newsletter.model.returned_mail import *  # noqa: F403
from newsletter.model.rules import *  # noqa: F403
from newsletter.model.states import *  # noqa: F403
