"""Reports on the page: months at a glance, the report itself, issuing and fetching its forms."""
