"""The data-set doctor: what may be wrong with a folder of pictures, each check a function from facts to findings."""
