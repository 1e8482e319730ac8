"""Delivery: claim, send, settle, until nothing of the issue is left to claim.

The promise is each letter once. A claim gives one run the right to a letter; the mark, recorded
before the final dot, says that it may have left; the settlement says what became of it. Whatever
stops a run, the next one finds every letter at one of these points and knows what to do.
"""
