"""Asks the kernel to page out what the given processes hold: anonymous memory where there is swap or zram, and
pages of files that nobody else has mapped. Arguments: pids. Node has no call for it. Linux 5.10 or newer; needs
CAP_SYS_NICE. Ends with status 2 when the system does not let it.
"""

import ctypes
import os
import sys

PROCESS_MADVISE = 440
MADV_PAGEOUT = 21
# What the kernel takes at once (IOV_MAX).
MOST_RANGES = 1024


class Range(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def ranges_of(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            # [vdso] and the like belong to the kernel.
            if len(fields) < 6 or not fields[5].startswith("[v"):
                start, end = (int(part, 16) for part in fields[0].split("-"))
                yield Range(start, end - start)


def page_out(libc, pid):
    process = os.pidfd_open(pid)
    ranges = list(ranges_of(pid))
    for at in range(0, len(ranges), MOST_RANGES):
        part = ranges[at : at + MOST_RANGES]
        # A locked range, or one of a device, ends the call where it stands: the rest is asked for one by one.
        if advise(libc, process, part) != sum(one.length for one in part):
            for one in part:
                advise(libc, process, [one])
    os.close(process)


def advise(libc, process, part):
    array = (Range * len(part))(*part)
    done = libc.syscall(PROCESS_MADVISE, process, array, len(part), MADV_PAGEOUT, 0)
    if done < 0 and ctypes.get_errno() in (1, 38):  # EPERM, ENOSYS
        raise PermissionError(ctypes.get_errno(), f"process_madvise: {os.strerror(ctypes.get_errno())}")
    return done


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    for pid in map(int, sys.argv[1:]):
        try:
            page_out(libc, pid)
        except (FileNotFoundError, ProcessLookupError):
            pass  # It has ended.


try:
    main()
except (PermissionError, AttributeError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(2)
