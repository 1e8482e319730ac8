"""What a paper is: its identity, its topics, the filters it matches."""
