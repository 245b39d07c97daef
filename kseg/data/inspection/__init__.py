"""What is wrong with a data set, and what is in it.

::

    survey       every file read once: sizes, mask values, fingerprints
    checks/      survey → findings, a function a check
    inspect      the checks of a data set, or the first error of one that is to be trained on
    fix          check, make the settings that the findings suggest, check again
    suggest      what mask values seem to mean
    counts       pixels of each class
    statistics   sizes, shares of the classes, class weights;  charts draws them
    similar      pictures that look the same
    sheet        contact sheets of pictures with their masks
"""
