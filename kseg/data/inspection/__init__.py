"""Checks and statistics of a data set.

::

    survey       read every file once: sizes, mask values, fingerprints
    checks/      survey → findings, a function per check
    inspect      all findings of a data set, or its first error before a training
    fix          check, apply the settings that the findings suggest, check again
    suggest      the probable meaning of mask values
    counts       pixels of each class
    statistics   sizes, class shares, class weights;  charts draws them
    similar      images that look the same
    sheet        contact sheets of images with their masks
"""
