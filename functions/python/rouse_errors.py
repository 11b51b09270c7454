"""What is wrong with a request, in words for its caller."""


class Bad(Exception):
    """The caller's mistake, in words for the caller."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status
