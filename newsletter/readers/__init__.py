"""A reader's schedule, and what readers do about their own subscription."""
