"""The bits of a video stream's headers."""


class Bits:
    """Reads bits from the first one on. Not thread-safe: it holds its position.

    Raises:
        IndexError: from every method: the data have ended.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """Return the next bits as a number, the highest first."""
        self._left -= count
        if self._left < 0:
            raise IndexError("the data have ended")
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """Return a number of an Exp-Golomb code (ITU-T H.265, 9.2), or of AV1's uvlc (4.10.3): at most 32 bits."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("the code has no end")
        return (1 << zeros) - 1 + self.read(zeros)
