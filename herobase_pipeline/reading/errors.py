"""What a reader is told: there is no such name, nothing of it is loaded, or not all of it."""


class NoSuchNameError(LookupError):
    """There is no table, column or org unit of that name; the message says which are meant perhaps."""


class NotLoadedError(LookupError):
    """Nothing of what was asked for is loaded yet, which is not the same as nothing having happened."""


class NotLoadedWarning(UserWarning):
    """Some of the days that were asked for are not loaded, so sums over all of them are too low."""


class NotAllUnitsWarning(UserWarning):
    """Some of the calls or leads are in no unit at the depth that was asked for, so sums over it are too low."""


class NoRowsWarning(UserWarning):
    """What was asked for is loaded, and there is nothing: the days were quiet."""
