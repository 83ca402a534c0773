"""The user interface: command line, interview, views, and the child processes that train and convert."""
