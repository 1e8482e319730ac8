"""The day's issue, and each reader's edition of it, with the reason for every paper.

The reason is read off the same bitmasks (:mod:`newsletter.issue.judging`) as the selection, so what
:func:`~newsletter.issue.explaining.explain` says is what :func:`~newsletter.issue.cutting.cut` did.
"""
