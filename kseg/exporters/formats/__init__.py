"""The formats, a module each: `write(conversion, path)` writes an artifact with its card."""
