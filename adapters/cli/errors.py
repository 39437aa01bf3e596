"""Errors that the user of the command line can mend."""


class UserError(Exception):
    """One line that says what was given, what was expected and what to do."""
