"""Annotating a folder of pictures by hand, helped by the joint posterior: the folder, and the page that shows it."""
