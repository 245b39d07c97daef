"""How a folder is read: its files, every way to read them, and the one that is certain.

::

    Tree ──▶ annotated · paired (each a LayoutReading or None) ──▶ read_layout ──▶ Layout: settings, questions
"""
