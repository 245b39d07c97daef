"""One function a check, from a surveyed data set to findings; `table.CHECKS` lists them."""
