"""Old results: compacted into runs, kept as long as told, read back in folding order. Decisions are pure."""
