"""The functions of the Python face, which the command line calls as well: arguments in, one stage, a result out.

::

    training    fit, resume
    models      load, evaluate, export, benchmark
    check       check
    settings    from keywords to a configuration
    progress    bars and lines on stderr
"""
