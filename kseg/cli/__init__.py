"""The command line, a file for each command: parse the arguments, call a function of kseg, print the result.

These files import heavy packages inside functions, so that ``--help`` is fast (tests/test_imports.py).
"""
