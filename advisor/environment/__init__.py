"""What is installed here: Python, packages, the torch build, and what is wrong with them."""
