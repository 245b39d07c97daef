"""The command line: a thin file a command, which parses, calls one stage and prints.

Nothing heavy is imported at the top of these files, so that every ``--help`` answers at once.
"""
