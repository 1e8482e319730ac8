"""Reads mail that came back: bounces, complaints, unsubscribe requests.

``mailboxes`` reads a Maildir, an mbox or a stream; ``parsing`` says what a mail means, and is pure;
``processing`` finds the reader and updates the store.
"""
