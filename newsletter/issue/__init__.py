"""The day's issue, and each reader's edition of it, with the reason for every paper.

:mod:`~newsletter.issue.composing` orders the papers, :mod:`~newsletter.issue.selecting` decides
which of them a reader gets and why, :mod:`~newsletter.issue.editions` fits them into one letter.
The reasons come from the bitmasks that selected the papers, so the two cannot disagree.
"""
