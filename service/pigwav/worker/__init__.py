"""Work that a timer starts, not a request."""
