"""Streams as pictures and as a report: from their fields alone, in the reader's language."""
