"""Papers: their identity, the rules that select them, and the topics they are in."""
