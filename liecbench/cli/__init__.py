"""The command line: parse options, call the package, print its results."""
