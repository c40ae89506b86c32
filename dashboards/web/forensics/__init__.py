"""What `/forensics` is made of: the question in its URL, the picture of a window, one result, files to take away."""
