"""The door out: letters to an SMTP server, into a folder, or into memory."""
