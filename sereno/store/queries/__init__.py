"""Questions that several rooms ask the store; each takes an open connection."""
