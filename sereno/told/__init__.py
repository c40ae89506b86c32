"""What commands, pages and the API tell alike, as JSON made from the store. The names are those of `--json`."""
