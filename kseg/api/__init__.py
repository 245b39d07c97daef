"""The functions of `kseg`, which the command line calls, too.

::

    training    fit, resume
    models      load, evaluate, export, benchmark
    check       check
    settings    turns keyword arguments into a configuration
    progress    progress bars on stderr
"""
