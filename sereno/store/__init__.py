"""The store: every table, and the only ways in."""

from sereno.store.engine import SQLITE_FILE, Store, UnreachableError, open_database, open_store

__all__ = ["SQLITE_FILE", "Store", "UnreachableError", "open_database", "open_store"]
