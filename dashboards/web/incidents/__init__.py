"""What the pages of incidents are made of: the list, one incident's facts and story, and what people may do to it."""
