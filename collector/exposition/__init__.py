"""The exposition: what is exported (catalogue), by which names (names), how held (families) and written (text)."""
