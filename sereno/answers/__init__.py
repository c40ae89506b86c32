"""What pages and reports ask of the collector's engines: Protocols here, so that no room imports another.

`sereno/cli` gives the implementation; who has none (a page in a test) says that it cannot answer.
"""
