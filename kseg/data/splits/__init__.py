"""Which samples train, validate and test: by fractions (`cut`, `stratify`) or by text files (`lists`)."""
