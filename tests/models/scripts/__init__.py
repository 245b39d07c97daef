"""Programs that tests run in another Python; beside them, the folder `inspect` would hide the standard library."""
