"""The checks, each a function from a surveyed data set to findings; `table.CHECKS` lists them."""
