"""Models and views that the tests of the package work on."""
