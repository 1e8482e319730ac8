"""From a cut edition to a letter in pieces: everything readers share is set once an issue.

:func:`set_issue` runs the templates: once for each paper and length of summary, each heading, each
line of the frame. What comes of it is a :class:`IssueFragments`, which is frozen with the issue.
From then on a reader's letter is a choice of its pieces without a template engine: what is
personal (address, links, counts) goes into holes the templates left. :func:`set_edition` puts it
together as it is read; :func:`compose` does so from a :class:`CompiledIssue`, in whose pieces it
is sent.
"""
