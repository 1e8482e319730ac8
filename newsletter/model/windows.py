"""The windows of time that depend on one another, with the reason for each.

``RELATIONS`` at the end says what must hold between them. A change that breaks one of these stops
the import with the sentence that no longer holds.
"""

from collections.abc import Mapping
from datetime import timedelta

from newsletter.model.cadences import CADENCES

LONGEST_GAP = max(facts.longest_gap or timedelta() for facts in CADENCES.values())
"""The longest time between two issues of a reader, by the cadences there are."""

# What a reader is owed.

MAX_PAPER_AGE = timedelta(days=22)
"""How long after it was first seen a paper is still sent. After a long pause a reader gets the
papers of these days rather than a flood. One that had no room in their letter comes with the next
one."""

JUDGED_AGAIN = timedelta(days=3)
"""For how many days after the issue in which a paper only lacked upvotes for a reader it is judged
again. Sources count upvotes for about as long; and with more days issues would grow."""

# When an issue is due.

FETCH_AHEAD = timedelta(hours=1)
"""How long before their time readers are listed as due. Fetching begins then, so that a source
that fails can be asked several times."""

BACKOFF_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 15))
"""How long to wait after the first, second … failure in a row of a source or of the SMTP server;
the last repeats."""

MAX_LATENESS = timedelta(hours=12)
"""How late an issue may be sent while the newsletter was running. Later than that, its papers go
into the next issue, so that no reader gets two within hours."""

MIN_SLEEP = timedelta(minutes=30)
"""After so long without a look at the clock, the newsletter counts as having slept: it catches
up."""

LONGEST_SLEEP = timedelta(days=7)
"""How far back a newsletter that slept looks for the one issue it owes."""

TICK = timedelta(seconds=30)  # between two looks at the clock

MAX_SILENCE = timedelta(minutes=5)
"""After so long without a sign of life, the doctor reports that the newsletter does not run."""

# How long a letter is tried.

RETRY_WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60))
"""How long to wait after the first, second … deferral; the last repeats. Greylisting usually ends
within 15 minutes."""

RETRY_PERIOD = timedelta(hours=20)
"""How long after its freeze a deferred letter is tried. Then its papers go into the next issue. A
new reader, too, gets the day's edition only while it is younger than this."""

LIVE_ISSUES = 4  # the newest issues whose letters may still be leaving
SEARCHED_ISSUES = 7  # how many issues back a run looks for open letters

JOURNAL_KEPT = timedelta(days=30)
"""How long the journal remembers what left, for a store restored from a backup."""

SHORTEST_KEPT = 30
"""The fewest days that an issue's details may be kept: the journal may bring its letters back to a
restored store, and papers may still be owed."""

# How long a run holds a letter, in seconds.

CLAIM_LEASE = 60.0
"""How long a claim holds. One that waited half of this is given back and claimed again."""

RENEW_INTERVAL = CLAIM_LEASE / 3  # between two renewals of the leases that a run holds
DRAIN = 30.0  # how long a run that is stopped waits for the answers to marked letters
ANSWER_TIMEOUT = 600.0  # how long to wait for the answer to the final dot (RFC 5321, 4.5.3.2.6)
MARK_LEASE = 720.0  # how long a mark holds

MAX_MARK_AGE = timedelta(seconds=30)
"""A mark that took longer is not acted on: this machine slept, or the store was away. Meanwhile the
server may have closed the connection, which would leave the letter in doubt, and the answer to its
dot could come after its lease."""

STORE_WAIT = timedelta(minutes=10)
"""How long ``newsletter send`` waits for a store that is away; ``run`` and ``serve`` wait on."""

# How long a link and an address are good for.

CONFIRM_LINK_VALID = timedelta(hours=48)  # how long a link that confirms an address is valid
UNCONFIRMED_KEPT = timedelta(days=7)  # how long an address that is never confirmed is kept

PREFERENCES_LINK_VALID = timedelta(days=30)
"""How long the link to the preferences is valid: every letter brings a new one."""

OPERATOR_FORM_VALID = timedelta(hours=12)  # how long a form of the operator's page is valid

EDITION_LINK_VALID = timedelta(days=365)  # how long a letter can be read on the web

_DAY = timedelta(days=1)
_TIME_ZONES = timedelta(hours=26)  # a date lasts from UTC+14 to UTC-12

RELATIONS: Mapping[str, bool] = {
    "a reader gets every paper since their last issue, even if the next was slept through": (
        MAX_PAPER_AGE > LONGEST_GAP + LONGEST_SLEEP + MAX_LATENESS
    ),
    "a paper without room comes with the next letter, even if that was slept through": (
        MAX_PAPER_AGE > 2 * LONGEST_GAP + LONGEST_SLEEP + MAX_LATENESS
    ),
    "a newsletter that slept finds the last issue it owes a reader of any cadence": (
        LONGEST_SLEEP >= LONGEST_GAP
    ),
    "a source that fails is asked six times before the issue is due": (
        sum(BACKOFF_WAITS, timedelta()) < FETCH_AHEAD
    ),
    "a pause too short to count as sleep makes no issue too late": MIN_SLEEP < MAX_LATENESS,
    "a late issue still comes before the next one": MAX_LATENESS < _DAY,
    "the doctor allows for some missed ticks": MAX_SILENCE >= 4 * TICK,
    "a deferred letter has several tries": 4 * max(RETRY_WAITS) < RETRY_PERIOD,
    "a deferred letter ends before the next daily issue": RETRY_PERIOD < _DAY,
    "no letter still leaves when its issue is older than the live ones": (
        LIVE_ISSUES * _DAY > RETRY_PERIOD + _TIME_ZONES
    ),
    "a run finds open letters of every live issue": SEARCHED_ISSUES >= LIVE_ISSUES,
    "the journal knows every paper that a restored store could send again": (
        JOURNAL_KEPT > MAX_PAPER_AGE + LONGEST_SLEEP
    ),
    "details are kept while the journal may bring letters back, and papers may be owed": (
        timedelta(days=SHORTEST_KEPT) >= max(JOURNAL_KEPT, MAX_PAPER_AGE)
    ),
    "a lease outlives a renewal that failed": 2 * RENEW_INTERVAL < CLAIM_LEASE,
    "a stopped run ends before its leases do": DRAIN < CLAIM_LEASE,
    "a mark outlives the answer to its dot": (
        timedelta(seconds=MARK_LEASE - ANSWER_TIMEOUT) > MAX_MARK_AGE
    ),
    "a run that gives up its store ends before its marks do": (
        timedelta(seconds=MARK_LEASE) > STORE_WAIT
    ),
    "an address is kept while its link can confirm it": UNCONFIRMED_KEPT >= CONFIRM_LINK_VALID,
    "the link of the last letter is valid until the next": PREFERENCES_LINK_VALID >= LONGEST_GAP,
}
"""What must hold between the windows."""

if broken := [sentence for sentence, holds in RELATIONS.items() if not holds]:
    raise TypeError(f"windows of time contradict one another; not true: {'; '.join(broken)}")
