"""The door out: letters to an SMTP server, or into a folder."""
