"""Delivery: claim, send, settle, until nothing of the issue is left to claim.

Each letter is sent once. A claim gives one run the right to a letter. The mark, recorded before
the final dot, says that the letter may have left. The settlement says what became of it. Whatever
stops a run, the next one finds every letter at one of these points and knows what to do.
"""
