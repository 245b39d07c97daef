"""Look into a network: its parts, what each costs, a picture of it, and the catalogue of all networks."""
