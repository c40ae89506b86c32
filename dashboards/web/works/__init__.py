"""What the pages of maintenance are made of: the calendar, announced windows, and what one more would mean."""
