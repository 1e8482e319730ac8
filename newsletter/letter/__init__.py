"""From the templates to one reader's letter, in three stages.

1. :func:`~newsletter.letter.rendering.render_issue` runs the templates once an issue: for each
   paper and length of summary, each heading, each line of the frame. The result,
   :class:`~newsletter.letter.fragments.IssueFragments`, is stored with the issue. Where a value
   differs from reader to reader, a fragment has a placeholder.
2. :class:`~newsletter.letter.compiling.CompiledIssue` encodes each fragment once, as it is sent.
3. :class:`~newsletter.letter.assembling.LetterAssembler` picks one reader's blocks and fills the
   placeholders; :class:`~newsletter.letter.message.MessageBuilder` adds the headers.

No template engine runs for a single reader: this is why a letter takes microseconds.
"""
