"""Legends: the files of a data set that say which value or colour of its masks is which class."""
